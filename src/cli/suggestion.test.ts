import { describe, expect, test } from "vitest";
import { suggestion } from "./suggestion.ts";

const KNOWN = ["tables", "schema", "list", "quit", "tenant-42"];

describe("suggestions", () => {
  test.each([
    ["tabels", "tables"],
    ["shema", "schema"],
    ["QUIT", "quit"],
    ["tenant-41", "tenant-42"],
    ["lst", "list"],
  ])("%s is close enough to %s to be meant", (word, meant) => {
    expect(suggestion(word, KNOWN)).toBe(meant);
  });

  test("a word that is like none of them suggests nothing", () => {
    expect(suggestion("frobnicate", KNOWN)).toBeUndefined();
    expect(suggestion("", KNOWN)).toBeUndefined();
    expect(suggestion("a", [])).toBeUndefined();
  });
});

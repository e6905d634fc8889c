import { describe, expect, test } from "vitest";
import { RULES, thisRepository } from "./tidy.ts";

const repository = thisRepository();

describe("this repository", () => {
  test.each(Object.entries(RULES))("%s", (_name, rule) => {
    expect(rule(repository)).toEqual([]);
  });

  test("is not empty, so that no rule passes for want of files", () => {
    expect(repository.sources.length).toBeGreaterThan(20);
  });
});

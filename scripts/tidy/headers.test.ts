import { describe, expect, test } from "vitest";
import { hexDump } from "./format-examples.ts";
import { headerParts } from "./headers.ts";
import { repositoryOf } from "./repository.ts";

const FILE = `/**
 * PAIRS: prose that no page prints.
 *
 *   pair = left right
 *     left: u8
 *
 *   right = u16
 *
 * (1) A rule that goes on
 *     in the next line.
 * (2) Another.
 *
 * Prose again, with no rule in it.
 */
const a = 1;`;

describe("headers as documentation", () => {
  test("indented parts keep their shape and rules become one line each", () => {
    const parts = headerParts(repositoryOf({ "src/pair.ts": FILE }), "src/pair.ts");
    expect(parts?.blocks).toBe("pair = left right\n  left: u8\n\nright = u16");
    expect(parts?.rules).toEqual(["(1) A rule that goes on in the next line.", "(2) Another."]);
  });

  test("a file that is gone has no parts, so that its page fails", () => {
    expect(headerParts(repositoryOf({}), "src/gone.ts")).toBeUndefined();
  });
});

describe("a hex dump", () => {
  test("shows bytes with their offset and folds zeros, but never the first line", () => {
    const bytes = new Uint8Array(64);
    bytes.set(Buffer.from("BOP!"), 48);
    expect(hexDump(bytes).split("\n")).toEqual([
      `0000  ${"00 ".repeat(16).trimEnd()}  ................`,
      "*",
      `0030  42 4f 50 21 ${"00 ".repeat(12).trimEnd()}  BOP!............`,
    ]);
  });
});

import { join, normalize } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isKey, slice } from "./object-key.ts";

describe("a key", () => {
  test("that fits the grammar names one file below the folder, whatever it is made of", () => {
    const letters = fc.constantFrom(..."ab01.-_/\\%A:\0é".split(""), "..", "/", "../", "a");
    const likely = fc.array(letters, { maxLength: 9 }).map((all) => all.join(""));
    fc.assert(
      fc.property(fc.oneof(likely, fc.string({ maxLength: 9 })), (text) => {
        if (!isKey(text)) return;
        expect(normalize(text)).toBe(text);
        expect(join("/root", text).startsWith("/root/")).toBe(true);
        expect(text.toLowerCase()).toBe(text);
        expect(text.split("/").some((name) => name.startsWith("."))).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test("is never one of these", () => {
    const no = ["", ".", "..", "a/..", "../a", "/a", "a/", "a//b", ".unfinished/x", "a\n", "a\0"];
    const more = ["a:b", "a\\b", "%2e%2e", "ａ", "A", "a.", "a./b", "con ", "a".repeat(513)];
    for (const text of [...no, ...more]) expect(isKey(text), JSON.stringify(text)).toBe(false);
  });
});

describe("a range", () => {
  test("is cut to the object, from either end", () => {
    const range = fc.oneof(
      fc.record({ offset: fc.nat(40), bytes: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ lastBytes: fc.integer({ min: 1, max: 40 }) }),
    );
    fc.assert(
      fc.property(range, fc.nat(30), (wanted, size) => {
        const body = Array.from({ length: size }, (_, at) => at);
        const { from, to } = slice(wanted, size);
        const expected =
          "lastBytes" in wanted
            ? body.slice(-wanted.lastBytes)
            : body.slice(wanted.offset, wanted.offset + wanted.bytes);
        expect(body.slice(from, to)).toEqual(expected);
        expect(from <= to && to <= size).toBe(true);
      }),
    );
  });
});

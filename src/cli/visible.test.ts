import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutToWidth, displayWidth, visible } from "./visible.ts";

describe("text on a terminal", () => {
  test("no control character and no change of direction survives, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(visible(text)).not.toMatch(
          /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u,
        );
      }),
    );
  });

  test("printable text stays as it is", () => {
    const text = "Dvořák, 日本 – “naïve” 🎵";
    expect(visible(text)).toBe(text);
  });

  test("wide characters count two, combining marks nothing", () => {
    expect(displayWidth("abc")).toBe(3);
    expect(displayWidth("日本")).toBe(4);
    expect(displayWidth("e\u0301")).toBe(1);
    expect(displayWidth("🎵")).toBe(2);
  });

  test("a cut text is never wider than it may be and ends with an ellipsis", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.integer({ min: 1, max: 20 }),
        (text, width) => {
          const cut = cutToWidth(text, width);
          expect(displayWidth(cut)).toBeLessThanOrEqual(width);
          if (cut !== text) expect(cut.endsWith("…")).toBe(true);
        },
      ),
    );
  });
});

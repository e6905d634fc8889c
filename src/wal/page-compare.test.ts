import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addedSum, comparePages, differingGroups, sumOfPage } from "./page-compare.ts";

const GROUP_BYTES = 16;

/** The same in words that anybody can check. */
function plainSum(page: Uint8Array): number {
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  let sum = 0;
  for (let at = 0, power = 1; at < page.length; at += 4, power = Math.imul(power, 0x9e3779b1)) {
    sum = (sum + Math.imul(view.getInt32(at, true), power)) | 0;
  }
  return sum >>> 0;
}

const edits = fc.record({
  bytes: fc.constantFrom(16, 512, 4096, 65_536),
  seed: fc.integer({ min: 1 }),
  at: fc.array(fc.record({ at: fc.nat(65_535), xor: fc.integer({ min: 1, max: 255 }) }), {
    maxLength: 40,
  }),
});

describe("two pages side by side", () => {
  test("every group of 16 bytes that differs is named, in order, and no other", () => {
    fc.assert(
      fc.property(edits, ({ bytes, seed, at: changes }) => {
        const one = new Uint8Array(bytes);
        for (let at = 0; at < bytes; at++) one[at] = Math.imul(at + 1, seed) >>> 13;
        const other = one.slice();
        for (const { at, xor } of changes) other[at % bytes] = (other[at % bytes] ?? 0) ^ xor;
        const expected: number[] = [];
        for (let at = 0; at < bytes; at += GROUP_BYTES) {
          const piece = [one, other].map((page) => page.subarray(at, at + GROUP_BYTES));
          if (Buffer.compare(piece[0] as Uint8Array, piece[1] as Uint8Array) !== 0) {
            expected.push(at);
          }
        }
        const count = comparePages(one, other);
        expect([...differingGroups.subarray(0, count)]).toEqual(expected);
        expect((plainSum(one) + addedSum()) >>> 0).toBe(plainSum(other));
        expect(sumOfPage(other)).toBe(plainSum(other));
      }),
      { numRuns: 100 },
    );
  });

  test("of pages that differ everywhere all groups are named, up to the last of 64 KiB", () => {
    const one = new Uint8Array(65_536);
    const other = new Uint8Array(65_536).fill(255);
    expect(comparePages(one, other)).toBe(4096);
    expect(differingGroups[4095]).toBe(65_520);
    expect(addedSum()).toBe(plainSum(other));
    expect(comparePages(one, one)).toBe(0);
    expect(addedSum()).toBe(0);
  });
});

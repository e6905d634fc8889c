import { describe, expect, test } from "vitest";
import { chunkId, KIB, MIB } from "../../base/units.ts";
import { locationOf, NOWHERE } from "../maps/location.ts";
import { BLOCK_BYTES } from "./blocks.ts";
import { planPages } from "./page-plan.ts";

const PAGE_BYTES = 4096;
const PER_BLOCK = BLOCK_BYTES / PAGE_BYTES;

/** Pages one behind the other in one chunk, all of it away. */
function away(pageCount: number, here: (page: number) => boolean = () => false) {
  const offset = (page: number) => page * PAGE_BYTES;
  return {
    from: (pageNumber: number) => ({
      pageNumber,
      pageCount,
      pageBytes: PAGE_BYTES,
      locationOf: (page: number) =>
        page > pageCount ? NOWHERE : locationOf(chunkId(1), offset(page)),
    }),
    ground: (misses: number, windowBytesMax = 256 * MIB) => ({
      missing: (_: unknown, range: { offset: number }) =>
        here(range.offset / PAGE_BYTES) ? [] : [Math.floor(range.offset / BLOCK_BYTES)],
      recordBytes: PAGE_BYTES,
      misses,
      windowBytesMax,
    }),
  };
}

const blocksOf = (plan: ReturnType<typeof planPages>) => plan.get(chunkId(1)) ?? new Set();

describe("what is brought with a page", () => {
  test("doubles with each miss of a visit, from one block up to the largest window", () => {
    const { from, ground } = away(100_000);
    const counts = [1, 2, 3, 4, 20].map(
      (misses) => blocksOf(planPages(from(1), ground(misses, MIB))).size,
    );
    expect(counts).toEqual([1, 2, 4, 8, 16]);
  });

  test("is the whole of a database that misses few pages, those before it included", () => {
    const { from, ground } = away(200);
    const blocks = blocksOf(planPages(from(150), ground(1)));
    expect(blocks.size).toBe(Math.floor(200 / PER_BLOCK) + 1);
    expect(blocks.has(0)).toBe(true);
  });

  test("lies behind it, and leaves out what is here", () => {
    const { from, ground } = away(2000, (page) => page < 64 || page > 1900);
    const blocks = blocksOf(planPages(from(1000), ground(3)));
    expect(Math.min(...(blocks as Set<number>))).toBe(Math.floor(1000 / PER_BLOCK));
    expect(blocks.size).toBe(4);
  });

  test("is nothing more at the end of a database, and never beyond a window of no room", () => {
    const { from, ground } = away(2000);
    expect(blocksOf(planPages(from(2000), ground(9))).size).toBe(1);
    expect(blocksOf(planPages(from(1), ground(9, 10 * KIB))).size).toBe(1);
  });
});

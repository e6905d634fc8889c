import { describe, expect, test } from "vitest";
import { chunkId, MIB } from "../../base/units.ts";
import { seeded } from "../../io/index.ts";
import {
  AMPLIFICATION_MAX,
  amplification,
  type ChunkUse,
  planCompaction,
  spaceOf,
} from "./compaction-plan.ts";

const PLENTY = { carryBytesMax: 1e15, isWriting: false };

/** 64 MiB with 1,000 pages, so many of them used. */
function chunk(id: number, usedMax: number, more: Partial<ChunkUse> = {}): ChunkUse {
  const sizes = { fileBytes: 64 * MIB, pageCount: 1000 };
  return {
    chunk: chunkId(id),
    ...sizes,
    usedMax,
    usedMin: usedMax,
    usedGuess: usedMax,
    isCertain: true,
    ...more,
  };
}

const small = (id: number) => chunk(id, 10, { fileBytes: 20_000, pageCount: 10 });

describe("a plan of compaction", () => {
  test("takes what is sparse, the emptiest first, and leaves the rest alone", () => {
    const uses = [chunk(1, 290), chunk(2, 900), chunk(3, 5), chunk(4, 310), chunk(5, 1000)];
    expect(planCompaction(uses, PLENTY).chunks).toEqual([3, 1]);
  });

  test("puts small chunks together, but does not write one small one again and again", () => {
    expect(planCompaction([small(1), small(2)], PLENTY).chunks).toEqual([1, 2]);
    expect(planCompaction([small(1)], PLENTY).chunks).toEqual([]);
    expect(planCompaction([small(1)], { ...PLENTY, isWriting: true }).chunks).toEqual([1]);
    const halfDead = { ...small(1), usedMax: 4, usedMin: 4 };
    expect(planCompaction([halfDead], PLENTY).chunks).toEqual([1]);
  });

  test("passes over a chunk that could not be read, so that others do not wait for it", () => {
    const damaged = chunk(1, 5, { isDamaged: true });
    expect(planCompaction([damaged, chunk(2, 100)], PLENTY).chunks).toEqual([2]);
  });

  test("goes on with the emptiest while more than half of all bytes is dead, and no further", () => {
    const uses = [1, 2, 3, 4].map((id) => chunk(id, 300 + 50 * id));
    expect(planCompaction(uses, PLENTY).chunks).toEqual([1]);
    const fuller = [1, 2, 3, 4].map((id) => chunk(id, 500 + 10 * id));
    expect(planCompaction(fuller, PLENTY).chunks).toEqual([]);
  });

  test("carries no more than it may, takes what still fits, and says that something is left", () => {
    const uses = [chunk(1, 200), chunk(2, 250), chunk(3, 280)];
    const limits = { carryBytesMax: 30 * MIB, isWriting: false };
    expect(planCompaction(uses, limits)).toMatchObject({ chunks: [1, 2], isCut: true });
    expect(planCompaction(uses, PLENTY).isCut).toBe(false);
  });

  test("names those for a count that may be half empty, the likeliest first", () => {
    const unknown = (id: number, usedMin: number, usedGuess = usedMin) =>
      chunk(id, 1000, { usedMin, usedGuess, isCertain: false });
    const uses = [unknown(1, 400), unknown(2, 0, 20), unknown(3, 600), unknown(4, 0, 700)];
    const known = [chunk(5, 100), chunk(6, 1000)];
    expect(planCompaction([...uses, ...known], PLENTY).suspects).toEqual([2, 1, 4]);
    const exact = planCompaction([...uses, ...known], { ...PLENTY, isExact: true });
    expect(exact.suspects).toEqual([2, 1, 3, 4]);
  });

  test("repeated until it is empty brings any store below the bound, each byte carried giving one back", () => {
    const random = seeded(8);
    for (let round = 0; round < 200; round += 1) {
      let uses = Array.from({ length: 1 + random.below(40) }, (_, index) => {
        const pageCount = 200 + random.below(800);
        const size = { pageCount, fileBytes: pageCount * (512 + random.below(9000)) };
        return chunk(index + 1, random.below(pageCount + 1), size);
      });
      for (let step = 0; step < 50; step += 1) {
        const plan = planCompaction(uses, PLENTY);
        if (plan.chunks.length === 0) break;
        const [carried, given] = costs(uses, plan.chunks);
        expect(carried).toBeLessThanOrEqual(given);
        uses = compacted(uses, plan.chunks);
        expect(spaceOf(uses).fileBytes).toBeCloseTo(plan.after.fileBytes, 3);
      }
      expect(amplification(spaceOf(uses))).toBeLessThanOrEqual(AMPLIFICATION_MAX);
    }
  });
});

/** Bytes that are carried, and bytes that come back. */
function costs(uses: readonly ChunkUse[], chunks: readonly number[]): [number, number] {
  const taken = uses.filter((use) => chunks.includes(use.chunk));
  const { usedBytes, fileBytes } = spaceOf(taken);
  return [usedBytes, fileBytes - usedBytes];
}

/** The used pages of the chunks lie in one new chunk. */
function compacted(uses: readonly ChunkUse[], chunks: readonly number[]): ChunkUse[] {
  const taken = uses.filter((use) => chunks.includes(use.chunk));
  const pageCount = taken.reduce((sum, { usedMax }) => sum + usedMax, 0);
  const rest = uses.filter((use) => !chunks.includes(use.chunk));
  if (pageCount === 0) return rest;
  const id = Math.max(...uses.map((use) => use.chunk)) + 1;
  return [...rest, chunk(id, pageCount, { pageCount, fileBytes: spaceOf(taken).usedBytes })];
}

import { describe, expect, test } from "vitest";
import { chunkId } from "../../base/units.ts";
import type { ChunkRow } from "../../manifest/index.ts";
import { ChunkUses } from "./chunk-uses.ts";

function row(references: number, livePages: number): ChunkRow {
  const chunk = chunkId(1);
  return { chunk, kind: "pages", fileBytes: 4_000_000, pageCount: 800, references, livePages };
}

function useOf(uses: ChunkUses, of: ChunkRow) {
  return [...uses.of([of])][0];
}

describe("what is known of a chunk's use", () => {
  test("is bounded by its references, and by its pages when versions name them many times", () => {
    const uses = new ChunkUses({ hasForks: () => false });
    expect(useOf(uses, row(300, 300))).toMatchObject({ usedMax: 300, usedMin: 300 });
    expect(useOf(uses, row(300, 100))).toMatchObject({ usedMax: 300, usedMin: 100 });
    expect(useOf(uses, row(5000, 100))).toMatchObject({ usedMax: 800, usedMin: 100 });
  });

  test("is open to below where forks may name the same page twice", () => {
    const uses = new ChunkUses({ hasForks: () => true });
    expect(useOf(uses, row(500, 900))).toMatchObject({ usedMax: 500, usedMin: 0, usedGuess: 500 });
  });

  test("is what a count came to, which no later version can raise", () => {
    const uses = new ChunkUses({ hasForks: () => true });
    uses.counted(row(5000, 100), 150);
    expect(useOf(uses, row(5000, 100))).toMatchObject({ usedMax: 150, usedMin: 150 });
    expect(useOf(uses, row(9000, 100))).toMatchObject({ usedMax: 150, usedMin: 150 });
  });

  test("is worth another count only when much has been let go since the last", () => {
    const uses = new ChunkUses({ hasForks: () => false });
    uses.counted(row(5000, 500), 600);
    expect(useOf(uses, row(4950, 450))).toMatchObject({ usedMax: 600, usedMin: 600 });
    expect(useOf(uses, row(4900, 450))).toMatchObject({ usedMax: 600, usedMin: 450 });
    expect(useOf(uses, row(5000, 400))).toMatchObject({ usedMax: 600, usedMin: 400 });
    uses.forget(chunkId(1));
    expect(useOf(uses, row(5000, 500))).toMatchObject({ usedMax: 800, usedMin: 500 });
  });
});

/** References to chunks, counted from the changes of rows, against a count of everything. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { chunkId, lsn, streamId } from "../../base/units.ts";
import type { ChunkRow } from "../tables/chunks.ts";
import type { MapRowChange } from "../tables/page-map.ts";
import type { RowChange } from "./draft.ts";
import { LiveTally } from "./live-tally.ts";

const PAGES = 512;
const CHUNKS = [1, 2, 3].map(chunkId);

/** Of each chunk, in all rows. */
function counted(rows: readonly (MapRowChange | undefined)[]): number[] {
  const all = rows.flatMap((row) => [...(row?.locations ?? [])]);
  return CHUNKS.map((chunk) => all.filter((at) => Math.floor(at / 2 ** 24) === chunk).length);
}

function chunkRow(chunk: number, references: number): ChunkRow | undefined {
  const row = { chunk: chunkId(chunk), kind: "pages", fileBytes: 9, pageCount: 9 } as const;
  return references === 0 ? undefined : { ...row, livePages: references, references };
}

/** What is off, given what the rows of chunks say of before and of afterwards. */
function missedBy(
  changes: readonly RowChange<MapRowChange>[],
  was: readonly number[],
  told: readonly number[],
): unknown {
  const tally = new LiveTally();
  for (const change of changes) tally.add(change);
  for (const _ of tally.settle());
  for (const [at, chunk] of CHUNKS.entries()) {
    tally.expect(chunkRow(chunk, was[at] ?? 0), chunkRow(chunk, told[at] ?? 0));
  }
  return tally.missed.map(({ chunk, by }) => [chunk, by]);
}

const locations = fc
  .array(fc.tuple(fc.nat(PAGES - 1), fc.integer({ min: 0, max: 3 })), { maxLength: 12 })
  .map((pages) => {
    const row = new Float64Array(PAGES);
    for (const [at, chunk] of pages) row[at] = chunk === 0 ? 0 : chunk * 2 ** 24 + 16 + at;
    return row;
  });
/** Versions of three rows: put, removed, put in place of another; in any order. */
const change = fc
  .record({
    stream: fc.integer({ min: 1, max: 2 }).map(streamId),
    rowIndex: fc.nat(1),
    fromLsn: fc.nat(3).map(lsn),
    before: fc.option(locations, { nil: undefined }),
    after: fc.option(locations, { nil: undefined }),
  })
  .map(({ before, after, ...key }) => ({
    before: before && { ...key, locations: before },
    after: after && { ...key, locations: after },
  }));

test("references are what a count of all rows before and afterwards says, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.nat(2), (changes, wrong) => {
      const was = counted(changes.map(({ before }) => before));
      const is = counted(changes.map(({ after }) => after));
      expect(missedBy(changes, was, is)).toEqual([]);
      const lied = is.map((count, at) => (at === wrong ? count + 1 : count));
      expect(missedBy(changes, was, lied)).toEqual([[CHUNKS[wrong], -1]]);
    }),
    { numRuns: 60 },
  );
});

test("more versions that go than it holds in memory are counted all the same", () => {
  const row = new Float64Array(PAGES).fill(2 ** 24 + 16, 0, 2);
  const gone = Array.from({ length: 5000 }, (_, rowIndex) => {
    const key = { stream: streamId(1), rowIndex, fromLsn: lsn(1) };
    return { before: { ...key, locations: row }, after: undefined };
  });
  const came = gone.map(({ before }) => {
    return { before: undefined, after: { ...before, fromLsn: lsn(2) } };
  });
  expect(missedBy([...gone, ...came], [10_000], [10_000])).toEqual([]);
  expect(missedBy(gone, [10_000], [0])).toEqual([]);
  expect(missedBy(gone, [10_000], [1])).toEqual([[1, -1]]);
});

/** WHAT MUST HOLD OF PAGE MAPS, THEIR VERSIONS AND CHUNKS. */
import { AssertionError } from "../../base/assert.ts";
import { CATALOGUE_STREAM, type StreamId } from "../../base/units.ts";
import { LiveTally } from "../commit/live-tally.ts";
import { type ChunkRow, chunks } from "../tables/chunks.ts";
import { databases } from "../tables/databases.ts";
import { type MapVersionRow, mapVersions } from "../tables/map-versions.ts";
import { pageMap } from "../tables/page-map.ts";
import { broken, type Checked, type Context, type RowInvariant, rows } from "./invariant.ts";

const OF_CHUNKS: readonly RowInvariant<ChunkRow>[] = [
  {
    name: "a chunk was given out before it has a row",
    refutes: ({ after }, { marks }) =>
      after && after.chunk >= marks.nextChunkId ? `chunk ${after.chunk}` : undefined,
  },
  {
    name: "a chunk that nobody refers to has no row",
    refutes: ({ after }) => (after?.references === 0 ? `chunk ${after.chunk}` : undefined),
  },
  {
    name: "the newest versions name no more of a chunk than all versions do",
    refutes: ({ after }) =>
      after?.kind === "pages" && after.livePages > after.references
        ? `chunk ${after.chunk}, ${after.livePages} of ${after.references}`
        : undefined,
  },
];

const OF_VERSIONS: readonly RowInvariant<MapVersionRow>[] = [
  {
    name: "a map version is not above the checkpoint",
    refutes: ({ after }, { marks }) =>
      after && after.lsn > marks.checkpointLsn ? placeOf(after) : undefined,
  },
  {
    name: "a map version is of a database that exists, or of the store",
    refutes: ({ after }, { draft }) =>
      after && after.stream !== CATALOGUE_STREAM && !draft.get(databases, after.stream)
        ? placeOf(after)
        : undefined,
  },
  {
    name: "a map version sees commits at or below it",
    refutes: ({ after }) => (after && after.commitLsn > after.lsn ? placeOf(after) : undefined),
  },
  {
    name: "a map version names the rows that it wrote in order",
    refutes: ({ after }) =>
      after?.changedRows.some((row, at, all) => row <= (all[at - 1] ?? -1))
        ? placeOf(after)
        : undefined,
  },
];

export const OF_MAP_TABLES: readonly Checked[] = [
  rows(chunks, OF_CHUNKS),
  rows(mapVersions, OF_VERSIONS),
  { check: checkMapRows },
];

/**
 * Rows of the page map belong to databases and count from no LSN above the checkpoint. Every location
 * that is gained names a chunk with a row, and the chunk's count has followed.
 */
function* checkMapRows({ draft, marks }: Context): Generator<void> {
  const tally = new LiveTally();
  const streams = new Set<StreamId>();
  for (const change of draft.changes(pageMap)) {
    const { after } = change;
    if (after !== undefined) {
      streams.add(after.stream);
      if (after.fromLsn > marks.checkpointLsn) {
        const why = `row ${after.rowIndex} of stream ${after.stream}, from LSN ${after.fromLsn}`;
        throw new AssertionError(broken("a map row is not above the checkpoint", why));
      }
    }
    tally.add(change);
    yield;
  }
  yield* tally.settle();
  for (const stream of streams) {
    yield;
    if (draft.get(databases, stream) !== undefined) continue;
    throw new AssertionError(broken("a map row is of a database that exists", `stream ${stream}`));
  }
  for (const chunk of tally.gained) {
    yield;
    if (draft.get(chunks, chunk) !== undefined) continue;
    throw new AssertionError(broken("a chunk that the page map names exists", `chunk ${chunk}`));
  }
  for (const { before, after } of draft.changes(chunks)) {
    tally.expect(before, after);
    yield;
  }
  for (const { chunk, by } of tally.missed) {
    const why = `chunk ${chunk} is off by ${by}`;
    throw new AssertionError(broken("a chunk counts the locations that name it", why));
  }
}

function placeOf({ stream, lsn }: MapVersionRow): string {
  return `stream ${stream} at LSN ${lsn}`;
}

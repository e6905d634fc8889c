/**
 * ROWS OF ONE FAMILY OF DATABASES, by where they lie: for whoever reads a manifest that is not open,
 * as a bucket has it, and wants no more of it than one database needs.
 *
 * (1) A range may hold a little more than was asked for (names that go on): who decodes tells.
 */
import type { ChunkId, StreamId } from "../../base/units.ts";
import { type KeyRange, nextAfter, STATE_KEY, STORE_KEY } from "../rows/keys.ts";
import type { KeyValuePair } from "../stores/key-value.ts";
import { chunks } from "../tables/chunks.ts";
import { type DatabaseRow, databases } from "../tables/databases.ts";
import { mapVersionsOf } from "../tables/map-versions.ts";
import { names } from "../tables/names.ts";
import { chunkOfLocation, type MapRowChange, mapOf, pageMap } from "../tables/page-map.ts";
import { remoteChunks } from "../tables/remote-chunks.ts";

export const FAMILY_ROWS = Object.freeze({
  /** The two of the store itself. */
  ofStore: (): KeyRange => ({ from: STATE_KEY, to: nextAfter(STORE_KEY) }),
  ofName: (name: string): KeyRange => oneKey(names.encodeKey({ space: "databases", name })),
  ofDatabase: (stream: StreamId): KeyRange => oneKey(databases.encodeKey(stream)),
  mapRows: (stream: StreamId): KeyRange => mapOf(stream),
  mapVersions: (stream: StreamId): KeyRange => mapVersionsOf(stream),
  /** Of both tables, from the first chunk to the last. */
  chunks: ({ first, last }: ChunkSpan): readonly [KeyRange, KeyRange] => [
    { from: chunks.encodeKey(first), to: nextAfter(chunks.encodeKey(last)) },
    { from: remoteChunks.encodeKey(first), to: nextAfter(remoteChunks.encodeKey(last)) },
  ],
});

export interface ChunkSpan {
  readonly first: ChunkId;
  readonly last: ChunkId;
}

/** The live database of that name; undefined if the row is of another name. */
export function streamOfNameRow(pair: KeyValuePair, of: NamedRow): StreamId | undefined {
  const row = names.decode({ ...pair, file: of.file });
  return row.space === "databases" && row.name === of.name ? row.stream : undefined;
}

interface NamedRow {
  readonly name: string;
  readonly file: string;
}

export function databaseOfRow(pair: KeyValuePair, file: string): DatabaseRow {
  return databases.decode({ ...pair, file });
}

export function mapRowOfRow(pair: KeyValuePair, file: string): MapRowChange {
  return pageMap.decode({ ...pair, file });
}

/** The chunks that a row of the page map names. */
export function chunksOfMapRow({ locations }: MapRowChange): Set<ChunkId> {
  const named = new Set<ChunkId>();
  for (const location of locations) if (location !== 0) named.add(chunkOfLocation(location));
  return named;
}

function oneKey(key: Uint8Array): KeyRange {
  return { from: key, to: nextAfter(key) };
}

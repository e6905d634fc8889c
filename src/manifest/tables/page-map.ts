/**
 * TABLE OF THE PAGE MAP: where the checkpointed image of each page lies, 512 pages a row, in versions.
 *
 *   key    stream u32, row index u32, from lsn u64 with all bits the other way round
 *   value  first u16, count u16, then count locations u64 from that index on; others are 0
 *
 *   location = chunk id × 2^24 + offset of the page's record in its chunk ÷ 8; 0 is nowhere
 *
 * (1) A version counts from its LSN on, up to the next version of the row. Newer ones come first: the
 *     first at or behind an LSN in order of keys is the one that counts there.
 * (2) One whose locations are all 0 hides an older one, or the row of the database's origin.
 */
import { assert } from "../../base/assert.ts";
import { type ChunkId, chunkId, type Lsn, lsn, type StreamId, streamId } from "../../base/units.ts";
import { type ByteReader, Malformed } from "../rows/bytes.ts";
import type { KeyRange } from "../rows/keys.ts";
import { defineTable } from "../rows/table.ts";

/** Pages in one row of the page map. */
export const MAP_ROW_PAGES = 512;

export interface MapRowKey {
  readonly stream: StreamId;
  readonly rowIndex: number;
  /** From here on, up to the next version of the row. */
  readonly fromLsn: Lsn;
}

/** A version of a row of the page map. */
export interface MapRow {
  readonly fromLsn: Lsn;
  /**
   * 512 locations (see page-store/maps/location.ts); 0 for a page that has none. One of zeros alone hides
   * an older version, or the row of an origin; where there is neither, it need not be stored.
   */
  readonly locations: Float64Array;
}

export interface MapRowChange extends MapRowKey, MapRow {}

const OFFSETS_PER_CHUNK = 2 ** 24;

export const pageMap = defineTable({
  name: "mapRows",
  version: 2,
  keyOf: ({ stream, rowIndex, fromLsn }: MapRowChange): MapRowKey => ({
    stream,
    rowIndex,
    fromLsn,
  }),
  writeKey: ({ stream, rowIndex, fromLsn }, into) =>
    into.u32(stream).u32(rowIndex).u64Down(fromLsn),
  readKey: (from) => ({
    stream: streamId(from.u32()),
    rowIndex: from.u32(),
    fromLsn: lsn(from.u64Down()),
  }),
  write({ locations }, into) {
    assert(locations.length === MAP_ROW_PAGES, () => `a map row of ${locations.length} pages`);
    let [first, end] = [0, MAP_ROW_PAGES];
    while (first < end && locations[first] === 0) first += 1;
    while (end > first && locations[end - 1] === 0) end -= 1;
    into.u16(first).u16(end - first);
    for (const location of locations.subarray(first, end)) into.u64(location);
  },
  read: (from, key): MapRowChange => ({ ...key, locations: readLocations(from) }),
});

/** The payload of a row; in schemas 1 and 2 too. */
export function readLocations(from: ByteReader): Float64Array {
  const [first, count] = [from.u16(), from.u16()];
  if (first + count > MAP_ROW_PAGES) throw new Malformed(`${first + count} pages in a row`);
  const locations = new Float64Array(MAP_ROW_PAGES);
  for (let at = first; at < first + count; at++) locations[at] = from.u64();
  return locations;
}

/** All rows of one database. */
export const mapOf = (stream: StreamId) => pageMap.range((into) => into.u32(stream));

/** All versions of a row, the newest first. */
export const versionsOf = (stream: StreamId, rowIndex: number): KeyRange =>
  pageMap.range((into) => into.u32(stream).u32(rowIndex));

/** Those at or below an LSN, the newest first. */
export function versionsUpTo({ stream, rowIndex }: MapRowPlace, atMost: Lsn): KeyRange {
  const from = pageMap.encodeKey({ stream, rowIndex, fromLsn: atMost });
  return { from, to: versionsOf(stream, rowIndex).to };
}

interface MapRowPlace {
  readonly stream: StreamId;
  readonly rowIndex: number;
}

/** The chunk that a location other than 0 names. */
export const chunkOfLocation = (location: number): ChunkId =>
  chunkId(Math.floor(location / OFFSETS_PER_CHUNK));

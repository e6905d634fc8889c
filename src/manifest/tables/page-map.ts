/**
 * TABLE OF THE PAGE MAP: where the checkpointed image of each page lies, 512 pages a row.
 *
 *   key    stream u32, row index u32
 *   value  first u16, count u16, then count locations u64 from that index on; others are 0
 *
 *   location = chunk id × 2^24 + offset of the page's record in its chunk ÷ 8; 0 is nowhere
 *
 * (1) A row whose locations are all 0 is not stored.
 */
import { assert } from "../../base/assert.ts";
import { type ChunkId, chunkId, type StreamId, streamId } from "../../base/units.ts";
import { Malformed } from "../bytes.ts";
import { MAP_ROW_PAGES, type MapRowChange } from "../manifest.ts";
import { defineTable } from "../table.ts";

const OFFSETS_PER_CHUNK = 2 ** 24;

export interface MapRowKey {
  readonly stream: StreamId;
  readonly rowIndex: number;
}

export const pageMap = defineTable({
  name: "mapRows",
  version: 1,
  keyOf: ({ stream, rowIndex }: MapRowChange): MapRowKey => ({ stream, rowIndex }),
  writeKey: ({ stream, rowIndex }, into) => into.u32(stream).u32(rowIndex),
  readKey: (from) => ({ stream: streamId(from.u32()), rowIndex: from.u32() }),
  write({ locations }, into) {
    assert(locations.length === MAP_ROW_PAGES, () => `a map row of ${locations.length} pages`);
    let [first, end] = [0, MAP_ROW_PAGES];
    while (first < end && locations[first] === 0) first += 1;
    while (end > first && locations[end - 1] === 0) end -= 1;
    into.u16(first).u16(end - first);
    for (const location of locations.subarray(first, end)) into.u64(location);
  },
  read(from, key): MapRowChange {
    const [first, count] = [from.u16(), from.u16()];
    if (first + count > MAP_ROW_PAGES) throw new Malformed(`${first + count} pages in a row`);
    const locations = new Float64Array(MAP_ROW_PAGES);
    for (let at = first; at < first + count; at++) locations[at] = from.u64();
    return { ...key, locations };
  },
});

/** All rows of one database. */
export const mapOf = (stream: StreamId) => pageMap.range((into) => into.u32(stream));

/** See (1). */
export const isEmptyMapRow = ({ locations }: MapRowChange): boolean =>
  locations.every((location) => location === 0);

/** The chunk that a location other than 0 names. */
export const chunkOfLocation = (location: number): ChunkId =>
  chunkId(Math.floor(location / OFFSETS_PER_CHUNK));

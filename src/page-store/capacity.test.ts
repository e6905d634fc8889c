/** A database of 100 GiB, as far as numbers go: where its pages lie, and what of its map is in memory. */
import { expect, test } from "vitest";
import { chunkId, GIB, LSN_ZERO, MIB, streamId } from "../base/units.ts";
import { CHUNK_BYTES_MAX } from "../chunk/index.ts";
import { MAP_ROW_PAGES } from "../manifest/index.ts";
import { chunkOf, locationOf, offsetOf } from "./maps/location.ts";
import { PageMap, type RowSource } from "./maps/page-map.ts";
import { RowShelf } from "./maps/row-shelf.ts";

const PAGE_BYTES = 4096;
const PAGES = (100 * GIB) / PAGE_BYTES;
const ROWS = PAGES / MAP_ROW_PAGES;
const RECORD_BYTES = 8;

test("every place in the last chunk of a store that has written for years has a location of its own", () => {
  // Ten thousand times over: chunks are written again and again, and ids are not reused.
  const last = chunkId(Math.ceil((10_000 * 100 * GIB) / CHUNK_BYTES_MAX));
  for (const chunk of [chunkId(1), last]) {
    for (const offset of [RECORD_BYTES, 4096, CHUNK_BYTES_MAX / 2, CHUNK_BYTES_MAX - 8]) {
      const location = locationOf(chunk, offset);
      expect([chunkOf(location), offsetOf(location)]).toEqual([chunk, offset]);
      expect(Number.isSafeInteger(location)).toBe(true);
      expect(locationOf(chunk, offset - 8 || 16)).not.toBe(location);
    }
  }
});

test("a map of 26 million pages loads the rows that are looked at, and keeps what its budget allows", () => {
  const loaded: number[] = [];
  const shelf = new RowShelf(MIB);
  const source: RowSource = {
    stream: streamId(1),
    family: streamId(1),
    shelf,
    load: (rowIndex) => {
      loaded.push(rowIndex);
      const first = rowIndex * MAP_ROW_PAGES;
      return Float64Array.from({ length: MAP_ROW_PAGES }, (_, index) => first + index + 1);
    },
  };
  const moment = { checkpointLsn: LSN_ZERO, station: LSN_ZERO };
  const map = PageMap.stored(source, { ...moment, pageCount: PAGES, pageBytes: PAGE_BYTES });
  expect(map.rowCount).toBe(ROWS);
  expect(loaded).toEqual([]);
  for (const page of [1, PAGES, PAGES - MAP_ROW_PAGES, PAGES / 2, PAGES]) {
    expect(map.location(page)).toBe(page); // The source puts page n at n.
  }
  expect(loaded).toEqual([0, ROWS - 1, ROWS - 2, ROWS / 2 - 1]);
  expect(map.location(PAGES + 1)).toBe(0);
  for (let page = 1; page <= PAGES; page += 100 * MAP_ROW_PAGES) map.location(page);
  expect(shelf.bytes).toBeLessThanOrEqual(MIB);
});

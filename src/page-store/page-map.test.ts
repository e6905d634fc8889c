import { describe, expect, test } from "vitest";
import { chunkId, lsn, streamId } from "../base/units.ts";
import { MAP_ROW_PAGES } from "../manifest/index.ts";
import { chunkOf, locationOf, NOWHERE, offsetOf } from "./location.ts";
import { MapEdit, PageMap } from "./page-map.ts";

const STREAM = streamId(4);

/** What the manifest holds, by row; a checkpoint writes it back. */
function manifest(rows: Readonly<Record<number, number>>) {
  const stored = new Map<number, Float64Array>(
    Object.entries(rows).map(([row, fill]) => [
      Number(row),
      new Float64Array(MAP_ROW_PAGES).fill(fill),
    ]),
  );
  const load = (_: unknown, rowIndex: number) => stored.get(rowIndex)?.slice();
  return { stored, load };
}

function mapOf(rows: Readonly<Record<number, number>>, pageCount: number) {
  const { stored, load } = manifest(rows);
  const moment = { checkpointLsn: lsn(10), pageCount, pageBytes: 512 };
  return { stored, map: PageMap.stored(STREAM, load, moment) };
}

function tally() {
  const seen: string[] = [];
  return {
    seen,
    gained: (location: number) => void seen.push(`+${location}`),
    lost: (location: number) => void seen.push(`-${location}`),
  };
}

test("a map that let go of its rows loads them again, and shows what it showed", () => {
  const { stored, map } = mapOf({ 0: 7, 1: 9 }, 2 * MAP_ROW_PAGES);
  expect([map.location(1), map.location(MAP_ROW_PAGES + 1)]).toEqual([7, 9]);
  stored.get(1)?.fill(11);
  expect(map.location(MAP_ROW_PAGES + 1)).toBe(9); // It is kept.
  map.letGo();
  expect([map.location(1), map.location(MAP_ROW_PAGES + 1)]).toEqual([7, 11]); // It was not.
});

describe("a location", () => {
  test("holds chunk and offset, and gives them back", () => {
    const location = locationOf(chunkId(123456), 64 * 1024 * 1024 - 8);
    expect(chunkOf(location)).toBe(123456);
    expect(offsetOf(location)).toBe(64 * 1024 * 1024 - 8);
  });

  test("refuses an offset that would be nowhere, or not a record's", () => {
    expect(() => locationOf(chunkId(1), 0)).toThrow();
    expect(() => locationOf(chunkId(1), 12)).toThrow();
    expect(() => locationOf(chunkId(1), 2 ** 27)).toThrow();
  });
});

describe("a page map", () => {
  test("names pages of every row, and none above its end", () => {
    const { map } = mapOf({ 0: 7, 1: 9 }, 600);
    expect([1, 512, 513, 600, 601].map((page) => map.location(page))).toEqual([
      7,
      7,
      9,
      9,
      NOWHERE,
    ]);
  });

  test("never changes: the map after it has the new rows, and shares the others", () => {
    const { map, stored } = mapOf({ 0: 7, 1: 9 }, 1024);
    const counted = tally();
    const edit = new MapEdit(map, counted);
    edit.set(513, 70);
    edit.set(1024, 71);
    const rows = edit.rows();
    expect(rows.map(({ stream, rowIndex }) => [stream, rowIndex])).toEqual([[STREAM, 1]]);
    const after = edit.finish({ checkpointLsn: lsn(20), pageCount: 1024, pageBytes: 512 });
    for (const { rowIndex, locations } of rows) stored.set(rowIndex, locations);
    expect([513, 514, 1024].map((page) => map.location(page))).toEqual([9, 9, 9]);
    expect([513, 514, 1024].map((page) => after.location(page))).toEqual([70, 9, 71]);
    expect(after.row(0)).toBe(map.row(0));
    expect(counted.seen).toEqual(["-9", "+70", "-9", "+71"]);
  });

  test("of a database that shrank names nothing above the new end, though it grows again", () => {
    const { map } = mapOf({ 0: 7, 1: 9, 2: 11 }, 1300);
    const counted = tally();
    const edit = new MapEdit(map, counted);
    for (const row of edit.rowsAbove(600)) edit.clearRow(row, 600);
    edit.set(1290, 50);
    const after = edit.finish({ checkpointLsn: lsn(20), pageCount: 1300, pageBytes: 512 });
    expect([600, 601, 1024, 1289, 1290].map((page) => after.location(page))).toEqual([
      9,
      NOWHERE,
      NOWHERE,
      NOWHERE,
      50,
    ]);
    expect(counted.seen).toHaveLength(424 + 512 + 1);
  });

  test("that would name a page above its own end is our own mistake, and stops there", () => {
    const { map } = mapOf({ 0: 7 }, 100);
    const edit = new MapEdit(map, tally());
    edit.set(600, 5);
    expect(() => edit.finish({ checkpointLsn: lsn(20), pageCount: 100, pageBytes: 512 })).toThrow();
  });
});

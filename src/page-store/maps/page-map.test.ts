import { describe, expect, test } from "vitest";
import { chunkId, lsn, streamId } from "../../base/units.ts";
import { MAP_ROW_PAGES } from "../../manifest/index.ts";
import { chunkOf, locationOf, NOWHERE, offsetOf } from "./location.ts";
import { type LocationTally, MapEdit } from "./map-edit.ts";
import { EMPTY_ROW, PageMap, THROUGH, THROUGH_ROW } from "./page-map.ts";
import { RowShelf } from "./row-shelf.ts";

const STREAM = streamId(4);

/** A map of rows that are all of one location each, which tests may change behind its back. */
function mapOf(rows: Readonly<Record<number, number>>, pageCount: number) {
  const stored = new Map<number, Float64Array>(
    Object.entries(rows).map(([row, fill]) => [
      Number(row),
      new Float64Array(MAP_ROW_PAGES).fill(fill),
    ]),
  );
  const load = (rowIndex: number) => stored.get(rowIndex)?.slice() ?? EMPTY_ROW;
  const shelf = new RowShelf(64 * 1024);
  const moment = { checkpointLsn: lsn(10), station: lsn(10), pageCount, pageBytes: 512 };
  const map = PageMap.stored({ stream: STREAM, family: STREAM, shelf, load }, moment);
  return { stored, shelf, map };
}

function editOf(map: PageMap, counted: LocationTally): MapEdit {
  return new MapEdit(map, { tally: counted, isOwn: () => true, whole: (_, row) => row });
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
    const { map } = mapOf({ 0: 7, 1: 9 }, 1024);
    map.location(1);
    const counted = tally();
    const edit = editOf(map, counted);
    edit.set(513, 70);
    edit.set(1024, 71);
    expect([...edit.changed.keys()]).toEqual([1]);
    const after = edit.finish({
      checkpointLsn: lsn(20),
      station: lsn(20),
      pageCount: 1024,
      pageBytes: 512,
    });
    expect([513, 514, 1024].map((page) => map.location(page))).toEqual([9, 9, 9]);
    expect([513, 514, 1024].map((page) => after.location(page))).toEqual([70, 9, 71]);
    expect(after.row(0)).toBe(map.row(0));
    expect(counted.seen).toEqual(["-9", "+70", "-9", "+71"]);
  });

  test("of a database that shrank names nothing above the new end, though it grows again", () => {
    const { map } = mapOf({ 0: 7, 1: 9, 2: 11 }, 1300);
    const counted = tally();
    const edit = editOf(map, counted);
    for (const row of edit.rowsAbove(600)) edit.clearRow(row, 600);
    edit.set(1290, 50);
    const after = edit.finish({
      checkpointLsn: lsn(20),
      station: lsn(20),
      pageCount: 1300,
      pageBytes: 512,
    });
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
    const edit = editOf(map, tally());
    edit.set(600, 5);
    expect(() =>
      edit.finish({ checkpointLsn: lsn(20), station: lsn(20), pageCount: 100, pageBytes: 512 }),
    ).toThrow();
  });
});

describe("a row that a fork never wrote", () => {
  test("is asked for at the origin, until one page of it is changed: then all of it is its own", () => {
    const shelf = new RowShelf(64 * 1024);
    const source = { stream: STREAM, family: streamId(1), shelf, load: () => THROUGH_ROW };
    const moment = { checkpointLsn: lsn(10), station: lsn(10), pageCount: 600, pageBytes: 512 };
    const map = PageMap.stored(source, moment);
    expect([1, 600, 601].map((page) => map.location(page))).toEqual([THROUGH, THROUGH, NOWHERE]);
    const counted = tally();
    const origin = new Float64Array(MAP_ROW_PAGES).fill(7);
    const edit = new MapEdit(map, { tally: counted, isOwn: () => false, whole: () => origin });
    edit.set(2, 9);
    const after = edit.finish({ ...moment, checkpointLsn: lsn(20), station: lsn(20) });
    expect([1, 2, 3, 600].map((page) => after.location(page))).toEqual([7, 9, 7, THROUGH]);
    expect(counted.seen.filter((each) => each === "+7")).toHaveLength(MAP_ROW_PAGES);
    expect(counted.seen.slice(-2)).toEqual(["-7", "+9"]);
    expect(origin[1]).toBe(7);
  });
});

describe("rows in memory", () => {
  test("beyond the budget push out those that were loaded first, which are loaded again", () => {
    const rows = Object.fromEntries(Array.from({ length: 40 }, (_, row) => [row, row + 1]));
    const { map, shelf, stored } = mapOf(rows, 40 * MAP_ROW_PAGES);
    for (let row = 0; row < 40; row += 1) {
      expect(map.location(row * MAP_ROW_PAGES + 1)).toBe(row + 1);
      expect(shelf.bytes).toBeLessThanOrEqual(64 * 1024);
    }
    stored.get(0)?.fill(50);
    stored.get(39)?.fill(51);
    expect([map.location(1), map.location(40 * MAP_ROW_PAGES)]).toEqual([50, 40]);
  });

  test("that a checkpoint is about to remove stay, whatever is loaded meanwhile", () => {
    const rows = Object.fromEntries(Array.from({ length: 40 }, (_, row) => [row, row + 1]));
    const { map, shelf, stored } = mapOf(rows, 40 * MAP_ROW_PAGES);
    map.keep(0, map.row(0));
    stored.delete(0);
    for (let row = 1; row < 40; row += 1) map.location(row * MAP_ROW_PAGES + 1);
    shelf.letGoFamilies(new Set([STREAM]));
    expect(map.location(1)).toBe(1);
    shelf.endPublishing(true);
    expect(map.location(1)).toBe(NOWHERE);
  });
});

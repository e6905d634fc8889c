/**
 * THE PARTS OF A CHECKPOINT: one database each, with the maps that are to be made of it.
 *
 *     map of before ──► layer at a pin ──► layer at a pin ──► newest, at the checkpoint's LSN
 *
 * (1) A layer is made for every pin above the map that sees a commit that the layer before it does
 *     not. A database that was dropped gets no map beyond its last pin. Where history is kept, one is
 *     made for every commit that spilled, too.
 * (2) What a part is about is fixed when the checkpoint begins: by its LSN, and by the newest commit
 *     that each database had then. The rest can be looked up in slices, for nothing of it changes at
 *     or below that LSN. A pin that comes meanwhile may get a layer of its own, which hurts nobody.
 * (3) Parts are in an order in which a fork comes behind what it reads through: a row that it copies
 *     is looked up in the maps that were just made.
 */
import { present } from "../../base/assert.ts";
import type { Lsn, StreamId } from "../../base/units.ts";
import { MAP_ROW_PAGES } from "../../manifest/index.ts";
import type { DatabasePages } from "../database-pages.ts";
import type { MapEdit } from "../maps/map-edit.ts";
import { EMPTY_ROW, type PageMap, THROUGH_ROW } from "../maps/page-map.ts";
import type { Origin } from "../versions/fork-base.ts";
import type { Moment, NextMaps } from "../versions/moments.ts";
import type { Pins } from "../versions/pins.ts";

/** A map to be made. */
export interface Layer {
  /** Every commit at or below it is in the map. */
  readonly lsn: Lsn;
  readonly commitLsn: Lsn;
  readonly pageCount: number;
  readonly pageBytes: number;
}

export interface Part {
  readonly stream: StreamId;
  readonly database: DatabasePages;
  /** The map that it had. */
  readonly before: PageMap;
  readonly isDropped: boolean;
  readonly layers: readonly Layer[];
  /** What was made: as many as there are layers, in the end. */
  readonly edits: MapEdit[];
  readonly maps: PageMap[];
  /** All rows of its origin are its own now. */
  isFlattened: boolean;
}

export interface PartMoment {
  /** Of the checkpoint. */
  readonly lsn: Lsn;
  readonly pins: Pins;
}

/** A database as it was when the checkpoint began. */
export interface Head {
  readonly database: DatabasePages;
  /** Its newest commit then. */
  readonly newest: Moment;
}

/** What is to be made of a database that had commits above its map, or once had. See (2). */
export function planPart({ database, newest }: Head, { lsn, pins }: PartMoment): Part {
  const { stream, map: before } = database;
  const isDropped = pins.isDropped(stream, lsn);
  const layers: Layer[] = [];
  let { station } = before;
  const pinned = new Set(database.kept.length === 0 ? [] : pins.of(stream, lsn));
  for (const moment of database.kept) {
    const { commitLsn, pageCount, pageBytes } = moment;
    const isWanted = pinned.has(moment.lsn) || (!isDropped && database.spilled.has(moment.lsn));
    if (moment.lsn > lsn || !isWanted || commitLsn <= station) continue;
    layers.push({ lsn: moment.lsn, commitLsn, pageCount, pageBytes });
    station = commitLsn;
  }
  if (!isDropped && newest.lsn > station) {
    const { pageCount, pageBytes } = newest;
    layers.push({ lsn, commitLsn: newest.lsn, pageCount, pageBytes });
  }
  const made = { edits: [], maps: [], isFlattened: false };
  return { stream, database, before, isDropped, layers, ...made };
}

/** The newest map of a part, or what it had. */
export function newestMap({ maps, before }: Part): PageMap {
  return maps.at(-1) ?? before;
}

/** Where readers of the database go on to. */
export function nextMaps(part: Part | undefined): NextMaps {
  if (part === undefined) return {};
  const layers = part.layers.map(({ commitLsn }) => commitLsn);
  const newest = part.isDropped ? undefined : layers.at(-1);
  return newest === undefined ? { layers } : { layers, newest };
}

/** A row of what a fork reads through, whole: looked up in the maps that were just made. */
export function rowOfBase(
  database: Pick<Origin, "base">,
  rowIndex: number,
  parts: ReadonlyMap<StreamId, Part>,
): Float64Array {
  const { base } = database;
  if (base === undefined || rowIndex * MAP_ROW_PAGES >= base.moment.pageCount) return EMPTY_ROW;
  const { moment } = base;
  const made = parts.get(base.database.stream)?.maps ?? [];
  const map = moment.isExact
    ? moment.map
    : made.findLast(({ station }) => station <= moment.commitLsn);
  const row = present(map, "an origin is written before its forks").row(rowIndex);
  return row === THROUGH_ROW ? rowOfBase(base.database, rowIndex, parts) : row;
}

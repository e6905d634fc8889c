/**
 * A PAGE MAP IN THE MAKING: the rows that differ from the map that it comes after. Nothing sees it
 * until `finish`.
 *
 * (1) A row that is changed is whole: what a fork did not change of a row of its origin is copied.
 * (2) The tally is told of every location that the newest maps win and lose.
 */
import { assert } from "../../base/assert.ts";
import { MAP_ROW_PAGES } from "../../manifest/index.ts";
import { NOWHERE } from "./location.ts";
import { type MapMoment, type PageMap, rowCount } from "./page-map.ts";

/** Told of every location that a new map no longer names, or names anew. */
export interface LocationTally {
  gained(location: number): void;
  lost(location: number): void;
}

export interface MapGround {
  readonly tally: LocationTally;
  /** Whether a row is the database's own. Others become so when they are changed. */
  readonly isOwn: (rowIndex: number) => boolean;
  /** A row with nothing in it that is to be asked for elsewhere. */
  readonly whole: (rowIndex: number, row: Float64Array) => Float64Array;
}

export class MapEdit {
  readonly #base: PageMap;
  readonly #ground: MapGround;
  readonly #changed = new Map<number, Float64Array>();
  /** As they were. */
  readonly #before = new Map<number, Float64Array>();

  constructor(base: PageMap, ground: MapGround) {
    this.#base = base;
    this.#ground = ground;
  }

  /** Rows that were changed. */
  get changed(): ReadonlyMap<number, Float64Array> {
    return this.#changed;
  }

  /** The same rows before the change. */
  get before(): ReadonlyMap<number, Float64Array> {
    return this.#before;
  }

  set(pageNumber: number, location: number): void {
    const index = pageNumber - 1;
    const row = this.#writable(Math.floor(index / MAP_ROW_PAGES));
    const before = row[index % MAP_ROW_PAGES] ?? NOWHERE;
    if (before !== NOWHERE) this.#ground.tally.lost(before);
    if (location !== NOWHERE) this.#ground.tally.gained(location);
    row[index % MAP_ROW_PAGES] = location;
  }

  /** Rows that hold pages above `pageCount`: a database of a gigabyte has five hundred. */
  *rowsAbove(pageCount: number): Generator<number> {
    const first = Math.floor(pageCount / MAP_ROW_PAGES);
    for (let rowIndex = first; rowIndex < this.#base.rowCount; rowIndex += 1) yield rowIndex;
  }

  /** Pages of a row are nowhere from now on if they lie above `pageCount`. */
  clearRow(rowIndex: number, pageCount: number): void {
    const first = rowIndex * MAP_ROW_PAGES + 1;
    const row = this.#changed.get(rowIndex) ?? this.#base.row(rowIndex);
    for (let index = Math.max(0, pageCount + 1 - first); index < row.length; index += 1) {
      if (row[index] !== NOWHERE) this.set(first + index, NOWHERE);
    }
  }

  finish(moment: MapMoment): PageMap {
    for (const [rowIndex, row] of this.#changed) {
      const above = rowIndex >= rowCount(moment.pageCount);
      assert(!above || isEmptyRow(row), "a page above the end has a location");
    }
    return this.#base.next(moment, this.#changed);
  }

  #writable(rowIndex: number): Float64Array {
    let row = this.#changed.get(rowIndex);
    if (row === undefined) {
      const { isOwn, whole, tally } = this.#ground;
      const before = this.#base.row(rowIndex);
      row = whole(rowIndex, before).slice();
      this.#before.set(rowIndex, before);
      this.#changed.set(rowIndex, row);
      if (!isOwn(rowIndex)) {
        for (const location of row) if (location !== NOWHERE) tally.gained(location);
      }
    }
    return row;
  }
}

export function isEmptyRow(locations: Float64Array): boolean {
  return locations.every((location) => location === NOWHERE);
}

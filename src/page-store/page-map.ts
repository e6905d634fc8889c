/**
 * PAGE MAP: page number → location, as of one checkpoint. A map never changes: a checkpoint makes a
 * new one, which shares every row that it did not touch.
 *
 * (1) Rows are loaded when they are first needed, and a row that maps share is loaded for all of
 *     them. What is loaded from the manifest is right for a map as long as the manifest's row is:
 *     so whoever changes a row of the manifest loads it into the old map first (`MapEdit` does).
 *     Outside of a checkpoint they can be let go and loaded again (`letGo`).
 * (2) A page above the map's page count, or in a row that is not there, is nowhere.
 */
import { assert } from "../base/assert.ts";
import type { Lsn, StreamId } from "../base/units.ts";
import { MAP_ROW_PAGES, type MapRowChange } from "../manifest/index.ts";
import { NOWHERE } from "./location.ts";

/** One row, shared by the maps that agree on it. */
interface RowCell {
  locations: Float64Array | undefined;
}

export type LoadRow = (stream: StreamId, rowIndex: number) => Float64Array | undefined;

export interface MapMoment {
  /** Every commit at or below it is in the map; none above. */
  readonly checkpointLsn: Lsn;
  readonly pageCount: number;
  readonly pageBytes: number;
}

const EMPTY_ROW = new Float64Array(MAP_ROW_PAGES);

export class PageMap implements MapMoment {
  readonly stream: StreamId;
  readonly checkpointLsn: Lsn;
  readonly pageCount: number;
  readonly pageBytes: number;
  readonly #load: LoadRow;
  readonly #cells: readonly RowCell[];

  private constructor(
    of: { readonly stream: StreamId; readonly load: LoadRow },
    moment: MapMoment,
    cells: readonly RowCell[],
  ) {
    this.stream = of.stream;
    this.#load = of.load;
    this.checkpointLsn = moment.checkpointLsn;
    this.pageCount = moment.pageCount;
    this.pageBytes = moment.pageBytes;
    this.#cells = cells;
  }

  /** The map as the manifest has it. */
  static stored(stream: StreamId, load: LoadRow, moment: MapMoment): PageMap {
    const cells = Array.from({ length: rowCount(moment.pageCount) }, () => ({
      locations: undefined,
    }));
    return new PageMap({ stream, load }, moment, cells);
  }

  get rowCount(): number {
    return this.#cells.length;
  }

  location(pageNumber: number): number {
    if (pageNumber > this.pageCount) return NOWHERE;
    const index = pageNumber - 1;
    return this.row(Math.floor(index / MAP_ROW_PAGES))[index % MAP_ROW_PAGES] ?? NOWHERE;
  }

  /** Locations of a row; not to be changed. */
  row(rowIndex: number): Float64Array {
    const cell = this.#cells[rowIndex];
    if (cell === undefined) return EMPTY_ROW;
    cell.locations ??= this.#load(this.stream, rowIndex) ?? EMPTY_ROW;
    return cell.locations;
  }

  /** See (1). */
  letGo(): void {
    for (const cell of this.#cells) cell.locations = undefined;
  }

  /** The map after it: the rows given, and this one's where none is. */
  next(moment: MapMoment, changed: ReadonlyMap<number, Float64Array>): PageMap {
    const cells = Array.from({ length: rowCount(moment.pageCount) }, (_, rowIndex) => {
      const locations = changed.get(rowIndex);
      if (locations !== undefined) return { locations };
      return this.#cells[rowIndex] ?? { locations: EMPTY_ROW };
    });
    return new PageMap({ stream: this.stream, load: this.#load }, moment, cells);
  }
}

/** Told of every location that a new map no longer names, or names anew. */
export interface LocationTally {
  gained(location: number): void;
  lost(location: number): void;
}

/** A new map in the making. Nothing sees it until `finish`. */
export class MapEdit {
  readonly #base: PageMap;
  readonly #tally: LocationTally;
  readonly #changed = new Map<number, Float64Array>();

  constructor(base: PageMap, tally: LocationTally) {
    this.#base = base;
    this.#tally = tally;
  }

  location(pageNumber: number): number {
    const index = pageNumber - 1;
    const row = this.#changed.get(Math.floor(index / MAP_ROW_PAGES));
    return row === undefined
      ? this.#base.location(pageNumber)
      : (row[index % MAP_ROW_PAGES] ?? NOWHERE);
  }

  set(pageNumber: number, location: number): void {
    const index = pageNumber - 1;
    const row = this.#writable(Math.floor(index / MAP_ROW_PAGES));
    const before = row[index % MAP_ROW_PAGES] ?? NOWHERE;
    if (before !== NOWHERE) this.#tally.lost(before);
    if (location !== NOWHERE) this.#tally.gained(location);
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

  /** The rows as the manifest is to have them. */
  rows(): MapRowChange[] {
    const { stream } = this.#base;
    return [...this.#changed].map(([rowIndex, locations]) => ({ stream, rowIndex, locations }));
  }

  finish(moment: MapMoment): PageMap {
    for (const rowIndex of this.#changed.keys()) {
      const above = rowIndex >= rowCount(moment.pageCount);
      const empty = this.#changed.get(rowIndex)?.every((location) => location === NOWHERE) ?? true;
      assert(!above || empty, "a page above the end has a location");
    }
    return this.#base.next(moment, this.#changed);
  }

  #writable(rowIndex: number): Float64Array {
    let row = this.#changed.get(rowIndex);
    if (row === undefined) {
      row = this.#base.row(rowIndex).slice();
      this.#changed.set(rowIndex, row);
    }
    return row;
  }
}

function rowCount(pageCount: number): number {
  return Math.ceil(pageCount / MAP_ROW_PAGES);
}

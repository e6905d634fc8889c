/**
 * PAGE MAP: page number → location, in one state of a database. A map never changes, and neither does
 * what its rows name: a checkpoint makes a new one, which shares every row that it did not touch.
 *
 * (1) Rows are loaded when they are first needed, and may be let go at any time (see row-shelf.ts):
 *     the newest version of a row at or below the map's `station` is the one that counts.
 * (2) A page above the map's page count, or in a row that is not there, is nowhere. A row that a fork
 *     never wrote is its origin's: where that is not known as a row yet, its pages are THROUGH.
 */
import type { Lsn, StreamId } from "../../base/units.ts";
import { MAP_ROW_PAGES } from "../../manifest/index.ts";
import { NOWHERE } from "./location.ts";
import { RowCell, type RowShelf } from "./row-shelf.ts";

/** Location of a page that has to be asked for at the origin. Below NOWHERE: one look tells both. */
export const THROUGH = -1;

/** Rows of nothing else. Not to be changed. */
export const EMPTY_ROW = new Float64Array(MAP_ROW_PAGES);
export const THROUGH_ROW = new Float64Array(MAP_ROW_PAGES).fill(THROUGH);

/** Whose rows they are, and where they come from. */
export interface RowSource {
  readonly stream: StreamId;
  readonly family: StreamId;
  readonly shelf: RowShelf;
  /** The newest version at or below an LSN; EMPTY_ROW or THROUGH_ROW if there is none. */
  readonly load: (rowIndex: number, atMost: Lsn) => Float64Array;
}

export interface MapMoment {
  /** Every commit at or below it is in the map; none above. */
  readonly checkpointLsn: Lsn;
  /** LSN of the newest commit in it: under which its rows are found. */
  readonly station: Lsn;
  readonly pageCount: number;
  readonly pageBytes: number;
}

export class PageMap implements MapMoment {
  readonly checkpointLsn: Lsn;
  readonly station: Lsn;
  readonly pageCount: number;
  readonly pageBytes: number;
  readonly #source: RowSource;
  readonly #cells: (RowCell | undefined)[];

  private constructor(source: RowSource, moment: MapMoment, cells: (RowCell | undefined)[]) {
    this.#source = source;
    this.checkpointLsn = moment.checkpointLsn;
    this.station = moment.station;
    this.pageCount = moment.pageCount;
    this.pageBytes = moment.pageBytes;
    this.#cells = cells;
  }

  /** The map as the manifest has it. */
  static stored(source: RowSource, moment: MapMoment): PageMap {
    return new PageMap(source, moment, new Array(rowCount(moment.pageCount)));
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
    return this.#cells[rowIndex]?.locations ?? this.#load(rowIndex);
  }

  /** Nobody looks for now. */
  letGo(): void {
    for (const cell of this.#cells) if (cell !== undefined) this.#source.shelf.letGo(cell);
  }

  /** The row cannot be loaded any more, but is to be had until the shelf lets go of it. */
  keep(rowIndex: number, locations: Float64Array): void {
    if (rowIndex < this.#cells.length) this.#source.shelf.keepOld(this.#cell(rowIndex), locations);
  }

  /** The map after it: the rows given, and this one's where none is. */
  next(moment: MapMoment, changed: ReadonlyMap<number, Float64Array>): PageMap {
    const cells = this.#cells.slice(0, rowCount(moment.pageCount));
    cells.length = rowCount(moment.pageCount);
    for (const [rowIndex, locations] of changed) {
      if (rowIndex >= cells.length) continue;
      const cell = new RowCell(this.#source.family);
      cells[rowIndex] = cell;
      this.#source.shelf.keepNew(cell, locations);
    }
    // A page above the end was nowhere, whatever an older row says that the manifest still has.
    for (let rowIndex = this.#cells.length; rowIndex < cells.length; rowIndex += 1) {
      if (cells[rowIndex] !== undefined) continue;
      const cell = new RowCell(this.#source.family);
      cells[rowIndex] = cell;
      this.#source.shelf.keepNew(cell, EMPTY_ROW);
    }
    return new PageMap(this.#source, moment, cells);
  }

  #load(rowIndex: number): Float64Array {
    if (rowIndex >= this.#cells.length) return EMPTY_ROW;
    const locations = this.#source.load(rowIndex, this.station);
    this.#source.shelf.load(this.#cell(rowIndex), locations);
    return locations;
  }

  #cell(rowIndex: number): RowCell {
    let cell = this.#cells[rowIndex];
    if (cell === undefined) {
      cell = new RowCell(this.#source.family);
      this.#cells[rowIndex] = cell;
    }
    return cell;
  }
}

export function rowCount(pageCount: number): number {
  return Math.ceil(pageCount / MAP_ROW_PAGES);
}

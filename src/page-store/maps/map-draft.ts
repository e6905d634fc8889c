/**
 * ROWS OF PAGE MAPS AS A COMMIT OF THE MANIFEST IN THE MAKING WILL LEAVE THEM: what is stored, and
 * over it the versions of rows that the commit puts, removes, or changes where they are.
 *
 * (1) The count of references to each chunk follows every version of every row, exactly.
 * (2) A stored row is changed where it is only to name the same page in another chunk.
 */
import { assert } from "../../base/assert.ts";
import { type Lsn, lsn, type StreamId } from "../../base/units.ts";
import type { MapRow, MapRowChange, MapRowKey } from "../../manifest/index.ts";
import type { Slices } from "../checkpoint/slices.ts";
import type { LoadRow } from "../commons.ts";
import { NOWHERE } from "./location.ts";
import { isEmptyRow } from "./map-edit.ts";

/** Told of every reference that is won or lost. */
export interface ReferenceTally {
  refer(locations: Float64Array, by: 1 | -1): void;
  move(from: number, to: number): void;
}

export interface StoredRows {
  readonly loadRow: LoadRow;
  /** Oldest first. */
  readonly versions: (stream: StreamId, rowIndex: number) => readonly MapRowChange[];
}

interface Cell extends MapRowKey {
  readonly isStored: boolean;
  /** Undefined: removed. */
  locations: Float64Array | undefined;
}

type CellsOfRow = Map<Lsn, Cell>;

export class MapDraft {
  readonly #stored: StoredRows;
  readonly #tally: ReferenceTally;
  readonly #cells = new Map<StreamId, Map<number, CellsOfRow>>();
  /** Streams of which rows were changed where they are. */
  readonly movedStreams = new Set<StreamId>();
  /** Stored rows that were. */
  movedRows = 0;

  constructor(stored: StoredRows, tally: ReferenceTally) {
    this.#stored = stored;
    this.#tally = tally;
  }

  /** Adds a version. Its locations belong to the draft, which may move them. */
  put(row: MapRowChange): void {
    const { stream, rowIndex, fromLsn, locations } = row;
    const cells = this.#cellsOf(stream, rowIndex);
    const before = cells.get(fromLsn);
    assert(before === undefined, () => `row ${rowIndex} of stream ${stream} is written twice`);
    cells.set(fromLsn, { stream, rowIndex, fromLsn, isStored: false, locations });
    this.#tally.refer(locations, 1);
  }

  /** The newest version at or below an LSN. */
  find(stream: StreamId, rowIndex: number, atMost: Lsn): MapRow | undefined {
    const cells = this.#cells.get(stream)?.get(rowIndex);
    let found: MapRow | undefined;
    for (const { fromLsn, locations } of cells?.values() ?? []) {
      if (locations === undefined || fromLsn > atMost || fromLsn < (found?.fromLsn ?? 0)) continue;
      found = { fromLsn, locations };
    }
    let stored = this.#stored.loadRow(stream, rowIndex, atMost);
    while (stored !== undefined) {
      const cell = cells?.get(stored.fromLsn);
      if (cell === undefined) break;
      if (cell.locations !== undefined || stored.fromLsn === 0) return found;
      stored = this.#stored.loadRow(stream, rowIndex, lsn(stored.fromLsn - 1));
    }
    if (stored === undefined || (found !== undefined && found.fromLsn > stored.fromLsn)) {
      return found;
    }
    return stored;
  }

  remove({ stream, rowIndex, fromLsn }: MapRowKey, locations: Float64Array): void {
    const cells = this.#cellsOf(stream, rowIndex);
    const cell = cells.get(fromLsn);
    this.#tally.refer(cell?.locations ?? locations, -1);
    if (cell?.isStored === false) cells.delete(fromLsn);
    else cells.set(fromLsn, { stream, rowIndex, fromLsn, isStored: true, locations: undefined });
  }

  /** All versions of a row, oldest first. */
  versions(stream: StreamId, rowIndex: number): MapRow[] {
    const cells = this.#cells.get(stream)?.get(rowIndex);
    const stored = this.#stored.versions(stream, rowIndex);
    const untouched = stored.filter(({ fromLsn }) => cells?.has(fromLsn) !== true);
    const touched = [...(cells?.values() ?? [])].flatMap(({ fromLsn, locations }) =>
      locations === undefined ? [] : [{ fromLsn, locations }],
    );
    return [...untouched, ...touched].sort((a, b) => a.fromLsn - b.fromLsn);
  }

  /** A page of a version lies elsewhere from now on. */
  move(row: MapRowKey & MapRow, index: number, to: number): void {
    const { stream, rowIndex, fromLsn } = row;
    const cells = this.#cellsOf(stream, rowIndex);
    let cell = cells.get(fromLsn);
    if (cell === undefined) {
      cell = { stream, rowIndex, fromLsn, isStored: true, locations: row.locations.slice() };
      cells.set(fromLsn, cell);
      this.movedStreams.add(stream);
      this.movedRows += 1;
    }
    const { locations } = cell;
    assert(locations !== undefined, "a row that is removed moves nowhere");
    this.#tally.move(locations[index] ?? NOWHERE, to);
    locations[index] = to;
  }

  /** Forgets a version that was put and says nothing: there is nothing that it would hide. */
  omitIfEmpty({ stream, rowIndex, fromLsn }: MapRowKey): void {
    const cells = this.#cells.get(stream)?.get(rowIndex);
    const cell = cells?.get(fromLsn);
    if (cell?.isStored === false && cell.locations !== undefined && isEmptyRow(cell.locations)) {
      cells?.delete(fromLsn);
    }
  }

  get isEmpty(): boolean {
    return this.#cells.size === 0;
  }

  async changes(slices: Slices): Promise<{
    readonly put: MapRowChange[];
    readonly remove: MapRowKey[];
  }> {
    const put: MapRowChange[] = [];
    const remove: MapRowKey[] = [];
    for (const rows of this.#cells.values()) {
      await slices.aside();
      for (const cells of rows.values()) {
        for (const { stream, rowIndex, fromLsn, locations } of cells.values()) {
          if (locations === undefined) remove.push({ stream, rowIndex, fromLsn });
          else put.push({ stream, rowIndex, fromLsn, locations });
        }
      }
    }
    return { put, remove };
  }

  #cellsOf(stream: StreamId, rowIndex: number): CellsOfRow {
    let rows = this.#cells.get(stream);
    if (rows === undefined) {
      rows = new Map();
      this.#cells.set(stream, rows);
    }
    let cells = rows.get(rowIndex);
    if (cells === undefined) {
      cells = new Map();
      rows.set(rowIndex, cells);
    }
    return cells;
  }
}

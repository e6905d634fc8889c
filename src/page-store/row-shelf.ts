/**
 * ROWS OF PAGE MAPS IN MEMORY, of all databases together, within a budget.
 *
 *   unloaded ──look-up──► loaded ──the budget is full, a checkpoint changed its family──► unloaded
 *                           └──a checkpoint is being published──► kept ──its end──► unloaded
 *
 * (1) What is here can be loaded again at any time, with one exception: while a checkpoint is being
 *     published, the manifest may have let go of rows that the maps of before still read. Those are
 *     kept until the new maps are in place.
 * (2) The oldest goes first, looked up since or not: so a look-up pays nothing for the budget.
 */
import type { StreamId } from "../base/units.ts";
import { MAP_ROW_PAGES } from "../manifest/index.ts";

/** One row, shared by the maps that agree on it. */
export interface RowCell {
  readonly family: StreamId;
  locations: Float64Array | undefined;
}

const ROW_BYTES = MAP_ROW_PAGES * Float64Array.BYTES_PER_ELEMENT;

export class RowShelf {
  readonly #rowsMax: number;
  /** In the order in which they were loaded. */
  readonly #loaded = new Set<RowCell>();
  /** Of maps of before, and of maps to come. See (1). */
  readonly #keptOld = new Set<RowCell>();
  readonly #keptNew = new Set<RowCell>();

  constructor(budgetBytes: number) {
    this.#rowsMax = Math.max(1, Math.floor(budgetBytes / ROW_BYTES));
  }

  /** Of rows that are loaded, whoever shares them. */
  get bytes(): number {
    return (this.#loaded.size + this.#keptOld.size + this.#keptNew.size) * ROW_BYTES;
  }

  /** A cell that was not loaded is so now. */
  load(cell: RowCell, locations: Float64Array): void {
    cell.locations = locations;
    this.#loaded.add(cell);
    if (this.#loaded.size <= this.#rowsMax) return;
    for (const oldest of this.#loaded) {
      this.letGo(oldest);
      return;
    }
  }

  letGo(cell: RowCell): void {
    if (this.#loaded.delete(cell)) cell.locations = undefined;
  }

  /** See (1). */
  keepOld(cell: RowCell, locations: Float64Array): void {
    cell.locations = locations;
    this.#loaded.delete(cell);
    this.#keptOld.add(cell);
  }

  /** A row that the manifest does not have yet. */
  keepNew(cell: RowCell, locations: Float64Array): void {
    cell.locations = locations;
    this.#keptNew.add(cell);
  }

  /** The publishing is over: the manifest has the new rows, or never will. */
  endPublishing(isPublished: boolean): void {
    for (const cell of this.#keptOld) cell.locations = undefined;
    this.#keptOld.clear();
    const made = [...this.#keptNew];
    this.#keptNew.clear();
    for (const cell of made) {
      const { locations } = cell;
      cell.locations = undefined;
      if (isPublished && locations !== undefined) this.load(cell, locations);
    }
  }

  /** Rows of these families were changed where they are: they are to be loaded again. */
  letGoFamilies(families: ReadonlySet<StreamId>): void {
    if (families.size === 0) return;
    for (const cell of this.#loaded) if (families.has(cell.family)) this.letGo(cell);
  }
}

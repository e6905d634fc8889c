/**
 * ROWS OF PAGE MAPS IN MEMORY, of all databases together, within a budget.
 *
 *   unloaded ──look-up──► loaded ──the budget is full, a checkpoint changed its family──► unloaded
 *                           └──a checkpoint is being published──► kept ──its end──► unloaded
 *
 * (1) What is here can be loaded again at any time, with one exception: while a checkpoint is being
 *     published, the manifest may have let go of rows that the maps of before still read. Those are
 *     kept until the new maps are in place.
 * (2) The oldest goes first, looked up since or not: so a look-up pays nothing for the budget. They are
 *     in a list of their own making: a Set steps over all that it has lost to find its first.
 */
import { assert } from "../../base/assert.ts";
import type { StreamId } from "../../base/units.ts";
import { MAP_ROW_PAGES } from "../../manifest/index.ts";

/** One row, shared by the maps that agree on it. */
export class RowCell {
  readonly family: StreamId;
  locations: Float64Array | undefined;
  /** Neighbours in the list of those that are loaded; itself at its ends, undefined outside of it. */
  older: RowCell | undefined;
  newer: RowCell | undefined;

  constructor(family: StreamId) {
    this.family = family;
  }
}

const ROW_BYTES = MAP_ROW_PAGES * Float64Array.BYTES_PER_ELEMENT;

export class RowShelf {
  readonly #rowsMax: number;
  /** Of those that are loaded. */
  #oldest: RowCell | undefined;
  #newest: RowCell | undefined;
  #count = 0;
  /** Of maps of before, and of maps to come. See (1). */
  readonly #keptOld = new Set<RowCell>();
  readonly #keptNew = new Set<RowCell>();

  constructor(budgetBytes: number) {
    this.#rowsMax = Math.max(1, Math.floor(budgetBytes / ROW_BYTES));
  }

  /** Of rows that are loaded, whoever shares them. */
  get bytes(): number {
    return (this.#count + this.#keptOld.size + this.#keptNew.size) * ROW_BYTES;
  }

  /** A cell that was not loaded is so now. */
  load(cell: RowCell, locations: Float64Array): void {
    assert(cell.newer === undefined, "a row is loaded once");
    cell.locations = locations;
    cell.older = this.#newest ?? cell;
    cell.newer = cell;
    if (this.#newest === undefined) this.#oldest = cell;
    else this.#newest.newer = cell;
    this.#newest = cell;
    this.#count += 1;
    if (this.#count > this.#rowsMax && this.#oldest !== undefined) this.letGo(this.#oldest);
  }

  letGo(cell: RowCell): void {
    if (this.#takeOut(cell)) cell.locations = undefined;
  }

  /** See (1). */
  keepOld(cell: RowCell, locations: Float64Array): void {
    this.#takeOut(cell);
    cell.locations = locations;
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
    let cell = this.#oldest;
    while (cell !== undefined) {
      const next: RowCell | undefined = cell.newer === cell ? undefined : cell.newer;
      if (families.has(cell.family)) this.letGo(cell);
      cell = next;
    }
  }

  /** False if it is not loaded. */
  #takeOut(cell: RowCell): boolean {
    const { older, newer } = cell;
    if (older === undefined || newer === undefined) return false;
    const [isOldest, isNewest] = [older === cell, newer === cell];
    if (isOldest) this.#oldest = isNewest ? undefined : newer;
    else older.newer = isNewest ? older : newer;
    if (isNewest) this.#newest = isOldest ? undefined : older;
    else newer.older = isOldest ? newer : older;
    cell.older = undefined;
    cell.newer = undefined;
    this.#count -= 1;
    return true;
  }
}

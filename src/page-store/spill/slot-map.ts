/**
 * SLOT MAP: page number → slot, for the pages of one transaction. Four bytes a page, so that a
 * transaction of 64 GiB takes 64 MiB of it.
 *
 *     0   no slot        n   slot n − 1        −n   slot n − 1, the page in it is gone
 *
 * (1) A page keeps its slot until the end: one that is cut off is only gone, and if it is written
 *     again, it is written there.
 */
const ROW_PAGES = 1024;

export class SlotMap {
  readonly #rows: (Int32Array | undefined)[] = [];

  /** The slot of a page that is there. */
  find(pageNumber: number): number | undefined {
    const value = this.#value(pageNumber);
    return value > 0 ? value - 1 : undefined;
  }

  /** The slot of a page that is there or gone. */
  reserved(pageNumber: number): number | undefined {
    const value = this.#value(pageNumber);
    return value === 0 ? undefined : Math.abs(value) - 1;
  }

  set(pageNumber: number, slot: number): void {
    const index = Math.floor(pageNumber / ROW_PAGES);
    let row = this.#rows[index];
    if (row === undefined) {
      row = new Int32Array(ROW_PAGES);
      this.#rows[index] = row;
    }
    row[pageNumber % ROW_PAGES] = slot + 1;
  }

  /** Pages above are gone. */
  cut(pageCount: number): void {
    const first = Math.floor((pageCount + 1) / ROW_PAGES);
    for (let index = first; index < this.#rows.length; index += 1) {
      const row = this.#rows[index];
      if (row === undefined) continue;
      const from = index === first ? (pageCount + 1) % ROW_PAGES : 0;
      for (let at = from; at < ROW_PAGES; at += 1) row[at] = -Math.abs(row[at] ?? 0);
    }
  }

  /** Numbers of the pages that are there, ascending. */
  *pageNumbers(): Generator<number> {
    yield* this.#numbers(1);
  }

  /** Numbers of the pages that are gone, ascending. */
  *gone(): Generator<number> {
    yield* this.#numbers(-1);
  }

  #value(pageNumber: number): number {
    return this.#rows[Math.floor(pageNumber / ROW_PAGES)]?.[pageNumber % ROW_PAGES] ?? 0;
  }

  *#numbers(sign: number): Generator<number> {
    for (const [index, row] of this.#rows.entries()) {
      if (row === undefined) continue;
      for (let at = 0; at < ROW_PAGES; at += 1) {
        if (Math.sign(row[at] ?? 0) === sign) yield index * ROW_PAGES + at;
      }
    }
  }
}

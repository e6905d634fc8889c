/**
 * WHERE A DATABASE BECAME SMALLER, since its page map: what lay above the new end is gone, and stays
 * gone when the database grows again without writing there (such a page reads as zeros).
 *
 * (1) A truncation hides versions before it from snapshots at or after it; a version of the same
 *     commit is not hidden. A new page size is a truncation to nothing: all older images are of
 *     another size.
 * (2) Entries grow in LSN. One that only snapshots between it and a stronger one would notice goes
 *     as soon as there are none.
 */
import type { Lsn } from "../../base/units.ts";
import type { DatabaseSize } from "./moments.ts";

interface Truncation {
  readonly lsn: Lsn;
  readonly pageCount: number;
}

const MANY = 8;

export class Truncations {
  #list: Truncation[] = [];

  /** Whether there are none, which is nearly always. */
  get none(): boolean {
    return this.#list.length === 0;
  }

  add(lsn: Lsn, pageCount: number): void {
    this.#list.push({ lsn, pageCount });
  }

  /** One that was noticed late, and lies before all others. */
  addFirst(lsn: Lsn, pageCount: number): void {
    this.#list.unshift({ lsn, pageCount });
  }

  /** A version of the page, written at `after`, is gone for who looks at `upTo`. */
  hides(pageNumber: number, after: Lsn, upTo: Lsn): boolean {
    for (const { lsn, pageCount } of this.#list) {
      if (lsn > after && lsn <= upTo && pageNumber > pageCount) return true;
    }
    return false;
  }

  /** The smallest size between two moments; undefined if it never became smaller. */
  smallest(after: Lsn, upTo: Lsn): number | undefined {
    let smallest: number | undefined;
    for (const { lsn, pageCount } of this.#list) {
      if (lsn <= after || lsn > upTo) continue;
      smallest = Math.min(smallest ?? pageCount, pageCount);
    }
    return smallest;
  }

  /** Forgets those that every page map, current or pinned, already shows. */
  forget(upTo: Lsn): void {
    this.#list = this.#list.filter(({ lsn }) => lsn > upTo);
  }

  dropAbove(above: Lsn): void {
    this.#list = this.#list.filter(({ lsn }) => lsn <= above);
  }

  /** See (2): nobody looks at a moment below `oldestLsn`. */
  collapse(oldestLsn: () => number): void {
    if (this.#list.length < MANY) return;
    const oldest = oldestLsn();
    this.#list = this.#list.filter(({ pageCount }, index) => {
      const next = this.#list[index + 1];
      return next === undefined || next.pageCount > pageCount || next.lsn > oldest;
    });
  }
}

/** Where a database ends that changes its size so; undefined if it does not become smaller. */
export function truncatedTo(before: DatabaseSize, after: DatabaseSize): number | undefined {
  if (before.pageBytes === 0) return undefined;
  if (before.pageBytes !== after.pageBytes) return 0;
  return after.pageCount < before.pageCount ? after.pageCount : undefined;
}

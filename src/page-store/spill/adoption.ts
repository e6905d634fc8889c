/**
 * ADOPTION: a checkpoint takes the chunks of spilled commits over as they are. Their pages were
 * durable before they were committed, so that only the page map has to be told where they lie.
 *
 * (1) Oldest commit first, and before any version of the overlay: what is newer is set later.
 * (2) A chunk of which no map names a page gets no row. It goes when no snapshot may read from it any
 *     more.
 */
import type { Lsn } from "../../base/units.ts";
import type { SpillFields } from "../../write/index.ts";
import type { Slices } from "../checkpoint/slices.ts";
import type { DatabasePages } from "../database-pages.ts";
import type { MapEdit } from "../maps/map-edit.ts";

export interface Adopter {
  readonly database: DatabasePages;
  readonly edit: MapEdit;
  /** Pages of the database at the LSN of the map. */
  readonly pageCount: number;
  readonly after: Lsn;
  readonly slices: Slices;
}

const PAGES_BETWEEN_LOOKS = 256;

export class Adoption {
  readonly #chunks: SpillFields[] = [];

  /** Sets what a database spilled in the map at `lsn`, which comes after one at `after`. */
  async take({ database, edit, pageCount, slices, after }: Adopter, lsn: Lsn): Promise<void> {
    const { spilled, truncations } = database;
    for (const commit of spilled.between(after, lsn)) {
      let count = 0;
      for (const pageNumber of commit.pages.slots.pageNumbers()) {
        if (pageNumber > pageCount) break;
        if (!truncations.hides(pageNumber, commit.lsn, lsn)) {
          edit.set(pageNumber, commit.pages.location(pageNumber));
        }
        count += 1;
        if (count % PAGES_BETWEEN_LOOKS === 0) await slices.pause();
      }
      this.#chunks.push(...commit.pages.chunks);
    }
  }

  /** The database was dropped: nobody needs what it spilled after its last map. */
  leave({ spilled }: DatabasePages, after: Lsn): void {
    for (const commit of spilled.between(after, Number.POSITIVE_INFINITY)) {
      this.#chunks.push(...commit.pages.chunks);
    }
  }

  /** Files that were taken over. */
  get chunks(): readonly SpillFields[] {
    return this.#chunks;
  }
}

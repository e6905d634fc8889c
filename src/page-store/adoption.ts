/**
 * ADOPTION: a checkpoint takes the chunks of spilled commits over as they are. Their pages were
 * durable before they were committed, so that only the page map has to be told where they lie.
 *
 * (1) Oldest commit first, and before any version of the overlay: what is newer is set later.
 * (2) A chunk of which no page is the newest gets no row. It goes when no snapshot may read from it
 *     any more, as a chunk does that lost its last page.
 */
import type { Lsn } from "../base/units.ts";
import type { SpillFields } from "../write/index.ts";
import type { ChunkTally } from "./chunk-table.ts";
import type { WrittenChunk } from "./chunk-writer.ts";
import type { DatabasePages } from "./database-pages.ts";
import type { MapEdit } from "./page-map.ts";
import type { Slices } from "./slices.ts";

export interface Adopter {
  readonly database: DatabasePages;
  readonly edit: MapEdit;
  /** Pages of the database at the LSN of the checkpoint. */
  readonly pageCount: number;
  readonly slices: Slices;
}

const PAGES_BETWEEN_LOOKS = 256;

export class Adoption {
  readonly #chunks: SpillFields[] = [];

  /** Sets what a database spilled up to `lsn` in the map that is being made. */
  async take({ database, edit, pageCount, slices }: Adopter, lsn: Lsn): Promise<void> {
    const { map, spilled, truncations } = database;
    for (const commit of spilled.between(map.checkpointLsn, lsn)) {
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

  /** The database was dropped, and what it spilled with it. */
  takeDropped({ spilled, map }: DatabasePages): void {
    for (const commit of spilled.between(map.checkpointLsn, Number.POSITIVE_INFINITY)) {
      this.#chunks.push(...commit.pages.chunks);
    }
  }

  /** Chunks that the new maps name. */
  named(tally: ChunkTally): readonly WrittenChunk[] {
    const named = this.#chunks.filter(({ chunk }) => tally.livePages(chunk) > 0);
    return named.map(({ chunk, fileBytes, pageCount }) => ({ chunk, fileBytes, pageCount }));
  }

  /** See (2). */
  unnamed(tally: ChunkTally): readonly SpillFields[] {
    return this.#chunks.filter(({ chunk }) => tally.livePages(chunk) === 0);
  }
}

/**
 * COUNTS WHAT A BATCH DOES TO THE PAGES IN USE of each chunk, from the map rows that it changes, and
 * holds it against what the rows of chunks say.
 *
 * (1) For a chunk of pages: pages in use afterwards = before + locations gained - locations lost. A
 *     chunk without a row has none in use.
 */
import type { ChunkId } from "../base/units.ts";
import type { RowChange } from "./draft.ts";
import { type ChunkRow, MAP_ROW_PAGES, type MapRowChange } from "./manifest.ts";
import { chunkOfLocation } from "./tables/page-map.ts";

export class LiveTally {
  /** Chunks that a new location names. */
  readonly gained = new Set<ChunkId>();
  readonly #by = new Map<ChunkId, number>();

  add({ before, after }: RowChange<MapRowChange>): void {
    for (let at = 0; at < MAP_ROW_PAGES; at++) {
      const [was, is] = [before?.locations[at] ?? 0, after?.locations[at] ?? 0];
      if (was === is) continue;
      if (was !== 0) this.#count(chunkOfLocation(was), -1);
      if (is === 0) continue;
      const chunk = chunkOfLocation(is);
      this.gained.add(chunk);
      this.#count(chunk, 1);
    }
  }

  /** What the row of a chunk says is taken off what was counted. */
  expect(before: ChunkRow | undefined, after: ChunkRow | undefined): void {
    const row = after ?? before;
    if (row?.kind !== "pages") return;
    this.#count(row.chunk, (before?.livePages ?? 0) - (after?.livePages ?? 0));
  }

  /** Chunks whose rows do not say what was counted. */
  get missed(): { readonly chunk: ChunkId; readonly by: number }[] {
    return [...this.#by].flatMap(([chunk, by]) => (by === 0 ? [] : [{ chunk, by }]));
  }

  #count(chunk: ChunkId, pages: number): void {
    this.#by.set(chunk, (this.#by.get(chunk) ?? 0) + pages);
  }
}

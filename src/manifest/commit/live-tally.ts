/**
 * COUNTS WHAT A BATCH DOES TO THE REFERENCES to each chunk, from the versions of map rows that it
 * changes, and holds it against what the rows of chunks say.
 *
 * (1) For a chunk of pages: references afterwards = before + locations gained - locations lost, over
 *     all versions of all streams. A chunk without a row has none.
 * (2) A version that goes is compared with the one of the same row that comes: of 512 locations most
 *     are the same, and what is the same in both need not be counted.
 */
import type { ChunkId, StreamId } from "../../base/units.ts";
import type { ChunkRow } from "../tables/chunks.ts";
import { chunkOfLocation, MAP_ROW_PAGES, type MapRowChange } from "../tables/page-map.ts";
import type { RowChange } from "./draft.ts";

/** Versions that are held for (2). What goes beyond them is counted at once. */
const GONE_MAX = 4096;

const NOTHING = new Float64Array(MAP_ROW_PAGES);

export class LiveTally {
  /** Chunks that a new location names. */
  readonly gained = new Set<ChunkId>();
  readonly #by = new Map<ChunkId, number>();
  /** See (2): versions that went, and none came for yet. */
  readonly #gone = new Map<StreamId, Map<number, Float64Array>>();
  #goneCount = 0;

  add({ before, after }: RowChange<MapRowChange>): void {
    if (after !== undefined) {
      this.#compare(before?.locations ?? this.#takeGone(after), after.locations);
    } else if (before !== undefined) {
      this.#compare(this.#takeGone(before), NOTHING);
      if (this.#goneCount < GONE_MAX) this.#putGone(before);
      else this.#compare(before.locations, NOTHING);
    }
  }

  /** What the row of a chunk says is taken off what was counted. */
  expect(before: ChunkRow | undefined, after: ChunkRow | undefined): void {
    const row = after ?? before;
    if (row?.kind !== "pages") return;
    this.#count(row.chunk, (before?.references ?? 0) - (after?.references ?? 0));
  }

  /** All rows were added. Yields between those that are still to be counted. */
  *settle(): Generator<void> {
    for (const rows of this.#gone.values()) {
      for (const locations of rows.values()) yield this.#compare(locations, NOTHING);
    }
    this.#gone.clear();
  }

  /** Chunks whose rows do not say what was counted. */
  get missed(): { readonly chunk: ChunkId; readonly by: number }[] {
    return [...this.#by].flatMap(([chunk, by]) => (by === 0 ? [] : [{ chunk, by }]));
  }

  #putGone({ stream, rowIndex, locations }: MapRowChange): void {
    const rows = this.#gone.get(stream) ?? new Map<number, Float64Array>();
    this.#gone.set(stream, rows.set(rowIndex, locations));
    this.#goneCount += 1;
  }

  #takeGone({ stream, rowIndex }: MapRowChange): Float64Array {
    const rows = this.#gone.get(stream);
    const locations = rows?.get(rowIndex);
    if (locations === undefined) return NOTHING;
    rows?.delete(rowIndex);
    this.#goneCount -= 1;
    return locations;
  }

  #compare(before: Float64Array, after: Float64Array): void {
    for (let at = 0; at < MAP_ROW_PAGES; at++) {
      const [was, is] = [before[at] as number, after[at] as number];
      if (was === is) continue;
      if (was !== 0) this.#count(chunkOfLocation(was), -1);
      if (is === 0) continue;
      const chunk = chunkOfLocation(is);
      this.gained.add(chunk);
      this.#count(chunk, 1);
    }
  }

  #count(chunk: ChunkId, pages: number): void {
    this.#by.set(chunk, (this.#by.get(chunk) ?? 0) + pages);
  }
}

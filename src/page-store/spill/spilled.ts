/**
 * COMMITS WHOSE PAGES LIE IN CHUNKS OF THEIR OWN, since they were too many for memory. They take the
 * place of versions in the overlay: a page is looked for there and here, and the newer one counts.
 *
 *   sealed ──► looked up by snapshots ──► a checkpoint takes its locations into the map ──► dropped
 *                                          └ the chunks stay where they are
 *
 * (1) Commits grow in LSN.
 * (2) A commit is needed while it is above the newest map, and while a pinned snapshot at or above
 *     it reads through a map below it.
 * (3) Nothing of it changes after `seal`.
 * (4) `SpillCounts` say what the databases of a store have together: files that no map names yet, and
 *     who has commits that snapshots may read from without asking a map.
 */
import { assert } from "../../base/assert.ts";
import type { ChunkId, Lsn } from "../../base/units.ts";
import { slotOffset } from "../../chunk/index.ts";
import type { SpillFields } from "../../write/index.ts";
import { locationOf } from "../maps/location.ts";
import type { Onlooker } from "../versions/overlay.ts";
import type { SlotMap } from "./slot-map.ts";

/** What one transaction spilled, durable. */
export class SpilledPages {
  readonly pageBytes: number;
  readonly chunks: readonly SpillFields[];
  readonly slots: SlotMap;
  readonly #slotsPerChunk: number;

  /** All chunks but the last have `slotsPerChunk` pages. */
  constructor(
    chunks: readonly SpillFields[],
    slots: SlotMap,
    shape: { readonly pageBytes: number; readonly slotsPerChunk: number },
  ) {
    this.chunks = chunks;
    this.slots = slots;
    this.pageBytes = shape.pageBytes;
    this.#slotsPerChunk = shape.slotsPerChunk;
  }

  get fileBytes(): number {
    return this.chunks.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  }

  has(pageNumber: number): boolean {
    return this.slots.find(pageNumber) !== undefined;
  }

  /** Where a page lies that it has. */
  location(pageNumber: number): number {
    const slot = this.slots.find(pageNumber);
    assert(slot !== undefined, () => `page ${pageNumber} was not spilled`);
    const chunk = this.chunks[Math.floor(slot / this.#slotsPerChunk)];
    assert(chunk !== undefined, "a slot beyond the last chunk");
    return locationOf(chunk.chunk, slotOffset(slot % this.#slotsPerChunk, this.pageBytes));
  }
}

export interface SpilledCommit {
  readonly lsn: Lsn;
  readonly pages: SpilledPages;
}

/** See (4). */
export interface SpillCounts {
  readonly spillers: Set<SpilledCommits>;
  spilledBytes: number;
  spilledCommits: number;
}

/** Those of one database. */
export class SpilledCommits {
  readonly #counts: SpillCounts;
  #list: readonly SpilledCommit[] = [];

  constructor(counts: SpillCounts) {
    this.#counts = counts;
  }

  /** Whether there are none, which is nearly always. */
  get none(): boolean {
    return this.#list.length === 0;
  }

  /** Whether there is a commit of exactly that LSN. */
  has(lsn: Lsn): boolean {
    return this.#list.some((commit) => commit.lsn === lsn);
  }

  add(lsn: Lsn, pages: SpilledPages): void {
    this.#list = [...this.#list, { lsn, pages }];
    this.#counts.spillers.add(this);
    this.#counts.spilledBytes += pages.fileBytes;
    this.#counts.spilledCommits += 1;
  }

  /** The newest commit above `after` and at or below `upTo` that has the page. */
  find(pageNumber: number, after: Lsn, upTo: Lsn): SpilledCommit | undefined {
    for (let index = this.#list.length - 1; index >= 0; index -= 1) {
      const commit = this.#list[index] as SpilledCommit;
      if (commit.lsn <= after) return undefined;
      if (commit.lsn <= upTo && commit.pages.has(pageNumber)) return commit;
    }
    return undefined;
  }

  /** Those above `after` and at or below `upTo`, oldest first. */
  between(after: Lsn, upTo: number): readonly SpilledCommit[] {
    return this.#list.filter(({ lsn }) => lsn > after && lsn <= upTo);
  }

  /** Chunks that somebody may read without a map. */
  *chunks(): Generator<ChunkId> {
    for (const { pages } of this.#list) for (const { chunk } of pages.chunks) yield chunk;
  }

  /** Files of those above `after`, up to `upTo`, are in a map now, or gone. */
  uncount(after: Lsn, upTo: number): void {
    for (const { pages } of this.between(after, upTo)) {
      this.#counts.spilledBytes -= pages.fileBytes;
    }
  }

  /** Drops what nobody needs any more: see (2). */
  forget(mapLsn: Lsn, pins: readonly Onlooker[]): void {
    if (this.none) return;
    const isRead = (lsn: Lsn) => pins.some((pin) => pin.mapLsn < lsn && lsn <= pin.lsn);
    this.#keep(this.#list.filter(({ lsn }) => lsn > mapLsn || isRead(lsn)));
  }

  dropAbove(above: Lsn): void {
    this.uncount(above, Number.POSITIVE_INFINITY);
    this.#keep(this.#list.filter(({ lsn }) => lsn <= above));
  }

  /** The database is gone, of which the newest map is that of `mapLsn`: no file waits for it. */
  end(mapLsn: Lsn): void {
    this.uncount(mapLsn, Number.POSITIVE_INFINITY);
    this.#counts.spillers.delete(this);
  }

  #keep(list: readonly SpilledCommit[]): void {
    this.#list = list;
    if (list.length === 0) this.#counts.spillers.delete(this);
  }
}

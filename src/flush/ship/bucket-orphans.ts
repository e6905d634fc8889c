/**
 * CHUNKS IN THE BUCKET THAT NO ROW KNOWS: put by a process that died before it had noted them, or by
 * one that did not know yet that it was fenced. They are looked for now and then, and become garbage
 * like any other.
 *
 *   listed ──► of an epoch that ended a day ago, and in no row ──► orphaned: a row ──► as all garbage
 *
 * (1) The log may name one: its commit was shipped, and the row was lost with the disk. Such log ends
 *     where our own epoch begins. So one is noted only when a state of ours has its checkpoint behind
 *     that, and goes when no state is kept that is older than the note.
 * (2) Its row says that it may go and nothing else: this store may have given the same id to another
 *     chunk. It is no place of the chunk (BucketView, RemotePlaces).
 * (3) Nothing of our own epoch is looked at, and nothing that was put within a day: what is under way
 *     has no row yet.
 * (4) A list may lag. What it shows though it is gone is deleted once more.
 */
import type { Clock } from "../../base/env.ts";
import type { ChunkId } from "../../base/units.ts";
import type { EpochRow, RemoteGarbageRow } from "../../manifest/index.ts";
import { type ListedObject, type ObjectStore, PREFIXES, parseKey } from "../../sink/index.ts";
import type { RemotePlace } from "../fetch/remote-places.ts";
import type { BucketView } from "./bucket-view.ts";

export interface BucketOrphansOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly view: BucketView;
  /** By the rows of this moment. */
  readonly remote: { find(chunk: ChunkId): RemotePlace | undefined };
}

export interface OrphanSearch {
  /** Ours. */
  readonly epoch: number;
  /** Of the commit that notes them. */
  readonly generation: number;
  readonly objectsMax: number;
  readonly signal?: AbortSignal | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Listed in one go, of a thousand objects each. */
const PAGES_MAX = 50;

export class BucketOrphans {
  readonly #options: BucketOrphansOptions;
  /** Where the next search goes on; "" for the beginning. */
  #after = "";
  #nextMs = 0;
  #found = 0;

  constructor(options: BucketOrphansOptions) {
    this.#options = options;
  }

  get found(): number {
    return this.#found;
  }

  /** Rows of those that it came upon. Rejects with what the sink said. */
  async search(search: OrphanSearch): Promise<RemoteGarbageRow[]> {
    const { clock, store } = this.#options;
    const { signal } = search;
    const endedBefore = this.#endedBefore(search.epoch);
    if (clock.monotonicMs() < this.#nextMs || endedBefore === 0) return [];
    const rows: RemoteGarbageRow[] = [];
    for (let pages = 0; pages < PAGES_MAX && rows.length < search.objectsMax; pages++) {
      const { objects, next } = await store.list(PREFIXES.chunk, { after: this.#after, signal });
      for (const object of objects) {
        if (this.#isOrphan(object, endedBefore)) rows.push(rowOf(object, search.generation));
      }
      this.#after = next ?? "";
      if (next !== undefined) continue;
      this.#nextMs = clock.monotonicMs() + DAY_MS;
      break;
    }
    this.#found += rows.length;
    return rows;
  }

  /** Epochs below this one ended a day ago; 0 while nothing may be noted. See (1). */
  #endedBefore(own: number): number {
    const { view, clock } = this.#options;
    let ownRow: EpochRow | undefined;
    let ended = 0;
    for (const row of view.epochs) {
      if (row.epoch === own) ownRow = row;
      // Whoever claimed it ended all before it.
      const isLongAgo = row.claimedAtMs <= clock.wallMs() - DAY_MS;
      if (row.epoch <= own && isLongAgo) ended = Math.max(ended, row.epoch);
    }
    const startLsn = ownRow?.startLsn ?? Number.POSITIVE_INFINITY;
    const isBehind = [...view.chains].some(({ epoch, last }) => {
      return epoch === own && last.checkpointLsn >= startLsn;
    });
    return isBehind ? ended : 0;
  }

  #isOrphan({ key, modifiedAtMs = 0 }: ListedObject, endedBefore: number): boolean {
    const { view, remote, clock } = this.#options;
    const place = parseKey(key);
    if (place?.kind !== "chunk" || place.epoch >= endedBefore) return false;
    if (modifiedAtMs > clock.wallMs() - DAY_MS || view.knowsObject(key)) return false;
    return remote.find(place.id as ChunkId)?.epoch !== place.epoch;
  }
}

function rowOf({ key, sizeBytes }: ListedObject, goneGeneration: number): RemoteGarbageRow {
  const life = { bornGeneration: 0, goneGeneration };
  return { key, state: "orphaned", count: 1, bytes: sizeBytes, ...life };
}

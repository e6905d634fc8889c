/**
 * THE OVERLAY OF ONE DATABASE: the pages that changed since its checkpoint, every version of them
 * that somebody may still ask for.
 *
 *   page number ─► chain:  oldest ⇄ version ⇄ version ⇄ newest
 *
 * (1) The versions of a chain grow in LSN from oldest to newest.
 * (2) A version is needed if one who looks now or later can land on it: the newest at or below
 *       - any LSN from the durable one on (where a new snapshot may be taken),
 *       - the LSN of a checkpoint that is being written,
 *       - the LSN of a pinned snapshot,
 *     and above what that onlooker finds in his page map. All others are dropped, when their page
 *     is next written or in a sweep.
 * (3) A hot page under an old snapshot keeps that snapshot's version and its newest ones, not all
 *     between.
 */
import { assert } from "../../base/assert.ts";
import { LSN_ZERO, type Lsn } from "../../base/units.ts";
import { NOWHERE } from "../maps/location.ts";
import type { SweepProgress } from "./sweeper.ts";

export interface Version {
  lsn: Lsn;
  readonly image: Uint8Array;
  /** Deltas between this version and the full image that it goes back to in the log. */
  readonly deltas: number;
  /** Of a version that was logged as a delta: what the next delta needs to know of its base. */
  readonly sum: number | undefined;
  /** Where a checkpoint wrote it. Counts only while the current page map names it there. */
  location: number;
  older: Version | undefined;
  newer: Version | undefined;
}

export interface Chain {
  oldest: Version;
  newest: Version;
}

/** A snapshot, as far as versions are concerned. */
export interface Onlooker {
  readonly lsn: Lsn;
  /** Versions at or below it are not looked for: the onlooker's map has them. */
  readonly mapLsn: Lsn;
}

/** Who may look: see (2). */
export interface Onlookers {
  readonly durableLsn: number;
  /** Of a checkpoint that is being written. */
  readonly heldLsn: Lsn | undefined;
  /** Of the current page map. */
  readonly mapLsn: Lsn;
  readonly pins: readonly Onlooker[];
}

export type OnDrop = (version: Version, pageNumber: number) => void;

export function newVersion(image: Uint8Array, logged: Pick<Version, "deltas" | "sum">): Version {
  // The LSN is known when the commit is sealed.
  return {
    lsn: LSN_ZERO,
    image,
    deltas: logged.deltas,
    sum: logged.sum,
    location: NOWHERE,
    older: undefined,
    newer: undefined,
  };
}

export class Overlay {
  readonly #chains = new Map<number, Chain>();
  readonly #onDrop: OnDrop;

  constructor(onDrop: OnDrop) {
    this.#onDrop = onDrop;
  }

  get size(): number {
    return this.#chains.size;
  }

  chain(pageNumber: number): Chain | undefined {
    return this.#chains.get(pageNumber);
  }

  pageNumbers(): IterableIterator<number> {
    return this.#chains.keys();
  }

  /** The newest version at or below `atMost`. */
  find(pageNumber: number, atMost: Lsn): Version | undefined {
    let version = this.#chains.get(pageNumber)?.newest;
    while (version !== undefined && version.lsn > atMost) version = version.older;
    return version;
  }

  /** Adds the newest version of a page, of which `chain` is the chain, if it has one. */
  push(pageNumber: number, chain: Chain | undefined, version: Version): Chain {
    if (chain === undefined) {
      const added = { oldest: version, newest: version };
      this.#chains.set(pageNumber, added);
      return added;
    }
    assert(chain.newest.lsn < version.lsn, "a version that is not newer");
    version.older = chain.newest;
    chain.newest.newer = version;
    chain.newest = version;
    return chain;
  }

  /** Drops what nobody needs of one page. */
  prune(pageNumber: number, chain: Chain, onlookers: Onlookers): void {
    let version: Version | undefined = chain.oldest;
    while (version !== undefined) {
      const newer: Version | undefined = version.newer;
      if (newer !== undefined && newer.lsn > onlookers.durableLsn) return;
      if (!isNeeded(version, newer, onlookers)) this.#drop(pageNumber, chain, version);
      version = newer;
    }
  }

  /** Drops what nobody needs of up to `pages` more pages. */
  sweep(progress: SweepProgress, pages: number, onlookers: Onlookers): void {
    progress.rest ??= this.#chains.keys();
    for (let visited = 0; visited < pages; visited += 1) {
      const next = progress.rest.next();
      if (next.done) {
        progress.done = true;
        return;
      }
      const chain = this.#chains.get(next.value);
      if (chain !== undefined) this.prune(next.value, chain, onlookers);
    }
  }

  /** Drops every version above `lsn`: the log lost it. */
  dropAbove(lsn: Lsn): void {
    for (const [pageNumber, chain] of this.#chains) {
      let version: Version | undefined = chain.newest;
      while (version !== undefined && version.lsn > lsn) {
        const { older }: Version = version;
        this.#drop(pageNumber, chain, version);
        version = older;
      }
    }
  }

  #drop(pageNumber: number, chain: Chain, version: Version): void {
    const { older, newer } = version;
    if (older !== undefined) older.newer = newer;
    if (newer !== undefined) newer.older = older;
    if (older === undefined && newer === undefined) this.#chains.delete(pageNumber);
    else if (older === undefined && newer !== undefined) chain.oldest = newer;
    else if (newer === undefined && older !== undefined) chain.newest = older;
    this.#onDrop(version, pageNumber);
  }
}

function isNeeded(version: Version, newer: Version | undefined, onlookers: Onlookers): boolean {
  const isNewest = newer === undefined;
  const end = newer?.lsn ?? Number.POSITIVE_INFINITY;
  const { heldLsn, mapLsn, pins } = onlookers;
  if (version.lsn > mapLsn) {
    if (isNewest || end > onlookers.durableLsn) return true;
    if (heldLsn !== undefined && version.lsn <= heldLsn && heldLsn < end) return true;
  }
  for (const pin of pins) {
    if (version.lsn <= pin.lsn && pin.lsn < end && version.lsn > pin.mapLsn) return true;
  }
  return false;
}

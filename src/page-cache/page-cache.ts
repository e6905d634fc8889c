/**
 * PAGES IN MEMORY, keyed by location: a location is written once and never means another page, so
 * nothing here can be out of date, and databases that share a page share its frame.
 *
 *   newest ─► frame ─► frame ─► frame ─► frame ─► oldest
 *     ▲ insert            ▲ hand, moves towards the newest
 *
 * Eviction is SIEVE: the hand walks from the oldest frame to the newest; a frame that was used since
 * the hand last passed is spared once, the first one that was not is evicted. A hit only sets a
 * bit. What one scan brings in is never used again and goes first, what is used stays.
 *
 * (1) The bytes of all frames never exceed the budget; an image larger than the budget is not kept.
 * (2) To make room takes a bounded number of steps: after STEPS_MAX spared frames the next one goes,
 *     used or not.
 * (3) Nobody pins a frame. An image that `get` returned may be overwritten by the next `insert`.
 */
import { assert, present } from "../base/assert.ts";

const STEPS_MAX = 256;

export interface PageCacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly bytes: number;
  readonly frames: number;
}

interface Frame {
  readonly location: number;
  readonly image: Uint8Array;
  used: boolean;
  newer: Frame | undefined;
  older: Frame | undefined;
}

export interface PageCacheOptions {
  readonly budgetBytes: number;
  /** Takes the buffer of an evicted image, which nothing refers to any more. */
  readonly onEvict: (image: Uint8Array) => void;
}

export class PageCache {
  readonly #budgetBytes: number;
  readonly #onEvict: (image: Uint8Array) => void;
  readonly #frames = new Map<number, Frame>();
  #newest: Frame | undefined;
  #oldest: Frame | undefined;
  /** Where the walk goes on; undefined: at the oldest. */
  #hand: Frame | undefined;
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(options: PageCacheOptions) {
    this.#budgetBytes = options.budgetBytes;
    this.#onEvict = options.onEvict;
  }

  get stats(): PageCacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      bytes: this.#bytes,
      frames: this.#frames.size,
    };
  }

  /** The image at a location. See (3). */
  get(location: number): Uint8Array | undefined {
    const frame = this.#frames.get(location);
    if (frame === undefined) {
      this.#misses += 1;
      return undefined;
    }
    this.#hits += 1;
    frame.used = true;
    return frame.image;
  }

  /** As `get`, but it counts as no use: for who would not read the page for its own sake. */
  peek(location: number): Uint8Array | undefined {
    return this.#frames.get(location)?.image;
  }

  /** Takes the image over. False if it was not taken: it is there already, or larger than all. */
  insert(location: number, image: Uint8Array): boolean {
    if (image.length > this.#budgetBytes || this.#frames.has(location)) return false;
    while (this.#bytes + image.length > this.#budgetBytes) this.#evict();
    const frame: Frame = { location, image, used: false, newer: undefined, older: this.#newest };
    if (this.#newest !== undefined) this.#newest.newer = frame;
    this.#newest = frame;
    this.#oldest ??= frame;
    this.#frames.set(location, frame);
    this.#bytes += image.length;
    return true;
  }

  #evict(): void {
    let frame = present(this.#hand ?? this.#oldest, "evicting from an empty cache");
    for (let steps = 0; frame.used && steps < STEPS_MAX; steps += 1) {
      frame.used = false;
      frame = present(frame.newer ?? this.#oldest, "a frame is in the queue");
    }
    this.#hand = frame.newer;
    this.#remove(frame);
    this.#evictions += 1;
    this.#onEvict(frame.image);
  }

  #remove(frame: Frame): void {
    if (frame.newer === undefined) this.#newest = frame.older;
    else frame.newer.older = frame.older;
    if (frame.older === undefined) this.#oldest = frame.newer;
    else frame.older.newer = frame.newer;
    this.#frames.delete(frame.location);
    this.#bytes -= frame.image.length;
    assert(this.#bytes >= 0, "the cache holds less than nothing");
  }
}

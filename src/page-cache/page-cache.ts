/**
 * PAGES IN MEMORY, keyed by location: a location is written once and never means another page, so
 * nothing here can be out of date, and databases that share a page share its frame.
 *
 *              insert             get                get, get …
 *     (miss) ────────► inserted ───────► used ◄──────────┘
 *                         │   ▲           │ │
 *            insertAhead  │   │ get       │ │ the hand passes: spared once
 *     (miss) ────────► ahead ─┘           │ ▼
 *                         │  the hand passes: spared once, then evicted
 *                         └───────────────┴──────► (gone)
 *
 * (1) The memory that all of it takes never exceeds the budget; an image larger than a block of the
 *     slab is not kept.
 * (2) To make room takes a bounded number of steps: after STEPS_MAX spared frames the next one goes,
 *     used or not; after ATTEMPTS_MAX frames that were looked at, the image is not kept.
 * (3) A pinned frame is not evicted. An image that is not pinned may be overwritten by the next
 *     insertion of any page, so who reads one copies it before that.
 * (4) A page that was read ahead counts as inserted when it is first asked for: so reading ahead
 *     changes neither what stays nor what goes, but that such a page is spared once until then.
 * (5) One page of SAMPLE is summed when it comes, and compared when it is used after the hand has
 *     passed, and when it goes. If it has changed, memory is damaged or somebody wrote to an image:
 *     it is counted and not served, and the next insertion mends it.
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import type { Clock, Disposer } from "../base/env.ts";
import { LocationTable, TABLE_FRAME_BYTES } from "./location-table.ts";
import { type ObserverStats, Observers, type PageObserver } from "./observers.ts";
import { QUEUE_FRAME_BYTES, Sieve } from "./sieve.ts";
import { NO_FRAME, Slab } from "./slab.ts";

const STEPS_MAX = 256;
const ATTEMPTS_MAX = 2 * STEPS_MAX;
const SAMPLE = 64;
const PINS_MAX = 65_535;
/** Flags, pins and sum. */
const STATE_FRAME_BYTES = 1 + 2 + 4;

/** Used since the hand last passed. */
const USED = 1;
/** Read ahead, and not asked for yet. */
const AHEAD = 2;
const SPARED = 4;
const SAMPLED = 8;
const DAMAGED = 16;

export interface PageCacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly insertions: number;
  /** Pages that were not kept: too large, or everything was pinned. */
  readonly refused: number;
  readonly evictions: number;
  /** Frames that the hand looked at to find them. */
  readonly evictionAttempts: number;
  /** Pages that are there, and their bytes. */
  readonly frames: number;
  readonly bytes: number;
  /** All memory that is taken, tables included; never more than the budget. */
  readonly memoryBytes: number;
  readonly budgetBytes: number;
  /** Share of the budget that pages take which were used since the hand last passed them. */
  readonly pressure: number;
  /** Pages that are pinned. */
  readonly pinned: number;
  /** Pages that had changed in memory. */
  readonly damaged: number;
  /** Pages read ahead; of these: asked for later, evicted before that. */
  readonly readAhead: { readonly issued: number; readonly used: number; readonly wasted: number };
  readonly observers: ObserverStats;
}

export interface PageCacheOptions {
  /** Bytes. 0 keeps nothing. */
  readonly budgetBytes: number;
  readonly clock: Clock;
}

export class PageCache {
  readonly budgetBytes: number;
  readonly #slab: Slab;
  readonly #table: LocationTable;
  readonly #sieve: Sieve;
  readonly #flags: Uint8Array;
  readonly #pins: Uint16Array;
  readonly #sums: Uint32Array;
  readonly #observers: Observers;
  #hits = 0;
  #misses = 0;
  #insertions = 0;
  #refused = 0;
  #evictions = 0;
  #attempts = 0;
  #bytes = 0;
  #usedBytes = 0;
  #pinned = 0;
  #damaged = 0;
  #aheadIssued = 0;
  #aheadUsed = 0;
  #aheadWasted = 0;

  constructor({ budgetBytes, clock }: PageCacheOptions) {
    this.budgetBytes = budgetBytes;
    const frameBytes = TABLE_FRAME_BYTES + QUEUE_FRAME_BYTES + STATE_FRAME_BYTES;
    this.#slab = new Slab(budgetBytes, frameBytes);
    const { frames } = this.#slab;
    this.#table = new LocationTable(frames);
    this.#sieve = new Sieve(frames);
    this.#flags = new Uint8Array(frames);
    this.#pins = new Uint16Array(frames);
    this.#sums = new Uint32Array(frames);
    this.#observers = new Observers(clock);
  }

  get stats(): PageCacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      insertions: this.#insertions,
      refused: this.#refused,
      evictions: this.#evictions,
      evictionAttempts: this.#attempts,
      frames: this.#sieve.count,
      bytes: this.#bytes,
      memoryBytes: this.#slab.memoryBytes,
      budgetBytes: this.budgetBytes,
      pressure: this.budgetBytes === 0 ? 0 : this.#usedBytes / this.budgetBytes,
      pinned: this.#pinned,
      damaged: this.#damaged,
      readAhead: {
        issued: this.#aheadIssued,
        used: this.#aheadUsed,
        wasted: this.#aheadWasted,
      },
      observers: this.#observers.stats,
    };
  }

  /** The image at a location. See (3). */
  get(location: number): Uint8Array | undefined {
    const frame = this.#table.find(location);
    if (frame === NO_FRAME || (this.#flags[frame] !== USED && !this.#use(frame))) {
      this.#misses += 1;
      return undefined;
    }
    this.#hits += 1;
    return this.#slab.views[frame];
  }

  /** As `get`, but it counts as no use: for who would not read the page for its own sake. */
  peek(location: number): Uint8Array | undefined {
    const frame = this.#table.find(location);
    if (frame === NO_FRAME || this.#has(frame, DAMAGED)) return undefined;
    return this.#slab.views[frame];
  }

  /** It was read ahead, is there, and nobody has asked for it. */
  isAhead(location: number): boolean {
    const frame = this.#table.find(location);
    return frame !== NO_FRAME && this.#has(frame, AHEAD);
  }

  /**
   * Keeps a copy of an image, which is none of the cache's own, and returns that; undefined if it
   * was not kept.
   */
  insert(location: number, image: Uint8Array): Uint8Array | undefined {
    return this.#insert(location, image, 0);
  }

  /** As `insert`, for a page that nobody has asked for yet: see (4). */
  insertAhead(location: number, image: Uint8Array): Uint8Array | undefined {
    return this.#insert(location, image, AHEAD);
  }

  /** Its image stays where it is until as many `unpin`; no use. False if it is not there. */
  pin(location: number): boolean {
    const frame = this.#table.find(location);
    if (frame === NO_FRAME || this.#has(frame, DAMAGED)) return false;
    this.#hold(frame);
    return true;
  }

  unpin(location: number): void {
    const frame = this.#table.find(location);
    assert(frame !== NO_FRAME, "unpinned a page that is not there");
    this.#release(frame);
  }

  /** Tells of pages that come and go until it is disposed of, or nobody else holds the observer. */
  observe(observer: PageObserver): Disposer {
    return this.#observers.add(observer);
  }

  #insert(location: number, image: Uint8Array, ahead: number): Uint8Array | undefined {
    const there = this.#table.find(location);
    if (there !== NO_FRAME) return this.#mended(there, image);
    const frame = this.#room(image.length);
    if (frame === NO_FRAME) {
      this.#refused += 1;
      this.#observers.deliver();
      return undefined;
    }
    const view = this.#slab.views[frame] as Uint8Array;
    view.set(image);
    const isSampled = this.#insertions % SAMPLE === 0;
    if (isSampled) this.#sums[frame] = crc32(image);
    this.#flags[frame] = ahead | (isSampled ? SAMPLED : 0);
    this.#table.add(location, frame);
    this.#sieve.add(frame);
    this.#bytes += image.length;
    this.#insertions += 1;
    if (ahead !== 0) this.#aheadIssued += 1;
    if (!this.#observers.any) return view;
    this.#observers.note({ kind: "onInsert", location, bytes: image.length });
    // An observer may insert others: what is returned has to outlive that.
    this.#hold(frame);
    this.#observers.deliver();
    this.#release(frame);
    return view;
  }

  #mended(frame: number, image: Uint8Array): Uint8Array | undefined {
    const view = this.#slab.views[frame];
    if (!this.#has(frame, DAMAGED)) return view;
    this.#flags[frame] = 0;
    view?.set(image);
    return view;
  }

  /** False if the page is damaged. */
  #use(frame: number): boolean {
    const flags = this.#flags[frame] as number;
    if ((flags & USED) !== 0) return true;
    if ((flags & DAMAGED) !== 0 || ((flags & SAMPLED) !== 0 && !this.#isIntact(frame))) {
      return false;
    }
    if ((flags & AHEAD) !== 0) {
      this.#aheadUsed += 1;
      this.#flags[frame] = flags & ~(AHEAD | SPARED);
    } else {
      this.#markUsed(frame);
    }
    return true;
  }

  #markUsed(frame: number): void {
    this.#flags[frame] = (this.#flags[frame] as number) | USED;
    this.#usedBytes += this.#slab.pageBytesOf(frame);
  }

  #unmarkUsed(frame: number): void {
    this.#flags[frame] = (this.#flags[frame] as number) & ~USED;
    this.#usedBytes -= this.#slab.pageBytesOf(frame);
  }

  #isIntact(frame: number): boolean {
    const view = this.#slab.views[frame] as Uint8Array;
    if (crc32(view) === this.#sums[frame]) return true;
    this.#damaged += 1;
    this.#flags[frame] = DAMAGED;
    return false;
  }

  /** A frame for a page, taken; what was in it is gone. */
  #room(pageBytes: number): number {
    const slab = this.#slab;
    if (pageBytes > slab.pageBytesMax) return NO_FRAME;
    const free = slab.take(pageBytes);
    if (free !== NO_FRAME) return free;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const frame = this.#sieve.next();
      if (frame === NO_FRAME) return NO_FRAME;
      this.#attempts += 1;
      if (this.#isSpared(frame, attempt)) continue;
      if (slab.pageBytesOf(frame) === pageBytes) this.#evict(frame);
      else if (!this.#clear(slab.blockOf(frame))) continue;
      return slab.take(pageBytes);
    }
    return NO_FRAME;
  }

  #isSpared(frame: number, attempt: number): boolean {
    if (this.#pins[frame] !== 0) return true;
    if (attempt >= STEPS_MAX) return false;
    const flags = this.#flags[frame] as number;
    if ((flags & USED) !== 0) {
      this.#unmarkUsed(frame);
      return true;
    }
    if ((flags & (AHEAD | SPARED)) !== AHEAD) return false;
    this.#flags[frame] = flags | SPARED;
    return true;
  }

  /** Empties a block, whose pages are of another size than is wanted. False if one is pinned. */
  #clear(block: number): boolean {
    const frames = [...this.#slab.taken(block)];
    if (frames.some((frame) => this.#pins[frame] !== 0)) return false;
    for (const frame of frames) this.#evict(frame);
    return true;
  }

  #evict(frame: number): void {
    const flags = this.#flags[frame] as number;
    if ((flags & USED) !== 0) this.#unmarkUsed(frame);
    if ((flags & AHEAD) !== 0) this.#aheadWasted += 1;
    if ((flags & SAMPLED) !== 0) this.#isIntact(frame);
    const location = this.#table.locationOf(frame);
    const bytes = this.#slab.pageBytesOf(frame);
    this.#table.remove(frame);
    this.#sieve.remove(frame);
    this.#slab.give(frame);
    this.#bytes -= bytes;
    this.#evictions += 1;
    this.#observers.note({ kind: "onEvict", location, bytes });
  }

  #hold(frame: number): void {
    const pins = this.#pins[frame] as number;
    assert(pins < PINS_MAX, "a page is pinned too often");
    if (pins === 0) this.#pinned += 1;
    this.#pins[frame] = pins + 1;
  }

  #release(frame: number): void {
    const pins = this.#pins[frame] as number;
    assert(pins > 0, "unpinned a page that was not pinned");
    if (pins === 1) this.#pinned -= 1;
    this.#pins[frame] = pins - 1;
  }

  #has(frame: number, flag: number): boolean {
    return ((this.#flags[frame] as number) & flag) !== 0;
  }
}

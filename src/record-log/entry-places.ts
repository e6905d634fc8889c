/**
 * WHERE THE ENTRIES OF A LOG LIE: in record chunks, in memory, or in both.
 *
 *          first                     #tailFirst                     next
 *            │                           │                           │
 *   gone ────┼────── in record chunks ───┼──── … and in memory ──────┤
 *            └───────────── stored ──────┴───────► #storedEnd        │
 *
 * (1) No gaps: entries are those of first ≤ index < next.
 * (2) What is not in a record chunk is in memory: #tailFirst ≤ #storedEnd.
 * (3) `unstoredBytes` and `cachedBytes` are the memory of entries that lie in no chunk, and of those
 *     that do; only the latter can be let go.
 */
import { assert, present } from "../base/assert.ts";
import type { ChunkId } from "../base/units.ts";
import { payloadBytesOf } from "./arena.ts";
import type { StoredEntry } from "./operations.ts";

/** Entries of one log that lie in one chunk, one behind the other. */
export interface StoredRange {
  readonly chunk: ChunkId;
  readonly first: bigint;
  readonly last: bigint;
}

export interface PlacesStart {
  readonly first: bigint;
  readonly next: bigint;
  readonly ranges: readonly StoredRange[];
}

export interface Unstored {
  /** Entries that lie in no chunk yet, from this index on. */
  readonly unstoredFirst: bigint;
  readonly unstored: readonly StoredEntry[];
}

/** About what an entry takes in memory besides its bytes. */
const SLOT_BYTES = 160;

export class EntryPlaces {
  #first: bigint;
  #next: bigint;
  #ranges: readonly StoredRange[];
  readonly #tail: StoredEntry[] = [];
  #tailFirst: bigint;
  #unstoredBytes = 0;
  #cachedBytes = 0;

  constructor(start?: PlacesStart) {
    this.#first = start?.first ?? 0n;
    this.#next = start?.next ?? 0n;
    this.#ranges = start?.ranges ?? [];
    this.#tailFirst = this.#next;
  }

  get first(): bigint {
    return this.#first;
  }

  get next(): bigint {
    return this.#next;
  }

  get ranges(): readonly StoredRange[] {
    return this.#ranges;
  }

  get unstoredBytes(): number {
    return this.#unstoredBytes;
  }

  get cachedBytes(): number {
    return this.#cachedBytes;
  }

  /** Undefined for an entry that is only in a chunk. The caller knows that there is one. */
  inMemory(index: bigint): StoredEntry | undefined {
    return this.#tail[Number(index - this.#tailFirst)];
  }

  /** Where an entry lies that is not in memory. */
  rangeOf(index: bigint): StoredRange {
    const range = this.#ranges.find(({ first, last }) => first <= index && index <= last);
    return present(range, "an entry is in memory or in a chunk");
  }

  /** The first entry of an empty log will be at this index. */
  beginAt(index: bigint): void {
    assert(this.#first === this.#next, "entries would be forgotten");
    this.#first = index;
    this.#next = index;
    this.#tailFirst = index;
  }

  append(entry: StoredEntry): void {
    this.#tail.push(entry);
    this.#unstoredBytes += memoryOf(entry);
    this.#next += 1n;
  }

  /** Entries behind `to` are gone. There are some. */
  truncate(to: bigint): void {
    const kept = to < this.#tailFirst ? 0 : Number(to - this.#tailFirst) + 1;
    this.#forget(this.#tail.splice(kept), this.#tailFirst + BigInt(kept));
    this.#next = to + 1n;
    this.#clipRanges();
    if (this.#tailFirst > this.#next) this.#tailFirst = this.#next;
  }

  /**
   * Entries before `first` are gone; where those are all, the next one will be there. That may be
   * below where the entries of a log were that has none any more.
   */
  compact(first: bigint): void {
    if (first >= this.#next || this.#first === this.#next) {
      this.#forget(this.#tail.splice(0), this.#tailFirst);
      this.#next = first;
      this.#tailFirst = first;
    } else if (first > this.#tailFirst) {
      this.#forget(this.#tail.splice(0, Number(first - this.#tailFirst)), this.#tailFirst);
      this.#tailFirst = first;
    }
    this.#first = first;
    this.#clipRanges();
  }

  /** What a checkpoint is to write. */
  unstored(): Unstored {
    const unstoredFirst = this.#storedEnd;
    assert(unstoredFirst >= this.#tailFirst, "an entry is neither in memory nor in a chunk");
    const unstored = this.#tail.slice(Number(unstoredFirst - this.#tailFirst));
    return { unstoredFirst, unstored };
  }

  /** These chunks have what was written of it, of which entries up to `lastSame` are still the same. */
  store(ranges: readonly StoredRange[], lastSame: bigint): void {
    const before = this.#storedEnd;
    this.#ranges = ranges.flatMap((range) => {
      const last = lower(range.last, lastSame);
      return last < range.first ? [] : [{ ...range, last }];
    });
    this.#clipRanges();
    const stored = Number(this.#storedEnd - this.#tailFirst);
    for (let at = Math.max(0, Number(before - this.#tailFirst)); at < stored; at++) {
      const bytes = memoryOf(present(this.#tail[at], "an entry of the tail"));
      this.#unstoredBytes -= bytes;
      this.#cachedBytes += bytes;
    }
  }

  /** Lets go of the oldest entries that lie in a chunk too, about so many bytes. */
  evict(bytes: number): void {
    const stored = Number(this.#storedEnd - this.#tailFirst);
    let freed = 0;
    let count = 0;
    while (count < stored && freed < bytes) {
      freed += memoryOf(present(this.#tail[count], "an entry of the tail"));
      count += 1;
    }
    this.#tail.splice(0, count);
    this.#tailFirst += BigInt(count);
    this.#cachedBytes -= freed;
  }

  /** First index that lies in no chunk. */
  get #storedEnd(): bigint {
    const last = this.#ranges.at(-1)?.last;
    return last === undefined ? this.#first : last + 1n;
  }

  #clipRanges(): void {
    this.#ranges = this.#ranges.flatMap(({ chunk, first, last }) => {
      if (last < this.#first || first >= this.#next) return [];
      return [{ chunk, first: higher(first, this.#first), last: lower(last, this.#next - 1n) }];
    });
  }

  /** Entries that were in memory from `firstIndex` on are not any more. */
  #forget(entries: readonly StoredEntry[], firstIndex: bigint): void {
    const stored = Number(this.#storedEnd - firstIndex);
    for (const [at, entry] of entries.entries()) {
      if (at < stored) this.#cachedBytes -= memoryOf(entry);
      else this.#unstoredBytes -= memoryOf(entry);
    }
  }
}

const higher = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const lower = (a: bigint, b: bigint): bigint => (a < b ? a : b);

function memoryOf(entry: StoredEntry): number {
  return payloadBytesOf(entry) + entry.field.length + SLOT_BYTES;
}

/**
 * A RECORD LOG WITHOUT THE DISK: which entries there are, where they lie, and what a change does.
 *
 *        boundary   #first                    #tailFirst                 #next
 *            │         │                          │                        │
 *   gone ────┴─────────┼── in record chunks ──────┼── … and in memory ─────┤
 *                      └──────── #stored ─────────┴───────► storedEnd      │
 *
 * (1) No gaps: entries are those of #first ≤ index < #next. An empty log with a boundary goes on
 *     right behind it; one without may begin anywhere.
 * (2) Terms never fall, from the boundary on.
 * (3) What is not in a record chunk is in memory: #tailFirst ≤ storedEnd.
 * (4) `apply` takes operations that were planned (plan.ts) or read back from the store's log, and
 *     refuses those that would break (1) or (2) with Malformed.
 * (5) `shape` changes whenever entries that were there are gone or lie elsewhere: who reads them
 *     step by step looks whether it is still the same.
 *
 * It is over 400 lines because what a checkpoint takes of a log and what a change does to it touch the
 * same fields, and nobody else may.
 */
import { assert, present } from "../base/assert.ts";
import { type ChunkId, LSN_ZERO, type Lsn } from "../base/units.ts";
import type { HardState, LogBoundary } from "./api.ts";
import { payloadBytesOf } from "./arena.ts";
import { Malformed } from "./bytes.ts";
import type { Operation, StoredEntry } from "./operations.ts";
import { type TermRun, TermRuns } from "./term-runs.ts";

/** Entries of one log that lie in one chunk, one behind the other. */
export interface StoredRange {
  readonly chunk: ChunkId;
  readonly first: bigint;
  readonly last: bigint;
}

/** What a checkpoint keeps of a log besides its entries. */
export interface LogMoment {
  readonly boundary: LogBoundary | undefined;
  /** Of the first entry, or of the one that would be. */
  readonly first: bigint;
  readonly next: bigint;
  readonly runs: readonly TermRun[];
  readonly ranges: readonly StoredRange[];
  readonly hardState: HardState | undefined;
  readonly stable: ReadonlyMap<string, Uint8Array>;
  readonly snapshotMeta: Uint8Array | undefined;
  /** Of the newest commit that counts in it. */
  readonly lsn: Lsn;
}

/** A log as a checkpoint found it. */
export interface Captured extends LogMoment {
  /** Entries that lie in no chunk yet, from this index on. */
  readonly unstoredFirst: bigint;
  readonly unstored: readonly StoredEntry[];
}

/** About what an entry takes in memory besides its bytes. */
const SLOT_BYTES = 160;

export class RecordLogCore {
  readonly #runs: TermRuns;
  #boundary: LogBoundary | undefined;
  #first: bigint;
  #next: bigint;
  #ranges: StoredRange[];
  readonly #tail: StoredEntry[] = [];
  #tailFirst: bigint;
  #hardState: HardState | undefined;
  readonly #stable: Map<string, Uint8Array>;
  #snapshotMeta: Uint8Array | undefined;
  #lsn: Lsn;
  /** LSN of the newest change of hard state, stable keys or snapshot. */
  #stateLsn: Lsn = LSN_ZERO;
  /** Of the oldest commit since the last checkpoint began, and of the oldest that it captured. */
  #heldFrom: Lsn | undefined;
  #capturedFrom: Lsn | undefined;
  #dirty = false;
  /** Entries behind it were truncated since the checkpoint that runs began; see `install`. */
  #truncatedTo: bigint | undefined;
  #capturedEnd: bigint | undefined;
  /** How far down the newest commit went; see `lowest`. */
  #lowest: bigint | "none" | undefined;
  #shape = 0;
  /** Memory of entries that lie in no chunk, and of those that do. */
  #unstoredBytes = 0;
  #cachedBytes = 0;

  constructor(moment?: LogMoment) {
    this.#runs = new TermRuns(moment?.runs);
    this.#boundary = moment?.boundary;
    this.#first = moment?.first ?? 0n;
    this.#next = moment?.next ?? 0n;
    this.#ranges = [...(moment?.ranges ?? [])];
    this.#tailFirst = this.#next;
    this.#hardState = moment?.hardState;
    this.#stable = new Map(moment?.stable);
    this.#snapshotMeta = moment?.snapshotMeta;
    this.#lsn = moment?.lsn ?? LSN_ZERO;
  }

  get boundary(): LogBoundary | undefined {
    return this.#boundary;
  }

  get isEmpty(): boolean {
    return this.#first === this.#next;
  }

  get firstIndex(): bigint | undefined {
    return this.isEmpty ? undefined : this.#first;
  }

  /** Of the last entry, else of the boundary. */
  get lastIndex(): bigint | undefined {
    return this.isEmpty ? this.#boundary?.index : this.#next - 1n;
  }

  /** Term of the last entry, else of the boundary. */
  get lastTerm(): bigint | undefined {
    return this.isEmpty ? this.#boundary?.term : this.#runs.last;
  }

  /** The only index that may be appended; undefined if any may. */
  get nextIndex(): bigint | undefined {
    return this.isEmpty && this.#boundary === undefined ? undefined : this.#next;
  }

  get hardState(): HardState | undefined {
    return this.#hardState;
  }

  get stable(): ReadonlyMap<string, Uint8Array> {
    return this.#stable;
  }

  get snapshotMeta(): Uint8Array | undefined {
    return this.#snapshotMeta;
  }

  get lsn(): Lsn {
    return this.#lsn;
  }

  get stateLsn(): Lsn {
    return this.#stateLsn;
  }

  /**
   * Entries at or below it are those that were there before the newest commit; "none": none is.
   * Undefined: all that were there are, but for those that were compacted.
   */
  get lowest(): bigint | "none" | undefined {
    return this.#lowest;
  }

  get shape(): number {
    return this.#shape;
  }

  /** Changed since the last checkpoint began. */
  get isDirty(): boolean {
    return this.#dirty;
  }

  /** The oldest commit that no checkpoint has folded; undefined if there is none. */
  get holdsFrom(): Lsn | undefined {
    return this.#capturedFrom ?? this.#heldFrom;
  }

  get unstoredBytes(): number {
    return this.#unstoredBytes;
  }

  get cachedBytes(): number {
    return this.#cachedBytes;
  }

  get ranges(): readonly StoredRange[] {
    return this.#ranges;
  }

  /** Undefined for an index at which there is neither an entry nor the boundary. */
  termAt(index: bigint): bigint | undefined {
    if (index >= this.#first && index < this.#next) return this.#runs.at(index);
    return this.#boundary?.index === index ? this.#boundary.term : undefined;
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

  /** See (4). Takes ownership of the entries, whose bytes never change. */
  apply(operations: readonly Operation[], lsn: Lsn): void {
    this.#lowest = undefined;
    for (const operation of operations) {
      switch (operation.kind) {
        case "append":
          this.#append(operation.firstIndex, operation.entries);
          break;
        case "truncate":
          this.#truncate(operation.after);
          break;
        case "compact":
          this.#compact(operation.to);
          break;
        case "clear":
          this.#clear();
          break;
        default:
          this.#setState(operation, lsn);
      }
    }
    this.#lsn = lsn;
    this.#heldFrom ??= lsn;
    this.#dirty = true;
  }

  /** One entry more is `apply` made short: it follows the last and is of its term. */
  takes(index: bigint, term: bigint): boolean {
    return index === this.#next && term === this.#runs.last && this.#first !== index;
  }

  /** Takes ownership of an entry that it `takes`. */
  appendOne(entry: StoredEntry, lsn: Lsn): void {
    this.#lowest = undefined;
    this.#tail.push(entry);
    this.#unstoredBytes += memoryOf(entry);
    this.#next += 1n;
    this.#lsn = lsn;
    this.#heldFrom ??= lsn;
    this.#dirty = true;
  }

  #append(firstIndex: bigint, entries: readonly StoredEntry[]): void {
    const { nextIndex } = this;
    if (nextIndex !== undefined && firstIndex !== nextIndex) throw new Malformed("a gap");
    if (nextIndex === undefined) {
      this.#first = firstIndex;
      this.#next = firstIndex;
      this.#tailFirst = firstIndex;
    }
    let term = this.lastTerm ?? -1n;
    for (const entry of entries) {
      if (entry.term < term) throw new Malformed("a term falls");
      if (entry.term !== term || this.isEmpty) this.#runs.append(this.#next, entry.term);
      term = entry.term;
      this.#tail.push(entry);
      this.#unstoredBytes += memoryOf(entry);
      this.#next += 1n;
    }
  }

  #truncate(after: bigint | "all"): void {
    const last = this.#next - 1n;
    const floor = this.#first - 1n;
    const to = after === "all" || after < floor ? floor : after;
    if (to >= last) return;
    this.#shape += 1;
    const kept = to < this.#tailFirst ? 0 : Number(to - this.#tailFirst) + 1;
    this.#forget(this.#tail.splice(kept), this.#tailFirst + BigInt(kept));
    this.#next = to + 1n;
    this.#runs.truncate(to);
    this.#clipRanges();
    if (this.#tailFirst > this.#next) this.#tailFirst = this.#next;
    if (this.#truncatedTo === undefined || to < this.#truncatedTo) this.#truncatedTo = to;
    const isNothing = this.isEmpty && this.#boundary === undefined;
    if (isNothing) this.#lowest = "none";
    else if (this.#lowest !== "none") this.#lowest = to;
  }

  #compact(to: LogBoundary): void {
    if (this.#boundary !== undefined && to.index <= this.#boundary.index) return;
    this.#shape += 1;
    this.#boundary = to;
    const first = to.index + 1n;
    const gone = first <= this.#tailFirst ? 0 : Number(first - this.#tailFirst);
    if (first >= this.#next) {
      this.#forget(this.#tail.splice(0), this.#tailFirst);
      this.#runs.clear();
      this.#first = this.#next = this.#tailFirst = first;
    } else {
      if (gone > 0) this.#forget(this.#tail.splice(0, gone), this.#tailFirst);
      if (gone > 0) this.#tailFirst = first;
      this.#first = first;
      this.#runs.compact(first);
    }
    this.#clipRanges();
  }

  #clear(): void {
    this.#truncate("all");
    this.#shape += 1;
    this.#truncatedTo = -1n;
    this.#lowest = "none";
    this.#boundary = undefined;
    this.#runs.clear();
    this.#ranges = [];
  }

  #setState(operation: Operation, lsn: Lsn): void {
    this.#stateLsn = lsn;
    if (operation.kind === "hardState") this.#hardState = operation.state;
    if (operation.kind === "snapshot") {
      this.#snapshotMeta = operation.meta.length === 0 ? undefined : operation.meta;
    }
    if (operation.kind !== "stable") return;
    if (operation.value === undefined) this.#stable.delete(operation.key);
    else this.#stable.set(operation.key, operation.value);
  }

  /** The log failed: what was not durable is not there, as far as that can be told. */
  dropAbove(durable: bigint | undefined): void {
    this.#truncate(durable ?? "all");
  }

  /** First index that lies in no chunk. */
  get #storedEnd(): bigint {
    const last = this.#ranges.at(-1)?.last;
    return last === undefined ? this.#first : last + 1n;
  }

  /** Fixes what a checkpoint is to write. Until `install` or `abandon`, no other begins. */
  capture(): Captured {
    const unstoredFirst = this.#storedEnd;
    const unstored = this.#tail.slice(Number(unstoredFirst - this.#tailFirst));
    assert(unstoredFirst >= this.#tailFirst, "an entry is neither in memory nor in a chunk");
    this.#dirty = false;
    this.#truncatedTo = undefined;
    this.#capturedEnd = this.#next;
    this.#capturedFrom = this.#heldFrom;
    this.#heldFrom = undefined;
    return {
      boundary: this.#boundary,
      first: this.#first,
      next: this.#next,
      runs: [...this.#runs.all],
      ranges: [...this.#ranges],
      hardState: this.#hardState,
      stable: new Map(this.#stable),
      snapshotMeta: this.#snapshotMeta,
      lsn: this.#lsn,
      unstoredFirst,
      unstored,
    };
  }

  /** What the manifest keeps of it is out of date. */
  touch(): void {
    this.#dirty = true;
  }

  /** The checkpoint failed: it is all to be done again. */
  abandon(): void {
    this.#dirty = true;
    this.#capturedEnd = undefined;
    this.#heldFrom = this.holdsFrom;
    this.#capturedFrom = undefined;
  }

  /**
   * The manifest names these ranges now: what was captured, with its new entries. What has changed
   * since then stays changed.
   */
  install(ranges: readonly StoredRange[]): void {
    const end = present(this.#capturedEnd, "a checkpoint is installed that was begun");
    this.#capturedEnd = undefined;
    this.#capturedFrom = undefined;
    this.#shape += 1;
    const before = this.#storedEnd;
    const lastSame = this.#truncatedTo === undefined ? end - 1n : this.#truncatedTo;
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

/**
 * A RECORD LOG WITHOUT THE DISK: what it is, and what a change does to it.
 *
 *      boundary   entries: first ≤ index < next        where they lie: entry-places.ts
 *      state      hard state, stable keys, the meta of a snapshot
 *
 * (1) An empty log with a boundary goes on right behind it; one without may begin anywhere.
 * (2) Terms never fall, from the boundary on.
 * (3) `apply` takes operations that were planned (plan.ts) or read back from the store's log, and
 *     refuses those that would leave a gap or break (2) with Malformed.
 * (4) `shape` changes whenever entries that were there are gone or lie elsewhere: who reads them
 *     step by step looks whether it is still the same.
 * (5) A checkpoint is captured, then installed or abandoned. What changes in between is changed for
 *     the next one, and the store's log is held from the oldest commit that neither has folded.
 */
import { present } from "../base/assert.ts";
import { LSN_ZERO, type Lsn } from "../base/units.ts";
import type { HardState, LogBoundary } from "./api.ts";
import { Malformed } from "./bytes.ts";
import { EntryPlaces, type StoredRange, type Unstored } from "./entry-places.ts";
import type { Operation, StoredEntry } from "./operations.ts";
import { type TermRun, TermRuns } from "./term-runs.ts";

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
export interface Captured extends LogMoment, Unstored {}

export class RecordLogCore {
  readonly #places: EntryPlaces;
  readonly #runs: TermRuns;
  #boundary: LogBoundary | undefined;
  #hardState: HardState | undefined;
  readonly #stable: Map<string, Uint8Array>;
  #snapshotMeta: Uint8Array | undefined;
  #lsn: Lsn;
  /** No older than the newest change of hard state, stable keys or snapshot. */
  #stateLsn: Lsn;
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

  constructor(moment?: LogMoment) {
    this.#places = new EntryPlaces(moment);
    this.#runs = new TermRuns(moment?.runs);
    this.#boundary = moment?.boundary;
    this.#hardState = moment?.hardState;
    this.#stable = new Map(moment?.stable);
    this.#snapshotMeta = moment?.snapshotMeta;
    this.#lsn = this.#stateLsn = moment?.lsn ?? LSN_ZERO;
  }

  get boundary(): LogBoundary | undefined {
    return this.#boundary;
  }

  get isEmpty(): boolean {
    return this.#places.first === this.#places.next;
  }

  get firstIndex(): bigint | undefined {
    return this.isEmpty ? undefined : this.#places.first;
  }

  /** Of the last entry, else of the boundary. */
  get lastIndex(): bigint | undefined {
    return this.isEmpty ? this.#boundary?.index : this.#places.next - 1n;
  }

  /** Term of the last entry, else of the boundary. */
  get lastTerm(): bigint | undefined {
    return this.isEmpty ? this.#boundary?.term : this.#runs.last;
  }

  /** The only index that may be appended; undefined if any may. */
  get nextIndex(): bigint | undefined {
    return this.isEmpty && this.#boundary === undefined ? undefined : this.#places.next;
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
    return this.#places.unstoredBytes;
  }

  get cachedBytes(): number {
    return this.#places.cachedBytes;
  }

  get ranges(): readonly StoredRange[] {
    return this.#places.ranges;
  }

  /** Undefined for an index at which there is neither an entry nor the boundary. */
  termAt(index: bigint): bigint | undefined {
    if (index >= this.#places.first && index < this.#places.next) return this.#runs.at(index);
    return this.#boundary?.index === index ? this.#boundary.term : undefined;
  }

  /** Undefined for an entry that is only in a chunk. The caller knows that there is one. */
  inMemory(index: bigint): StoredEntry | undefined {
    return this.#places.inMemory(index);
  }

  /** Where an entry lies that is not in memory. */
  rangeOf(index: bigint): StoredRange {
    return this.#places.rangeOf(index);
  }

  /** See (3). Takes ownership of the entries, whose bytes never change. */
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
    return index === this.#places.next && term === this.#runs.last && this.#places.first !== index;
  }

  /** Takes ownership of an entry that it `takes`. */
  appendOne(entry: StoredEntry, lsn: Lsn): void {
    this.#lowest = undefined;
    this.#places.append(entry);
    this.#lsn = lsn;
    this.#heldFrom ??= lsn;
    this.#dirty = true;
  }

  #append(firstIndex: bigint, entries: readonly StoredEntry[]): void {
    const { nextIndex } = this;
    if (nextIndex !== undefined && firstIndex !== nextIndex) throw new Malformed("a gap");
    if (nextIndex === undefined) this.#places.beginAt(firstIndex);
    let term = this.lastTerm ?? -1n;
    for (const entry of entries) {
      if (entry.term < term) throw new Malformed("a term falls");
      if (entry.term !== term || this.isEmpty) this.#runs.append(this.#places.next, entry.term);
      term = entry.term;
      this.#places.append(entry);
    }
  }

  #truncate(after: bigint | "all"): void {
    const last = this.#places.next - 1n;
    const floor = this.#places.first - 1n;
    const to = after === "all" || after < floor ? floor : after;
    if (to >= last) return;
    this.#shape += 1;
    this.#places.truncate(to);
    this.#runs.truncate(to);
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
    if (first >= this.#places.next) this.#runs.clear();
    else this.#runs.compact(first);
    this.#places.compact(first);
  }

  #clear(): void {
    this.#truncate("all");
    this.#shape += 1;
    this.#truncatedTo = -1n;
    this.#lowest = "none";
    this.#boundary = undefined;
    this.#runs.clear();
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

  /** Fixes what a checkpoint is to write. Until `install` or `abandon`, no other begins. */
  capture(): Captured {
    const { first, next, ranges } = this.#places;
    const unstored = this.#places.unstored();
    this.#dirty = false;
    this.#truncatedTo = undefined;
    this.#capturedEnd = next;
    this.#capturedFrom = this.#heldFrom;
    this.#heldFrom = undefined;
    return {
      boundary: this.#boundary,
      first,
      next,
      runs: [...this.#runs.all],
      ranges,
      hardState: this.#hardState,
      stable: new Map(this.#stable),
      snapshotMeta: this.#snapshotMeta,
      lsn: this.#lsn,
      ...unstored,
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
    const lastSame = this.#truncatedTo === undefined ? end - 1n : this.#truncatedTo;
    this.#places.store(ranges, lastSame);
  }

  /** Lets go of the oldest entries that lie in a chunk too, about so many bytes. */
  evict(bytes: number): void {
    this.#places.evict(bytes);
  }
}

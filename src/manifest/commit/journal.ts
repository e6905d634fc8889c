/**
 * THE JOURNAL: batches that are accepted now and take place afterwards, in order, exactly once.
 *
 *             enqueue                  its row is durable           applied, the row removed
 *     (none) ─────────► persisting ───────────────────────► pending ─────────────────────────► gone
 *                           │ refused: never there             │ breaks an invariant
 *                           ▼                                  ▼
 *                        (none)                            dead letter
 *
 * (1) What applies a batch removes its row in the same commit: after a crash it has taken place, or
 *     it waits for the next start, which applies it before anything is served.
 * (2) Batches take place in the order in which they were enqueued. While one cannot be applied, since
 *     the disk refuses it, those behind it wait.
 * (3) A batch that breaks an invariant when its turn comes would do so at every start. It becomes a
 *     dead letter, with the reason, and the journal goes on.
 * (4) Entries and bytes are bounded: beyond it BOP_BACKPRESSURE, and nothing was done.
 */
import { AssertionError } from "../../base/assert.ts";
import type { Clock, Disposer } from "../../base/env.ts";
import { isStorageError, StorageError } from "../../base/errors.ts";
import { MIB } from "../../base/units.ts";
import { wallMsOf } from "../../base/wall-ms.ts";
import { ByteReader, ByteWriter, Malformed } from "../rows/bytes.ts";
import { corrupt } from "../rows/envelope.ts";
import { type Operation, put, remove } from "../rows/table.ts";
import { type DeadLetterRow, deadLetters } from "../tables/dead-letters.ts";
import { type PendingBatchRow, pendingBatches } from "../tables/pending-batches.ts";
import type { Batch, Receipt } from "./batch.ts";
import { decodeOperations, encodeOperations } from "./batch-codec.ts";

export interface JournalLimits {
  readonly entries: number;
  readonly bytes: number;
}

export const JOURNAL_LIMITS: JournalLimits = { entries: 10_000, bytes: 64 * MIB };

/** Of one commit that applies what waits. */
const APPLY_MAX = 256;
const RETRY_MS = 1000;
/** Characters of what a dead letter says. */
const REASON_MAX = 4000;

export interface JournalOptions {
  readonly submit: (batch: Batch) => Promise<Receipt>;
  readonly clock: Clock;
  readonly limits: JournalLimits;
  /** Where the store lies, for messages. */
  readonly file: string;
}

export interface JournalStats {
  readonly entries: number;
  readonly bytes: number;
  /** Age of the oldest. */
  readonly oldestMs: number;
  /** Entries that an earlier process had left. */
  readonly replayed: number;
  readonly applied: number;
  readonly dead: number;
}

/** What an earlier process left, in order of sequence. */
export interface JournalRows {
  readonly pending: readonly PendingBatchRow[];
  readonly dead: readonly DeadLetterRow[];
}

interface Entry {
  readonly sequence: number;
  readonly operations: readonly Operation[];
  readonly row: PendingBatchRow;
  readonly sinceMs: number;
  state: "persisting" | "pending";
}

export class Journal {
  readonly #options: JournalOptions;
  /** In order of sequence. */
  readonly #entries: Entry[] = [];
  #bytes = 0;
  #next = 1;
  #applying: Promise<void> | undefined;
  #retry: Disposer | undefined;
  #closed = false;
  readonly #counts = { replayed: 0, applied: 0, dead: 0 };

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  get stats(): JournalStats {
    const [oldest] = this.#entries;
    const oldestMs = oldest ? this.#options.clock.monotonicMs() - oldest.sinceMs : 0;
    return { entries: this.#entries.length, bytes: this.#bytes, oldestMs, ...this.#counts };
  }

  /** Applies what an earlier process left, in order. Throws what stops it. */
  async replay({ pending, dead }: JournalRows): Promise<void> {
    for (const { sequence } of [...pending, ...dead])
      this.#next = Math.max(this.#next, sequence + 1);
    for (const row of pending) this.#add({ row, operations: this.#decode(row), state: "pending" });
    this.#counts.replayed = pending.length;
    while (this.#entries.length > 0) await this.#applySome();
  }

  /** Resolves when the batch survives a crash. It takes place soon after. */
  async enqueue(operations: readonly Operation[]): Promise<void> {
    const { clock, limits, submit } = this.#options;
    const batch = encodeOperations(operations, new ByteWriter()).finish().slice();
    if (this.#closed) throw closed();
    if (this.#entries.length >= limits.entries) throw full("entries of the manifest's journal");
    if (this.#bytes + batch.length > limits.bytes) throw full("bytes of the manifest's journal");
    const sequence = this.nextSequence();
    const row = { sequence, enqueuedAtMs: wallMsOf(clock), batch };
    const entry = this.#add({ row, operations, state: "persisting" });
    try {
      await submit({ operations: [put(pendingBatches, row)] });
    } catch (error) {
      this.#drop(1, this.#entries.indexOf(entry));
      this.#consider();
      throw error;
    }
    entry.state = "pending";
    this.#consider();
  }

  /** Those of dead letters are of the same row: what is buried keeps its own. */
  nextSequence(): number {
    const sequence = this.#next;
    this.#next += 1;
    return sequence;
  }

  /** Waits for what is being applied; what waits is applied at the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.dispose();
    await this.#applying;
  }

  #add(found: Pick<Entry, "row" | "operations" | "state">): Entry {
    const { sequence, batch } = found.row;
    const entry = { sequence, sinceMs: this.#options.clock.monotonicMs(), ...found };
    this.#entries.push(entry);
    this.#bytes += batch.length;
    return entry;
  }

  #drop(count: number, at = 0): void {
    for (const { row } of this.#entries.splice(at, count)) this.#bytes -= row.batch.length;
  }

  /** Applies what is pending, unless that is under way or it is not the time. */
  #consider(): void {
    if (this.#closed || this.#retry !== undefined) return;
    this.#applying ??= this.#apply().finally(() => {
      this.#applying = undefined;
    });
  }

  /** Does not reject. */
  async #apply(): Promise<void> {
    try {
      while (this.#entries[0]?.state === "pending" && !this.#closed) await this.#applySome();
    } catch (error) {
      // Anything else has ended the manifest: the next start goes on with the journal.
      const isRefused = isStorageError(error, "BOP_DISK_FULL") || isStorageError(error, "BOP_IO");
      if (isRefused) this.#retryLater();
    }
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#retry = this.#options.clock.after(RETRY_MS, () => {
      this.#retry = undefined;
      this.#consider();
    });
  }

  /** The oldest ones in one commit; if that breaks an invariant, the oldest alone. */
  async #applySome(): Promise<void> {
    const first = this.#entries.findIndex(({ state }) => state !== "pending");
    const end = Math.min(first < 0 ? this.#entries.length : first, APPLY_MAX);
    const entries = this.#entries.slice(0, end);
    try {
      await this.#submit(entries);
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      const [oldest] = entries as [Entry];
      if (entries.length === 1) await this.#bury(oldest, error);
      else await this.#applyOne(oldest);
    }
  }

  async #applyOne(entry: Entry): Promise<void> {
    try {
      await this.#submit([entry]);
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      await this.#bury(entry, error);
    }
  }

  /** See (1). */
  async #submit(entries: readonly Entry[]): Promise<void> {
    const operations = entries.flatMap((entry) => [
      ...entry.operations,
      remove(pendingBatches, entry.sequence),
    ]);
    await this.#options.submit({ operations });
    this.#counts.applied += entries.length;
    this.#drop(entries.length);
  }

  /** See (3). */
  async #bury({ sequence, row }: Entry, why: AssertionError): Promise<void> {
    const letter = {
      sequence,
      kind: "batch",
      atMs: row.enqueuedAtMs,
      attempts: 1,
      subject: `batch ${sequence} of the journal`,
      reason: why.message.slice(0, REASON_MAX),
      bytes: row.batch.length,
      body: row.batch,
    } as const;
    const operations = [put(deadLetters, letter), remove(pendingBatches, sequence)];
    await this.#options.submit({ operations });
    this.#counts.dead += 1;
    this.#drop(1);
  }

  #decode(row: PendingBatchRow): Operation[] {
    try {
      return decodeOperations(new ByteReader(row.batch));
    } catch (cause) {
      if (!(cause instanceof Malformed)) throw cause;
      const key = pendingBatches.encodeKey(row.sequence);
      const found = { key, value: row.batch, file: this.#options.file };
      throw corrupt(found, `a batch of the journal: ${cause.message}`, cause);
    }
  }
}

function full(what: string): StorageError {
  return new StorageError("BOP_BACKPRESSURE", `too many ${what} wait; try again in a moment`, {
    details: { full: what, retryAfterMs: RETRY_MS },
  });
}

function closed(): StorageError {
  return new StorageError("BOP_CLOSED", "the manifest was closed", {
    details: { what: "manifest" },
  });
}

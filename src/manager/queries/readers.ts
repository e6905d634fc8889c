/**
 * READERS THAT TAKE LONG: iterators, and transactions that only read. Each has a moment of its
 * database pinned, whose pages stay in memory or in chunks for as long.
 *
 * (1) They are known in the order in which they began, so the oldest is the first.
 * (2) Where `maxReaderAgeMs` is set, one timer waits for the oldest. Whoever is older than that is
 *     ended: his moment is given back at once, and he hears BOP_SNAPSHOT_TOO_OLD at his next step.
 * (3) Who has nothing pinned just now is let be, and so is who writes, or waits for the writer. He
 *     is looked at again when as much time has passed once more.
 */
import { present } from "../../base/assert.ts";
import type { Clock, Disposer } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { bytesBetween, type Lsn } from "../../base/units.ts";

/** An open database. */
export interface ReaderOwner {
  readonly options: { readonly name: () => string };
}

export interface Reader {
  readonly owner: ReaderOwner;
  /** The moment that he reads at; undefined as (3) says. */
  readonly lsn: () => Lsn | undefined;
  readonly end: (error: StorageError) => void;
}

export interface OldestReader {
  readonly database: string;
  readonly lsn: Lsn;
  readonly ageMs: number;
  /** Log of the whole store that has been written since its moment. */
  readonly behindBytes: number;
}

export interface ReadersOptions {
  readonly clock: Clock;
  /** Undefined: nobody is ended. */
  readonly maxReaderAgeMs: number | undefined;
}

interface Known extends Reader {
  sinceMs: number;
}

export class Readers {
  readonly #clock: Clock;
  readonly #maxAgeMs: number | undefined;
  /** See (1). */
  readonly #known = new Set<Known>();
  #timer: Disposer | undefined;
  #ended = 0;

  constructor({ clock, maxReaderAgeMs }: ReadersOptions) {
    this.#clock = clock;
    this.#maxAgeMs = maxReaderAgeMs;
  }

  /** How many were ended for their age. */
  get endedCount(): number {
    return this.#ended;
  }

  /** Disposed of when he is done, or was ended. */
  begin(reader: Reader): Disposer {
    const known: Known = { ...reader, sinceMs: this.#clock.monotonicMs() };
    this.#known.add(known);
    if (this.#maxAgeMs !== undefined) this.#arm(this.#maxAgeMs);
    return { dispose: () => this.#known.delete(known) };
  }

  /** The connections of a database were closed under whoever read by them. */
  forget(owner: ReaderOwner): void {
    for (const known of this.#known) if (known.owner === owner) this.#known.delete(known);
  }

  oldest(newestLsn: Lsn): OldestReader | undefined {
    for (const { owner, lsn, sinceMs } of this.#known) {
      const at = lsn();
      if (at === undefined) continue;
      return {
        database: owner.options.name(),
        lsn: at,
        ageMs: Math.round(this.#clock.monotonicMs() - sinceMs),
        behindBytes: bytesBetween(at, newestLsn),
      };
    }
    return undefined;
  }

  stop(): void {
    this.#timer?.dispose();
    this.#known.clear();
  }

  #arm(delayMs: number): void {
    this.#timer ??= this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#endOld(present(this.#maxAgeMs, "a timer without a limit"));
    });
  }

  /** See (2). */
  #endOld(maxAgeMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    let nextMs: number | undefined;
    for (const known of [...this.#known]) {
      const restMs = known.sinceMs + maxAgeMs - nowMs;
      if (restMs > 0) {
        nextMs = restMs;
        break;
      }
      const ageMs = Math.round(nowMs - known.sinceMs);
      if (known.lsn() !== undefined) this.#end(known, { ageMs, maxAgeMs });
    }
    if (this.#known.size > 0) this.#arm(nextMs ?? maxAgeMs);
  }

  #end(known: Known, { ageMs, maxAgeMs }: { ageMs: number; maxAgeMs: number }): void {
    this.#known.delete(known);
    this.#ended += 1;
    const database = known.owner.options.name();
    const message =
      `the reader of ${JSON.stringify(database)} has been open for ${ageMs} ms, ` +
      `longer than maxReaderAgeMs (${maxAgeMs})`;
    const details = { database, ageMs, maxReaderAgeMs: maxAgeMs };
    known.end(new StorageError("BOP_SNAPSHOT_TOO_OLD", message, { details }));
  }
}

/**
 * THE OUTPUT GATE: an answer leaves when every commit that it observed is durable.
 *
 * (1) `pass` runs its release at once if the LSN is durable, else when it becomes so, in order of
 *     LSN; two waiters of one LSN are released in the order in which they came.
 * (2) After `fail` every waiter, present and future, above the durable LSN gets the error.
 * (3) A waiter is a pair of functions and not a promise, so that one group of commits costs one
 *     waiter however many callers it answers, and nobody leaves a rejection unowned.
 * (4) There is one gate for each level: what is durable here (this class), and what is in the sink
 *     (RemoteGate). Whoever waits for one level never touches the gate of the other.
 */
import type { StorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";

export interface GateWaiter {
  /** The answer may leave. */
  release(): void;
  /** It may never leave; the error says why. */
  refuse(error: StorageError): void;
}

interface Waiting {
  readonly lsn: Lsn;
  readonly waiter: GateWaiter;
}

export class OutputGate {
  #durableLsn: Lsn;
  #failure: StorageError | undefined;
  /** Sorted by LSN; commits come in that order, so an insertion is nearly always at the end. */
  readonly #waiting: Waiting[] = [];

  constructor(durableLsn: Lsn) {
    this.#durableLsn = durableLsn;
  }

  get durableLsn(): Lsn {
    return this.#durableLsn;
  }

  /** Nothing above the durable LSN will ever leave. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  isOpen(lsn: Lsn): boolean {
    return lsn <= this.#durableLsn;
  }

  pass(lsn: Lsn, waiter: GateWaiter): void {
    if (this.isOpen(lsn)) waiter.release();
    else if (this.#failure !== undefined) waiter.refuse(this.#failure);
    else this.#insert({ lsn, waiter });
  }

  /** The same as a promise, for callers that are not on the hot path. */
  passed(lsn: Lsn): Promise<void> {
    if (this.isOpen(lsn)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.pass(lsn, { release: resolve, refuse: reject });
    });
  }

  advance(durableLsn: Lsn): void {
    if (durableLsn <= this.#durableLsn) return;
    this.#durableLsn = durableLsn;
    let count = 0;
    while (count < this.#waiting.length && (this.#waiting[count]?.lsn ?? 0) <= durableLsn) count++;
    // Taken out before they run: a released caller may come back with a new commit at once.
    for (const { waiter } of this.#waiting.splice(0, count)) waiter.release();
  }

  fail(error: StorageError): void {
    this.#failure = error;
    for (const { waiter } of this.#waiting.splice(0)) waiter.refuse(error);
  }

  /** Refuses those who wait for more than an LSN; the others go on waiting. */
  protected refuseAbove(lsn: Lsn, error: StorageError): void {
    const first = this.#waiting.findIndex((waiting) => waiting.lsn > lsn);
    if (first < 0) return;
    for (const { waiter } of this.#waiting.splice(first)) waiter.refuse(error);
  }

  #insert(entry: Waiting): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1]?.lsn ?? 0) > entry.lsn) at--;
    if (at === this.#waiting.length) this.#waiting.push(entry);
    else this.#waiting.splice(at, 0, entry);
  }
}

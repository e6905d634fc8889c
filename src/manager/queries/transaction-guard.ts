/** WHAT ENDS A TRANSACTION FROM OUTSIDE: its time, its caller's signal, the age of a reader. */
import type { Disposer } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { transactionClosed } from "./closed.ts";
import type { OpenDatabase } from "./open-database.ts";
import type { Scope, TransactionBody } from "./scope.ts";
import type { SeatRunner } from "./seat-runner.ts";
import { type TransactionLimits, timedOut } from "./transaction-options.ts";

export class TransactionGuard {
  readonly #timer: Disposer;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#end(this.#signal?.reason);
  readonly #scope: Scope;
  #reject: (reason: unknown) => void = () => {};
  #reader: Disposer | undefined;
  reason: unknown;

  constructor(scope: Scope, options: TransactionLimits & { readonly database: OpenDatabase }) {
    const { timeoutMs, signal, database } = options;
    this.#scope = scope;
    this.#signal = signal;
    const { clock } = database.options.env;
    this.#timer = clock.deadline(timeoutMs, () => this.#end(timedOut(timeoutMs)));
    signal?.addEventListener("abort", this.#abort);
    if (signal?.aborted) this.#abort(); // While the transaction waited to begin.
  }

  /** As long as it only reads, it may be ended for its age: see readers.ts. */
  watchAge(runner: SeatRunner): void {
    const { database } = runner.transaction;
    this.#reader = database.options.readers.begin({
      owner: database,
      lsn: () => runner.readingLsn,
      end: (error) => this.#end(error),
    });
  }

  /** The function's result, unless the guard comes first. */
  race<T>(fn: TransactionBody<T>, scope: Scope): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      if (this.reason !== undefined) reject(this.reason);
      else (async () => fn(scope))().then(resolve, reject);
    });
  }

  assertIntact(): void {
    if (this.reason !== undefined) throw this.reason;
  }

  dispose(): void {
    this.#timer.dispose();
    this.#reader?.dispose();
    this.#signal?.removeEventListener("abort", this.#abort);
  }

  #end(reason: unknown): void {
    this.reason = reason ?? new Error("aborted");
    this.#scope.end(reason instanceof StorageError ? () => reason : transactionClosed);
    this.#reject(this.reason);
  }
}

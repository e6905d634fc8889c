/**
 * A SCOPE: one level of a function's transaction, the whole or a savepoint in it, in the user's hands.
 *
 *                SAVEPOINT             fn returned, RELEASE        done
 *     waiting ─────────────► open ───────────────────────────►
 *        │                     │       fn threw, left open: ROLLBACK TO
 *        └─────────────────────┴───────────────────────────────►   undone
 *
 * (1) A scope that has ended refuses every call with BOP_CLOSED, or with the reason that ended it,
 *     also those that its function left behind unawaited. When its function has returned, it takes no
 *     more calls, and those that it took are done before it ends.
 * (2) From the call of a nested transaction to its end, the outer one refuses calls: they would be
 *     inside of it. That is so while it still waits for the calls before it, too.
 * (3) A nested transaction begins behind the calls that were made before it. It is undone, and its caller
 *     hears why at once, when the outer one ends before it does: nothing is committed of one that has
 *     not said that it is whole.
 * (4) When the whole transaction has ended, its seat may be somebody else's: a savepoint of it is gone,
 *     and nothing is done about it.
 */
import { assert } from "../../base/assert.ts";
import type { StorageError } from "../../base/errors.ts";
import type { Transaction } from "../api/connection.ts";
import { leftOpen, transactionClosed } from "./closed.ts";
import { QueryableBase } from "./queryable.ts";
import type { Call, RowCall, Runner } from "./runner.ts";
import type { SeatRunner } from "./seat-runner.ts";
import type { SeatTransaction } from "./seat-transaction.ts";

export type TransactionBody<T> = (tx: Transaction) => Promise<T> | T;

export class Scope extends QueryableBase implements Transaction {
  protected readonly runner: Runner;
  readonly #seatRunner: SeatRunner;
  readonly #transaction: SeatTransaction;
  /** Undefined for the whole transaction, which others begin and end. */
  readonly #outer: Scope | undefined;
  /** The name of its savepoint. */
  readonly #point: string;
  readonly #depth: number;
  /** Asked when a call has its turn, which may be long after it was made. */
  readonly #permit = (): void => this.#assertOpen();
  #child: Scope | undefined;
  /** Its savepoint is there. */
  #isMarked = false;
  #hasReturned = false;
  #ended: (() => StorageError) | undefined;
  /** Tells who called it, while its function runs. */
  #reject: ((error: StorageError) => void) | undefined;

  constructor(seatRunner: SeatRunner, outer?: Scope) {
    super();
    this.#seatRunner = seatRunner;
    this.#transaction = seatRunner.transaction;
    this.#outer = outer;
    this.#depth = outer === undefined ? 0 : outer.#depth + 1;
    this.#point = `bop_${this.#depth}`;
    this.runner = {
      run: <T>(call: Call<T>) => this.#run(call),
      iterate: (call: RowCall) => this.#iterate(call),
      script: (sql, timeoutMs) => this.#guarded(() => this.#script(sql, timeoutMs)),
      describe: (sql) => this.#guarded(() => seatRunner.describe(sql, this.#permit)),
    };
  }

  async transaction<T>(fn: TransactionBody<T>): Promise<T> {
    this.#assertCurrent();
    const child = new Scope(this.#seatRunner, this);
    this.#child = child;
    try {
      return await child.#runNested(fn);
    } finally {
      this.#child = undefined;
    }
  }

  /** Its function has returned: see (1) and (3). */
  leave(): void {
    this.#hasReturned = true;
    const child = this.#child;
    if (child !== undefined) child.#undo(leftOpen);
  }

  /** From now on every call is refused with this error; a nested scope's too. */
  end(error: () => StorageError): void {
    this.#child?.end(error);
    this.#ended ??= error;
    this.#reject?.(this.#ended());
    this.#reject = undefined;
    const mayWait = this.#outer === undefined || this.#isMarked;
    if (mayWait) this.#seatRunner.stopWaiting(error);
  }

  /** The life of a savepoint. */
  async #runNested<T>(fn: TransactionBody<T>): Promise<T> {
    try {
      const waiting = this.#seatRunner.behindCalls(() => this.#mark());
      if (waiting !== undefined) await waiting;
      const result = await this.#untilEnd(fn);
      this.#reject = undefined;
      this.leave();
      await this.#seatRunner.settled();
      this.#assertOpen();
      this.#transaction.command(`RELEASE ${this.#point}`);
      this.#isMarked = false;
      return result;
    } catch (error) {
      this.#undo(transactionClosed);
      throw error;
    } finally {
      this.end(transactionClosed);
    }
  }

  #mark(): void {
    this.#assertOpen();
    if (!this.#transaction.isOpen) throw transactionClosed();
    this.#transaction.command(`SAVEPOINT ${this.#point}`);
    this.#isMarked = true;
  }

  /** What the function gives, unless the scope ends before. */
  #untilEnd<T>(fn: TransactionBody<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      (async () => fn(this))().then(resolve, reject);
    });
  }

  /** Ends it, and undoes what it has done, if it has. See (4). */
  #undo(error: () => StorageError): void {
    this.end(error);
    const outer = this.#outer;
    const isThere = this.#isMarked && outer !== undefined && outer.#ended === undefined;
    this.#isMarked = false;
    const { isOpen, refusal } = this.#transaction;
    if (!isThere || refusal !== undefined || !isOpen) return;
    this.#transaction.command(`ROLLBACK TO ${this.#point}`);
    this.#transaction.command(`RELEASE ${this.#point}`);
  }

  #run<T>(call: Call<T>): Promise<T> {
    try {
      this.#assertCurrent();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#seatRunner.run(call, this.#permit);
  }

  /** Its first step is the call that runs it. */
  #iterate(call: RowCall): AsyncIterableIterator<unknown> {
    this.#assertCurrent();
    let hasBegun = false;
    return this.#seatRunner.iterate(call, () => {
      if (hasBegun) this.#assertOpen();
      else this.#assertCurrent();
      hasBegun = true;
    });
  }

  #script(sql: string, timeoutMs: number | undefined): Promise<void> {
    assert(this.#transaction.isOpen, "a scope is open while its transaction is");
    return this.#seatRunner.script(sql, timeoutMs, this.#permit);
  }

  async #guarded<T>(run: () => Promise<T>): Promise<T> {
    this.#assertCurrent();
    return run();
  }

  #assertOpen(): void {
    if (this.#ended !== undefined) throw this.#ended();
    this.#transaction.assertNotLost();
    this.#transaction.database.assertOpen();
  }

  #assertCurrent(): void {
    this.#assertOpen();
    if (this.#hasReturned) throw transactionClosed();
    if (this.#child !== undefined) {
      throw new TypeError("a nested transaction is open; use the handle that it was given");
    }
  }
}

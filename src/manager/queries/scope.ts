/**
 * A SCOPE: one level of a function's transaction, the whole or a savepoint in it, in the user's hands.
 *
 * (1) A scope that has ended refuses every call with BOP_CLOSED, or with the reason that ended it,
 *     also those that its function left behind unawaited.
 * (2) While a nested scope is open, the outer one refuses calls: they would be inside of it.
 */
import { assert } from "../../base/assert.ts";
import type { StorageError } from "../../base/errors.ts";
import type { Transaction } from "../api/connection.ts";
import { transactionClosed } from "./closed.ts";
import { QueryableBase } from "./queryable.ts";
import type { Call, RowCall, Runner } from "./runner.ts";
import type { SeatRunner } from "./seat-runner.ts";
import type { SeatTransaction } from "./seat-transaction.ts";

export type TransactionBody<T> = (tx: Transaction) => Promise<T> | T;

export class Scope extends QueryableBase implements Transaction {
  protected readonly runner: Runner;
  readonly #seatRunner: SeatRunner;
  readonly #transaction: SeatTransaction;
  readonly #depth: number;
  /** Asked when a call has its turn, which may be long after it was made. */
  readonly #permit = (): void => this.#assertOpen();
  #child: Scope | undefined;
  #ended: (() => StorageError) | undefined;

  constructor(seatRunner: SeatRunner, depth = 0) {
    super();
    this.#seatRunner = seatRunner;
    this.#transaction = seatRunner.transaction;
    this.#depth = depth;
    this.runner = {
      run: <T>(call: Call<T>) => this.#run(call),
      iterate: (call: RowCall) => {
        this.#assertCurrent();
        return seatRunner.iterate(call, this.#permit);
      },
      script: (sql, timeoutMs) => this.#guarded(() => this.#script(sql, timeoutMs)),
      describe: (sql) => this.#guarded(() => seatRunner.describe(sql, this.#permit)),
    };
  }

  async transaction<T>(fn: TransactionBody<T>): Promise<T> {
    this.#assertCurrent();
    const child = new Scope(this.#seatRunner, this.#depth + 1);
    const name = `bop_${child.#depth}`;
    this.#transaction.command(`SAVEPOINT ${name}`);
    this.#child = child;
    try {
      const result = await fn(child);
      await this.#seatRunner.settled();
      this.#assertOpen();
      this.#transaction.command(`RELEASE ${name}`);
      return result;
    } catch (error) {
      if (this.#ended === undefined && this.#transaction.isOpen) {
        this.#transaction.command(`ROLLBACK TO ${name}`);
        this.#transaction.command(`RELEASE ${name}`);
      }
      throw error;
    } finally {
      child.end(transactionClosed);
      this.#child = undefined;
    }
  }

  /** From now on every call is refused with this error; a nested scope's too. */
  end(error: () => StorageError): void {
    this.#child?.end(error);
    this.#ended ??= error;
    this.#seatRunner.stopWaiting(error);
  }

  #run<T>(call: Call<T>): Promise<T> {
    try {
      this.#assertCurrent();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#seatRunner.run(call, this.#permit);
  }

  async #script(sql: string, timeoutMs: number | undefined): Promise<void> {
    const wasInTransaction = this.#transaction.isOpen;
    assert(wasInTransaction, "a scope is open while its transaction is");
    await this.#seatRunner.script(sql, timeoutMs, this.#permit);
    if (this.#transaction.isOpen || this.#ended !== undefined) return;
    throw new TypeError("the script ended the transaction; its function must do that by returning");
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
    if (this.#child !== undefined) {
      throw new TypeError("a nested transaction is open; use the handle that it was given");
    }
  }
}

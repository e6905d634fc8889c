/** SESSIONS of a user's own: a connection, a transaction. See database.ts for what they promise. */
import type { Durability } from "../gates/durability.ts";
import type { Queryable } from "./queryable.ts";

export interface Connection extends Queryable {
  /** True between BEGIN and COMMIT or ROLLBACK. */
  readonly inTransaction: boolean;
  transaction<T>(fn: (tx: Transaction) => Promise<T> | T, options?: TransactionOptions): Promise<T>;
  /** Rolls back what is open. Idempotent. */
  close(): Promise<void>;
}

export interface Transaction extends Queryable {
  /**
   * A savepoint: undone alone when `fn` throws. It begins when the calls are done that were made before
   * it. From its call to its end this handle refuses calls (TypeError): `fn` uses the one that it is
   * given. Await it: one that has not ended when the function around it returns is undone, and
   * rejects with BOP_CLOSED.
   */
  transaction<T>(fn: (tx: Transaction) => Promise<T> | T): Promise<T>;
}

export interface TransactionOptions {
  /**
   * `immediate` waits for the writers before it and then holds the write lock; `deferred` takes it
   * at its first write; `read` sees one durable moment and refuses writes. Default `immediate`.
   */
  readonly mode?: "immediate" | "deferred" | "read";
  /** Rolls back when it aborts, or ends the wait for the writer. */
  readonly signal?: AbortSignal;
  /**
   * Rolled back with BOP_TIMEOUT after this time. It waits for the writer for as long before that, with
   * the same end. Milliseconds. Default 5000.
   */
  readonly timeoutMs?: number;
  /**
   * What the statements in the function may show. `durable`: only what a power cut can no longer
   * take, so a transaction that follows another one waits for its flush before its first answer.
   * `committed`: also commits that are still being flushed, so that transactions in a row share
   * flushes. Nothing leaves the function before it is durable in either case, but for what the
   * function itself does meanwhile: with `committed`, let it do nothing that cannot be undone.
   * Default `durable`.
   */
  readonly reveal?: "durable" | "committed";
  /** What its answers and its end wait for. Default: the level of the database. */
  readonly durability?: Durability;
}

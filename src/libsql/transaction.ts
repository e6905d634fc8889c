/**
 * A TRANSACTION in the hands of a client, on a connection of its own.
 *
 *     open ── commit ──► committed, closed
 *       └──── rollback, close, a failed commit ──► rolled back, closed
 *
 * (1) Calls run in the order they were made: the connection sees to it.
 * (2) A statement that fails leaves the transaction open, unless SQLite rolled it back.
 * (3) In `read` mode SQLite itself refuses what would write (`query_only`).
 */
import type {
  InArgs,
  InStatement,
  IntMode,
  ResultSet,
  Transaction,
  TransactionMode,
} from "@libsql/core/api";
import type { Connection } from "../manager/index.ts";
import { batchError, libsqlError, transactionClosed } from "./error.ts";
import { runStatement, type Statement, statementOf } from "./statement.ts";

const BEGIN: Readonly<Record<TransactionMode, string>> = {
  write: "BEGIN IMMEDIATE",
  read: "BEGIN DEFERRED",
  deferred: "BEGIN DEFERRED",
};

/** Throws a RangeError for an unknown mode, SqliteError if the writer does not come free. */
export async function begin(connection: Connection, mode: TransactionMode): Promise<void> {
  if (!Object.hasOwn(BEGIN, mode)) {
    throw new RangeError(`the mode is ${JSON.stringify(mode)}; want write, read or deferred`);
  }
  await connection.execute(BEGIN[mode]);
  if (mode === "read") await connection.execute("PRAGMA query_only = 1");
}

/** Runs statements one behind the other; the error of one says which it was. */
export async function runAll(
  connection: Connection,
  statements: readonly Statement[],
  integers: IntMode,
): Promise<ResultSet[]> {
  const results: ResultSet[] = [];
  for (const [index, statement] of statements.entries()) {
    try {
      if (!connection.inTransaction) throw transactionClosed();
      results.push(await runStatement(connection, statement, integers));
    } catch (error) {
      throw batchError(error, index);
    }
  }
  return results;
}

export class EmbeddedTransaction implements Transaction {
  readonly #connection: Connection;
  readonly #integers: IntMode;
  readonly #onClose: (connection: Connection) => void;
  #closed = false;

  /** `onClose` gives the connection back, which rolls back what is open. Called once. */
  constructor(
    connection: Connection,
    integers: IntMode,
    onClose: (connection: Connection) => void,
  ) {
    this.#connection = connection;
    this.#integers = integers;
    this.#onClose = onClose;
  }

  get closed(): boolean {
    return this.#closed || !this.#connection.inTransaction;
  }

  async execute(statement: InStatement, args?: InArgs): Promise<ResultSet> {
    const connection = this.#open();
    try {
      return await runStatement(connection, statementOf(statement, args), this.#integers);
    } catch (error) {
      throw libsqlError(error);
    }
  }

  async batch(statements: (InStatement | [string, InArgs?])[]): Promise<ResultSet[]> {
    return runAll(this.#open(), statements, this.#integers);
  }

  async executeMultiple(sql: string): Promise<void> {
    const connection = this.#open();
    await connection.exec(sql).catch((error) => {
      throw libsqlError(error);
    });
  }

  async commit(): Promise<void> {
    const connection = this.#open();
    try {
      await connection.execute("COMMIT");
    } catch (error) {
      throw libsqlError(error);
    } finally {
      this.close();
    }
  }

  async rollback(): Promise<void> {
    this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this.#connection);
  }

  #open(): Connection {
    if (this.closed) throw transactionClosed();
    return this.#connection;
  }
}

/**
 * THE CLIENT of @libsql/client, running embedded.
 *
 * (1) Each call has a connection of its own for as long as it takes, and a transaction one until it
 *     ends, as each has a stream of its own over HTTP. A connection costs nothing until something
 *     pins it, and plain statements of all connections share transactions and flushes.
 * (2) A promise that resolves has seen its commit become durable.
 * (3) The store is opened by the first call. `close` rolls back open transactions, refuses what still
 *     waits with CLIENT_CLOSED, and gives the store back; the last client closes it.
 */
import type {
  Client,
  InArgs,
  InStatement,
  Replicated,
  ResultSet,
  Transaction,
  TransactionMode,
} from "@libsql/core/api";
import type { Connection, Database } from "../manager/index.ts";
import { SqliteError } from "../sqlite/index.ts";
import { type Config, type ResolvedConfig, resolveConfig, syncNotSupported } from "./config.ts";
import { batchError, clientClosed, libsqlError } from "./error.ts";
import { acquireStore } from "./shared-store.ts";
import { mayShare, runBatch, runStatement, type Statement, statementOf } from "./statement.ts";
import { begin, EmbeddedTransaction, runAll } from "./transaction.ts";

/** A client of a database in a store of this machine. */
export function createClient(config: Config): Client {
  return new EmbeddedClient(resolveConfig(config));
}

/** The database while the client is open, and what to do when it closes. */
interface Opened {
  readonly database: Database;
  release(): Promise<void>;
}

class EmbeddedClient implements Client {
  readonly protocol = "file";
  closed = false;
  readonly #config: ResolvedConfig;
  readonly #connections = new Set<Connection>();
  #opened: Promise<Opened> | undefined;

  constructor(config: ResolvedConfig) {
    this.#config = config;
  }

  async execute(statement: InStatement, args?: InArgs): Promise<ResultSet> {
    const { integers } = this.#config;
    return this.#connected((connection) =>
      runStatement(connection, statementOf(statement, args), integers),
    );
  }

  async batch(
    statements: (InStatement | [string, InArgs?])[],
    mode: TransactionMode = "deferred",
  ): Promise<ResultSet[]> {
    if ((mode === "write" || mode === "deferred") && statements.every(mayShare)) {
      return this.#sharing(statements);
    }
    return this.#connected((connection) => this.#transact(connection, statements, mode));
  }

  async migrate(statements: InStatement[]): Promise<ResultSet[]> {
    return this.#connected(async (connection) => {
      await connection.execute("PRAGMA foreign_keys = off");
      return this.#transact(connection, statements, "deferred");
    });
  }

  async transaction(mode: TransactionMode = "write"): Promise<Transaction> {
    const connection = await this.#connect();
    try {
      await begin(connection, mode);
    } catch (error) {
      await this.#disconnect(connection);
      throw libsqlError(error);
    }
    // Nobody waits for a rollback; and one that fails fails with the store, which everybody sees.
    const onClose = (used: Connection) => void this.#disconnect(used).catch(() => {});
    return new EmbeddedTransaction(connection, this.#config.integers, onClose);
  }

  async executeMultiple(sql: string): Promise<void> {
    return this.#connected((connection) => connection.exec(sql));
  }

  async sync(): Promise<Replicated> {
    throw syncNotSupported();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#giveBack();
  }

  /** In the background: what was acknowledged is durable, and a store that fails here recovers. */
  #giveBack(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    const connections = [...this.#connections];
    this.#connections.clear();
    void Promise.all(connections.map((connection) => connection.close()))
      .then(async () => (await opened)?.release())
      .catch(() => {});
  }

  reconnect(): void {
    this.close();
    this.closed = false;
  }

  async #transact(
    connection: Connection,
    statements: readonly Statement[],
    mode: TransactionMode,
  ): Promise<ResultSet[]> {
    await begin(connection, mode);
    const results = await runAll(connection, statements, this.#config.integers);
    await connection.execute("COMMIT");
    return results;
  }

  /** Without a connection of its own: batches that wait together share a commit. */
  async #sharing(statements: readonly Statement[]): Promise<ResultSet[]> {
    const { database } = await this.#database();
    try {
      return await runBatch(database, statements, this.#config.integers);
    } catch (error) {
      if (this.closed) throw clientClosed();
      const index = error instanceof SqliteError ? error.statementIndex : undefined;
      throw index === undefined ? libsqlError(error) : batchError(error, index);
    }
  }

  async #connected<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#connect();
    try {
      return await work(connection);
    } catch (error) {
      throw this.closed ? clientClosed() : libsqlError(error);
    } finally {
      await this.#disconnect(connection);
    }
  }

  async #connect(): Promise<Connection> {
    const { database, opening } = await this.#database();
    try {
      const connection = await database.connect();
      if (this.#opened !== opening) {
        await connection.close();
        throw clientClosed();
      }
      this.#connections.add(connection);
      return connection;
    } catch (error) {
      if (this.#opened === opening) this.#giveBack();
      throw libsqlError(error);
    }
  }

  async #database(): Promise<{ database: Database; opening: Promise<Opened> }> {
    if (this.closed) throw clientClosed();
    this.#opened ??= this.#open();
    const opening = this.#opened;
    try {
      const { database } = await opening;
      if (this.#opened !== opening) throw clientClosed();
      return { database, opening };
    } catch (error) {
      // The next call tries again: another process may have let go of the store meanwhile.
      if (this.#opened === opening) this.#giveBack();
      throw libsqlError(error);
    }
  }

  async #disconnect(connection: Connection): Promise<void> {
    this.#connections.delete(connection);
    await connection.close();
  }

  async #open(): Promise<Opened> {
    const { store, database: name } = this.#config;
    if (typeof store !== "string") {
      const database = await store.database(name);
      return { database, release: () => database.close() };
    }
    const lease = await acquireStore(store);
    try {
      const database = await lease.manager.database(name);
      const release = async () => {
        await database.close();
        await lease.release();
      };
      return { database, release };
    } catch (error) {
      await lease.release();
      throw error;
    }
  }
}

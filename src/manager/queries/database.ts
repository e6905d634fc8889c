/** A database in the user's hands: a session without a connection of its own. */
import type { StorageError } from "../../base/errors.ts";
import type { EngineKind } from "../../sqlite/index.ts";
import type { Connection, Transaction, TransactionOptions } from "../api/connection.ts";
import type { BatchStatement, Database, ExportOptions } from "../api/database.ts";
import type { ExecuteOptions, ExecuteResult } from "../api/queryable.ts";
import type { DatabaseSnapshot, ForkOptions, SnapshotInfo } from "../families/family.ts";
import { momentOf } from "../families/forks.ts";
import type { Relations } from "../families/relations.ts";
import type { DurableOptions } from "../gates/durability.ts";
import { waitDurable } from "../gates/wait-durable.ts";
import { assertPath } from "../option-values.ts";
import { refuseUnknown } from "../refuse-unknown.ts";
import { exportDatabase } from "../transfer/export.ts";
import { TRANSFER_OPTIONS } from "../transfer/transfer-options.ts";
import { closedError } from "./closed.ts";
import { PinnedConnection } from "./connection.ts";
import { HandleRunner } from "./handle-runner.ts";
import type { OpenDatabase } from "./open-database.ts";
import { ownParameters } from "./own-parameters.ts";
import { executeForm, QueryableBase } from "./queryable.ts";
import type { Call, RowCall, Runner } from "./runner.ts";
import { Session } from "./session.ts";
import { transact } from "./transaction.ts";

const STATEMENT_KEYS = ["sql", "parameters"];

export class DatabaseHandle extends QueryableBase implements Database {
  protected readonly runner: Runner;
  readonly #database: OpenDatabase;
  readonly #inner: HandleRunner;
  readonly #relations: Relations;
  readonly #session = new Session();
  #closed: StorageError | undefined;

  constructor(database: OpenDatabase, relations: Relations) {
    super();
    this.#database = database;
    this.#relations = relations;
    const inner = new HandleRunner(database, this.#session);
    this.#inner = inner;
    this.runner = {
      run: <T>(call: Call<T>) => (this.#closed ? Promise.reject(this.#closed) : inner.run(call)),
      iterate: (call: RowCall) => {
        this.#assertOpen();
        return inner.iterate(call);
      },
      script: async (sql, timeoutMs) => {
        this.#assertOpen();
        return inner.script(sql, timeoutMs);
      },
      describe: async (sql) => {
        this.#assertOpen();
        return inner.describe(sql);
      },
    };
  }

  get name(): string {
    return this.#database.options.name();
  }

  get engine(): EngineKind {
    return this.#database.options.kind;
  }

  async transaction<T>(
    fn: (tx: Transaction) => Promise<T> | T,
    options?: TransactionOptions,
  ): Promise<T> {
    this.#assertOpen();
    return transact({ database: this.#database, session: this.#session }, fn, options);
  }

  async batch(
    statements: readonly BatchStatement[],
    options?: ExecuteOptions,
  ): Promise<ExecuteResult[]> {
    this.#assertOpen();
    const { shape, timeoutMs } = executeForm("batch", options);
    return this.#inner.batch({ statements: batchOf(statements), shape, timeoutMs });
  }

  async connect(): Promise<Connection> {
    this.#assertOpen();
    this.#database.assertOpen();
    return new PinnedConnection(this.#database);
  }

  async export(path: string, { at, ...options }: ExportOptions = {}): Promise<void> {
    assertPath("export", path);
    this.#assertOpen();
    const database = this.#database;
    const moment = momentOf(at, "export");
    if (moment === undefined) {
      return exportDatabase({ database, session: this.#session, path }, options);
    }
    if (!("snapshot" in moment)) {
      refuseUnknown("export", options, TRANSFER_OPTIONS);
      return this.#relations.exportPast({ database, at: moment, path }, options);
    }
    const opened = await this.openSnapshot(moment.snapshot);
    try {
      await opened.export(path, options);
    } finally {
      await opened.close();
    }
  }

  async fork(name: string, options?: ForkOptions): Promise<Database> {
    this.#assertOpen();
    const place = { database: this.#database, session: this.#session };
    const { forks } = this.#relations;
    const fork = await place.session.calls.inOrder(() => forks.fork(place, name, options));
    return new DatabaseHandle(fork, this.#relations);
  }

  async snapshot(name: string): Promise<SnapshotInfo> {
    const database = this.#usable();
    const session = this.#session;
    const caughtUp = (): void => {
      database.assertOpen();
      database.catchUp(session);
    };
    const { snapshots } = this.#relations;
    return session.calls.inOrder(() => snapshots.take(database.options.stream, name, caughtUp));
  }

  async snapshots(): Promise<SnapshotInfo[]> {
    return this.#relations.snapshots.list(this.#usable().options.stream);
  }

  async dropSnapshot(name: string): Promise<void> {
    await this.#relations.snapshots.drop(this.#usable().options.stream, name);
  }

  async openSnapshot(name: string): Promise<DatabaseSnapshot> {
    return this.#relations.snapshots.open(this.#usable(), name);
  }

  async durable(lsn: number, options?: DurableOptions): Promise<void> {
    const { level } = this.#usable();
    await waitDurable(this.#relations.store, { lsn, level }, options);
  }

  async close(): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#closed = closedError("database handle");
    this.#inner.close(this.#closed);
  }

  #usable(): OpenDatabase {
    this.#assertOpen();
    this.#database.assertOpen();
    return this.#database;
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }
}

/** What `batch` was given, in one form. Throws a TypeError. */
function batchOf(statements: readonly BatchStatement[]) {
  if (!Array.isArray(statements)) throw new TypeError("batch: want an array of statements");
  return statements.map((statement: BatchStatement, index) => {
    if (typeof statement === "string") return { sql: statement, parameters: [] };
    const { sql, parameters = [] } = statement ?? {};
    if (typeof sql !== "string") {
      throw new TypeError(`batch: statement ${index} is neither a text nor { sql, parameters }`);
    }
    refuseUnknown(`batch, statement ${index}`, statement, STATEMENT_KEYS);
    return { sql, parameters: ownParameters(parameters) };
  });
}

/**
 * A DATABASE as programs hold it.
 *
 * (1) A handle (Database, Connection, Transaction) is a session: it reads what it wrote, in the
 *     order of its calls, and nothing that is not durable except by waiting for it.
 * (2) A promise that resolves with a result or rejects with an SQL error has waited until every
 *     commit that the answer depends on is durable.
 */
import type { EngineKind, SqlParameters } from "../../sqlite/index.ts";
import type { DatabaseSnapshot, ForkOptions, SnapshotInfo } from "../families/family.ts";
import type { Durability, DurableOptions } from "../gates/durability.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";
import type { Connection, Transaction, TransactionOptions } from "./connection.ts";
import type { ExecuteOptions, ExecuteResult, Queryable } from "./queryable.ts";

export interface Database extends Queryable {
  readonly name: string;
  readonly engine: EngineKind;
  /**
   * Runs `fn` in a transaction: commits when it returns, rolls back when it throws. Resolves when
   * durable. Is never run again by itself: a conflict (SQLITE_BUSY…) is the caller's to retry.
   */
  transaction<T>(fn: (tx: Transaction) => Promise<T> | T, options?: TransactionOptions): Promise<T>;
  /**
   * Runs statements in order as one transaction: all of them take effect, or none. Nothing in it
   * waits for the caller, so the batches of many callers share commits and flushes as single
   * statements do; `transaction` is for what decides on the way. Resolves when durable. Rejects
   * with the error of the first statement that fails, whose place a SqliteError has in
   * `statementIndex`.
   */
  batch(statements: readonly BatchStatement[], options?: ExecuteOptions): Promise<ExecuteResult[]>;
  /** A session of its own: user-driven BEGIN, temp tables, changed pragmas. Close it. */
  connect(): Promise<Connection>;
  /** Writes a consistent copy to a file that any SQLite opens. Refuses an existing file. */
  export(path: string, options?: ExportOptions): Promise<void>;
  /**
   * A database that begins as this one is now, or was at a moment, and goes its own way from there.
   * Takes milliseconds whatever the size: they share pages until one of them changes one. Resolves
   * when durable. See docs/forks.md.
   */
  fork(name: string, options?: ForkOptions): Promise<Database>;
  /** Keeps this moment under a name, until it is dropped. */
  snapshot(name: string): Promise<SnapshotInfo>;
  /** What it can be read at: its own snapshots, in order of name, then those of the store. */
  snapshots(): Promise<SnapshotInfo[]>;
  /** Forgets a snapshot of its own. What was opened of it stays open. */
  dropSnapshot(name: string): Promise<void>;
  /** Opens a moment for reading: its own snapshot of that name, or else the store's. Close it. */
  openSnapshot(name: string): Promise<DatabaseSnapshot>;
  /**
   * Resolves when the store's log is durable up to an LSN, which results and errors tell: at the
   * level of the database, or another.
   */
  durable(lsn: number, options?: DurableOptions): Promise<void>;
  /** Gives the handle back. Its statements throw BOP_CLOSED. Idempotent. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Engine of a database that is created. A database remembers its engine. Default "sqlite". */
  readonly engine?: EngineKind;
  /** Bytes of a page of a database that is created: 512 to 65536, a power of two. Default 4096. */
  readonly pageBytes?: number;
  /** With false, an unknown name throws BOP_NOT_FOUND instead of creating it. Default true. */
  readonly create?: boolean;
  /**
   * What this database may have waiting in memory for the device; beyond it its own new transactions
   * wait, and are refused with BOP_BACKPRESSURE in time, while other databases go on. Holds until
   * the store is closed, or this is given again. Bytes, from 128 KiB to 16 GiB. Default: no limit
   * but the store's.
   */
  readonly maxBacklogBytes?: number;
  /**
   * What its answers wait for: see Durability. Holds for all its handles until the store is closed,
   * or this is given again; a fork begins with that of its origin. Default: the store's.
   */
  readonly durability?: Durability;
}

/** A statement of a batch: its text, or its text with parameters. */
export type BatchStatement = string | { readonly sql: string; readonly parameters?: SqlParameters };

export interface ExportOptions extends TransferOptions {
  /**
   * The moment that is written: as for a fork. What lies behind the window is BOP_SNAPSHOT_GONE.
   * Default: now.
   */
  readonly at?: ForkOptions["at"];
}

export interface DatabaseInfo {
  readonly name: string;
  /** The name as one segment of a URL or a path: see `slugOf`. */
  readonly slug: string;
  readonly engine: EngineKind;
  readonly pageBytes: number;
  /** Size at the newest durable commit: pages × bytes of a page. */
  readonly sizeBytes: number;
  readonly createdAt: Date;
  /** Undefined for what is no fork. The name is that of now; undefined once the origin is gone. */
  readonly forkedFrom: { readonly name: string | undefined; readonly lsn: number } | undefined;
  /** How many it has of its own. */
  readonly snapshots: number;
  /** When it was last restored from the sink and found whole; undefined if it never was. */
  readonly triedAt: Date | undefined;
}

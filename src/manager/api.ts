/**
 * THE PUBLIC TYPES of the embedded engine: what a program that imports "bop-storage" works with.
 *
 * (1) A handle (Database, Connection, Transaction) is a session: it reads what it wrote, in the
 *     order of its calls, and nothing that is not durable except by waiting for it.
 * (2) A promise that resolves with a result or rejects with an SQL error has waited until every
 *     commit that the answer depends on is durable.
 */
import type {
  ColumnInfo,
  EngineKind,
  IntegerMode,
  SqlInput,
  SqlParameters,
  SqlValue,
} from "../sqlite/index.ts";

export interface DatabaseOptions {
  /** Engine of a database that is created. A database remembers its engine. Default "sqlite". */
  readonly engine?: EngineKind;
  /** Bytes of a page of a database that is created: 512 to 65536, a power of two. Default 4096. */
  readonly pageBytes?: number;
  /** With false, an unknown name throws BOP_NOT_FOUND instead of creating it. Default true. */
  readonly create?: boolean;
}

/** What can run SQL: a database, a connection, a transaction. */
export interface Queryable {
  /**
   * A statement for repeated use. Synchronous and cheap; SQL errors surface at its first use, as
   * does more than one statement in the text (a TypeError).
   */
  prepare<R = Row>(sql: string): Statement<R>;
  /** Runs every statement of the text in order; stops at the first error. Drops rows. */
  exec(sql: string, options?: ExecOptions): Promise<void>;
  /**
   * Runs one statement and returns all there is to know: columns, rows as arrays, counters.
   * Integers come as bigint unless told otherwise.
   */
  execute(
    sql: string,
    parameters?: SqlParameters,
    options?: ExecuteOptions,
  ): Promise<ExecuteResult>;
  /** What a statement takes and gives, without running it. */
  describe(sql: string): Promise<StatementDescription>;
  /** Runs `PRAGMA <text>`; returns its rows. */
  pragma(text: string): Promise<Row[]>;
}

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
  export(path: string, options?: TransferOptions): Promise<void>;
  /** Gives the handle back. Its statements throw BOP_CLOSED. Idempotent. */
  close(): Promise<void>;
}

export interface Connection extends Queryable {
  /** True between BEGIN and COMMIT or ROLLBACK. */
  readonly inTransaction: boolean;
  transaction<T>(fn: (tx: Transaction) => Promise<T> | T, options?: TransactionOptions): Promise<T>;
  /** Rolls back what is open. Idempotent. */
  close(): Promise<void>;
}

export interface Transaction extends Queryable {
  /** A savepoint: undone alone when `fn` throws. */
  transaction<T>(fn: (tx: Transaction) => Promise<T> | T): Promise<T>;
}

export interface TransactionOptions {
  /**
   * `immediate` waits for the writers before it and then holds the write lock; `deferred` takes it
   * at its first write; `read` sees one durable moment and refuses writes. Default `immediate`.
   */
  readonly mode?: "immediate" | "deferred" | "read";
  /** Rolls back when it aborts. */
  readonly signal?: AbortSignal;
  /** Rolled back with BOP_TIMEOUT after this time. Milliseconds. Default 5000. */
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
}

export interface ExecOptions {
  /** The script ends with BOP_TIMEOUT after this time. Milliseconds. Default: none. */
  readonly timeoutMs?: number;
}

export interface ExecuteOptions {
  /** How integers come out. Default "bigint". */
  readonly integers?: IntegerMode;
  /** With false, rows are counted as work but not returned. Default true. */
  readonly rows?: boolean;
  /** Ends with BOP_TIMEOUT after this time. Milliseconds. Default: none. */
  readonly timeoutMs?: number;
  /**
   * A read whose rows take more than this ends with BOP_RESULT_TOO_LARGE. Bytes, counted roughly.
   * Default: no limit.
   */
  readonly maxBytes?: number;
}

/** A statement of a batch: its text, or its text with parameters. */
export type BatchStatement = string | { readonly sql: string; readonly parameters?: SqlParameters };

export interface ExecuteResult {
  readonly columns: readonly ColumnInfo[];
  readonly rows: SqlValue[][];
  /** Rows changed by this statement; 0 for what is not INSERT, UPDATE or DELETE. */
  readonly changes: number;
  readonly lastInsertRowid: bigint;
}

export interface StatementDescription {
  readonly parameterNames: readonly (string | undefined)[];
  readonly columns: readonly ColumnInfo[];
  readonly isReadonly: boolean;
  readonly isExplain: boolean;
}

export type Row = Record<string, SqlValue>;

export interface RunResult {
  readonly changes: number;
  /** A number, or a bigint beyond 2^53. */
  readonly lastInsertRowid: number | bigint;
  /** Position of the commit in the store's log; of the snapshot, if nothing was written. */
  readonly lsn: number;
}

/** Parameters are positional (`run(1, "a")`) or one object of named ones (`run({ id: 1 })`). */
export interface Statement<R = Row> {
  readonly sql: string;
  run(...parameters: StatementParameters): Promise<RunResult>;
  get(...parameters: StatementParameters): Promise<R | undefined>;
  all(...parameters: StatementParameters): Promise<R[]>;
  /** Rows of one snapshot, as they are asked for. Ending the loop early frees it. */
  iterate(...parameters: StatementParameters): AsyncIterableIterator<R>;
  /** The same statement; rows are the first column's values. */
  pluck<T = SqlValue>(): Statement<T>;
  /** The same statement; rows are arrays of values. */
  raw<T = SqlValue[]>(): Statement<T>;
  /**
   * The same statement; rows are objects by table: `{ note: { id: 1 }, $: { "count(*)": 2 } }`.
   * A TypeError with engine "libsql", whose build does not tell the tables of columns.
   */
  expand<T = Record<string, Row>>(): Statement<T>;
  /** The same statement with integers as `number` (throws beyond 2^53), `bigint` or `string`. */
  integers(mode: IntegerMode): Statement<R>;
  columns(): Promise<readonly ColumnInfo[]>;
}

export type StatementParameters =
  | readonly SqlInput[]
  | readonly [Readonly<Record<string, SqlInput>>];

export interface DatabaseInfo {
  readonly name: string;
  readonly engine: EngineKind;
  readonly pageBytes: number;
  /** Size at the newest durable commit: pages × bytes of a page. */
  readonly sizeBytes: number;
  readonly createdAt: Date;
}

export interface TransferOptions {
  /** Called now and then with bytes done and in all. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Stops the transfer and leaves nothing of it when it aborts. */
  readonly signal?: AbortSignal;
}

export interface ListOptions {
  /** Only names that begin with it. */
  readonly prefix?: string;
  /** Only names behind it: the last name of the page before. */
  readonly after?: string;
  /** 1 to 10,000. Default 1,000. */
  readonly limit?: number;
}

/** Plain, serialisable facts about a store. */
export interface Diagnostics {
  readonly directory: string;
  readonly storeId: string;
  readonly state: "open" | "read-only" | "closing" | "closed";
  readonly openedAt: Date;
  /** The owner before this one ended without closing. */
  readonly recoveredFromCrash: boolean;
  readonly replayedCommits: number;
  readonly databases: { readonly known: number; readonly open: number };
  readonly log: {
    readonly newestLsn: number;
    readonly durableLsn: number;
    readonly checkpointLsn: number;
    readonly commits: number;
    readonly flushes: number;
    readonly frameBytes: number;
    readonly writtenBytes: number;
    readonly segments: number;
    readonly failedFlushes: number;
  };
  readonly pages: {
    readonly overlayBytes: number;
    readonly cacheBytes: number;
    readonly cacheHits: number;
    readonly cacheMisses: number;
    readonly chunks: number;
    readonly chunkBytes: number;
    readonly checkpoints: number;
    readonly openSnapshots: number;
  };
  /** The last unexpected failure of work that nobody waited for. */
  readonly lastFault: FaultContext | undefined;
}

export interface FaultContext {
  /** The error's code, or its class. */
  readonly kind: string;
  readonly where: string;
  readonly message: string;
  readonly stack: string;
  readonly at: Date;
  /** Faults since the store was opened. */
  readonly count: number;
}

export interface Manager {
  readonly directory: string;
  /** Opens the database of that name, or creates it. Resolves when its creation is durable. */
  database(name: string, options?: DatabaseOptions): Promise<Database>;
  list(options?: ListOptions): Promise<DatabaseInfo[]>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a database. Its open handles throw BOP_DROPPED from then on. */
  drop(name: string): Promise<void>;
  /** Makes a database of a SQLite file. Refused with BOP_IMPORT before anything is changed. */
  import(path: string, name: string, options?: TransferOptions): Promise<void>;
  /** Writes what the log holds to chunks, so that its segments can be used again. */
  checkpoint(): Promise<void>;
  diagnostics(): Diagnostics;
  /** Drains, checkpoints, marks the store clean. Idempotent. */
  close(): Promise<void>;
}

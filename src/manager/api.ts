/**
 * THE PUBLIC TYPES of the embedded engine: what a program that imports "bop-storage" works with.
 *
 * (1) A handle (Database, Connection, Transaction) is a session: it reads what it wrote, in the
 *     order of its calls, and nothing that is not durable except by waiting for it.
 * (2) A promise that resolves with a result or rejects with an SQL error has waited until every
 *     commit that the answer depends on is durable.
 *
 * It is over 400 lines because all that a program sees of a store stands in one place.
 */

import type { PageCacheStats } from "../page-cache/index.ts";
import type { LogMember, LogWritten, RecordLog } from "../record-log/index.ts";
import type {
  ColumnInfo,
  EngineKind,
  IntegerMode,
  SqlInput,
  SqlParameters,
  SqlValue,
} from "../sqlite/index.ts";
import type {
  Change,
  ChangeLogFacts,
  ChangesOptions,
  CursorInfo,
  CursorOptions,
} from "./changes/change.ts";
import type { CheckpointFacts } from "./checkpoints/checkpoint-plan.ts";
import type {
  CollectOptions,
  CollectReport,
  DatabaseSnapshot,
  FamilyNode,
  ForkOptions,
  SnapshotInfo,
} from "./families/family.ts";
import type { JobHandle, JobInfo } from "./jobs/job.ts";
import type { OldestReader } from "./queries/readers.ts";
import type { ScrubFacts, ScrubReport, ScrubRequest } from "./scrub/scrub.ts";
import type { ResidencyFacts } from "./shipping/residency-facts.ts";
import type { DatabaseRestoreOptions, DatabaseRestoreReport } from "./shipping/restore-options.ts";
import type { DeadLetterInfo, SinkFacts } from "./shipping/sink-facts.ts";

/**
 * When a commit is acknowledged: `local`, once it is durable on this machine; `remote`, once the sink
 * holds it and all that came before, so that it survives the machine. See docs/durability.md.
 */
export type Durability = "local" | "remote";

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

export interface DurableOptions {
  /** Default: that of the database, or of the store. */
  readonly level?: Durability;
  /** Ends the waiting, and nothing else. */
  readonly signal?: AbortSignal;
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
  /** What its answers and its end wait for. Default: the level of the database. */
  readonly durability?: Durability;
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

export interface LogOptions {
  /** With false, an unknown name throws BOP_NOT_FOUND instead of creating it. Default true. */
  readonly create?: boolean;
}

export interface LogInfo {
  readonly name: string;
  /** About what its entries take: in memory, and their share of the chunks that they lie in. */
  readonly sizeBytes: number;
  readonly createdAt: Date;
}

export interface TransferOptions {
  /** Called now and then with bytes done and in all. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Stops the transfer and leaves nothing of it when it aborts. */
  readonly signal?: AbortSignal;
}

export interface ExportOptions extends TransferOptions {
  /**
   * The moment that is written: as for a fork. What lies behind the window is BOP_SNAPSHOT_GONE.
   * Default: now.
   */
  readonly at?: ForkOptions["at"];
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
  readonly owner: {
    /** How the owner before this one ended. */
    readonly lastStop: "first-open" | "clean" | "crash";
    /** How often the store was opened, and how many of its owners ended without closing it. */
    readonly openCount: number;
    readonly crashCount: number;
  };
  readonly databases: {
    readonly known: number;
    readonly open: number;
    /** Those with the most pages that changed since the last checkpoint, at most ten. */
    readonly busiest: readonly {
      readonly name: string;
      readonly changedPages: number;
      /** From its oldest such change to the end of the log. */
      readonly logBytes: number;
    }[];
  };
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
    /** Segments that hold log which no checkpoint has let go. */
    readonly inflightSegments: number;
    /** What waits in memory for the device. */
    readonly backlogBytes: number;
    /** An operation that has not come back for `limits.writeTimeoutMs` or more; it is waited for. */
    readonly hung:
      | { readonly operation: string; readonly file: string; readonly sinceMs: number }
      | undefined;
    /** How far the log has come: archived ≤ durable ≤ written ≤ reserved. */
    readonly marks: LogMarks;
    /** Segments that hold log which somebody may need, oldest first. */
    readonly inflight: readonly {
      readonly sequence: number;
      readonly state: string;
      readonly marks: LogMarks;
    }[];
    /** Databases and record logs that hold the oldest log, oldest first, at most ten. */
    readonly pinned: readonly PinnedLog[];
    /** Databases whose commits recovery has found and not replayed yet. */
    readonly waitingDatabases: number;
    /** The past that forks can begin in: from here on, up to now. */
    readonly history: {
      readonly fromLsn: number;
      /** When that was, or some time before. */
      readonly fromTime: Date;
      /** On disk, of segments that are kept for this alone. */
      readonly bytes: number;
      readonly segments: number;
    };
  };
  /** How the log is written. */
  readonly io: {
    readonly kind: "standard" | "direct" | "simulated";
    /** Who carries asynchronous calls: libuv's threads, or the kernel's own queue. */
    readonly backend: "threads" | "io_uring";
    /** Why it is not "direct", if that was not asked for by name. */
    readonly fallback: string | undefined;
    readonly blockBytes: number;
  };
  /** What the operator should know of this machine: see docs/platforms.md. */
  readonly warnings: readonly string[];
  readonly pages: {
    readonly overlayBytes: number;
    /** Files that large transactions wrote and no checkpoint has taken over yet. */
    readonly spilledBytes: number;
    /** Transactions that were too large for `transactionMemoryBytes`. */
    readonly spilledCommits: number;
    /** Memory of rows of page maps: 4 KiB for the places of 512 pages. */
    readonly mapBytes: number;
    readonly cacheBytes: number;
    readonly cacheHits: number;
    readonly cacheMisses: number;
    /** What is in the page cache, what goes through it, and what is read ahead into it. */
    readonly cache: PageCacheStats;
    readonly chunks: number;
    readonly chunkBytes: number;
    /** Bytes of chunks per byte of pages in them that can be reached, at least: see docs/space.md. */
    readonly spaceAmplification: number;
    readonly checkpoints: number;
    /** What the last one did, and why it ran; undefined before the first since the store was opened. */
    readonly lastCheckpoint: CheckpointFacts | undefined;
    /** Why the last one failed; undefined once one has succeeded. It is tried again by itself. */
    readonly checkpointFailure: string | undefined;
    /** Of `overlayBytes`, what the last checkpoint had to keep, since readers see it. */
    readonly heldBytes: number;
    readonly openSnapshots: number;
    /** Of iterators and transactions that only read, the one that has been open the longest. */
    readonly oldestReader: OldestReader | undefined;
    /** Readers that were ended since they were older than `maxReaderAgeMs`. */
    readonly endedReaders: number;
  };
  readonly manifest: {
    /** Counts its commits, over all openings of the store. */
    readonly generation: number;
    /** Commits since it was opened, the batches that shared them, and the most that one had. */
    readonly commits: number;
    readonly batches: number;
    readonly batchesMax: number;
    /** Batches that broke an invariant or met a damaged row: each is a bug, or damage. */
    readonly refused: number;
    /** Batches that were accepted and are to take place, and what became of earlier ones. */
    readonly journal: {
      readonly entries: number;
      readonly bytes: number;
      readonly oldestMs: number;
      /** Entries that the last process had left. */
      readonly replayed: number;
      readonly applied: number;
      /** Entries that could not take place: see docs/manifest.md. */
      readonly dead: number;
    };
    /** Rows by table. */
    readonly rows: Readonly<Record<string, number>>;
    /** Generations up to which components have done their part. */
    readonly watermarks: Readonly<Record<string, number>>;
  };
  /** The file from which a manifest that is lost is made again. */
  readonly mirror: {
    /** Nothing is missing from it. If not, the next checkpoint writes it anew. */
    readonly current: boolean;
    readonly bytes: number;
    readonly bases: number;
    readonly failures: number;
    readonly lastFailure: string | undefined;
    /** Transactions that read the manifest now, and by how many commits the oldest lags. */
    readonly readers: number;
    readonly readerLagMax: number;
  };
  readonly changes: ChangeLogFacts;
  /** Where it is shipped, and how far; undefined without a sink. */
  readonly sink: SinkFacts | undefined;
  /** What of the checkpointed data is on this disk; undefined where all of it has to be. */
  readonly residency: ResidencyFacts | undefined;
  /** What was read again to see whether it is still what was written. */
  readonly scrub: ScrubFacts;
  readonly recordLogs: {
    readonly known: number;
    /** Memory of entries that were appended since the last checkpoint. */
    readonly unstoredBytes: number;
    /** Memory of entries that lie in chunks too. */
    readonly cachedBytes: number;
    readonly chunks: number;
    readonly chunkBytes: number;
    /** Blocks that were read from chunks, since memory had them no more. */
    readonly blocksRead: number;
  };
  /** The last unexpected failure of work that nobody waited for. */
  readonly lastFault: FaultContext | undefined;
}

export interface LogMarks {
  readonly reservedLsn: number;
  readonly writtenLsn: number;
  readonly durableLsn: number;
  readonly archivedLsn: number;
}

/** A database with commits that no checkpoint has folded: the log behind `fromLsn` is kept for it. */
export interface PinnedLog {
  readonly kind: "database" | "record-log";
  readonly name: string;
  readonly fromLsn: number;
  /** From there to the end of the log. The next checkpoint lets all of it go. */
  readonly bytes: number;
}

export interface FaultContext {
  /** The error's code, or its class. */
  readonly kind: string;
  readonly where: string;
  readonly message: string;
  readonly stack: string;
  /** Where in the source it was thrown: file, line and column. */
  readonly location: string;
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
  /**
   * Keeps one moment of all databases under a name, until it is dropped: `openSnapshot` and `fork` of
   * any of them find it. Record logs are not in it.
   */
  snapshot(name: string): Promise<SnapshotInfo>;
  /** Snapshots of the store, in order of name. */
  snapshots(): Promise<SnapshotInfo[]>;
  /** Forgets a snapshot of the store. */
  dropSnapshot(name: string): Promise<void>;
  /**
   * The family of a database from its root, dropped ones included as long as forks read through
   * them; without a name, every family of more than one.
   */
  tree(name?: string): Promise<FamilyNode[]>;
  /** Makes a database of a SQLite file. Refused with BOP_IMPORT before anything is changed. */
  import(path: string, name: string, options?: TransferOptions): Promise<void>;
  /**
   * Brings one database back as it was at a moment, from the sink, under a new name or over the one
   * that has its name: that one stays under another, so that it can be undone. Only what it needs is
   * read. See docs/restore.md.
   */
  restore(options: DatabaseRestoreOptions): Promise<DatabaseRestoreReport>;
  /** Opens the record log of that name, or creates it. Resolves when its creation is durable. */
  log(name: string, options?: LogOptions): Promise<RecordLog>;
  logs(options?: ListOptions): Promise<LogInfo[]>;
  renameLog(from: string, to: string): Promise<void>;
  /** Removes a record log. Its open handles throw BOP_DROPPED from then on. */
  dropLog(name: string): Promise<void>;
  /** One atomic change over several record logs: after a crash all of it is there, or nothing. */
  commitLogs(members: readonly LogMember[]): Promise<LogWritten[]>;
  /**
   * What happens to the store, from where the cursor is: databases created, imported, renamed,
   * dropped, written to. Waits for more when it has told all. See docs/changes.md.
   */
  changes(options: ChangesOptions): AsyncIterableIterator<Change>;
  /** Makes a cursor without reading by it yet. One that is there stays where it is. */
  createCursor(name: string, options?: CursorOptions): Promise<CursorInfo>;
  /** Every cursor, in order of name. */
  cursors(): CursorInfo[];
  /** Forgets a cursor, so that it holds no change back. BOP_CURSOR_BUSY while it is read by. */
  dropCursor(name: string): Promise<void>;
  /**
   * Checks a database in the background: SQLite's integrity check of every table and index, over one
   * durable moment. Resolves when the job is recorded; it survives a restart. See docs/jobs.md.
   */
  verifyDatabase(name: string): Promise<JobInfo>;
  /** Every job that is pending, and those that are over and kept; oldest first. */
  jobs(): JobInfo[];
  /** One job. Throws RangeError from its methods if there is none of that id. */
  job(id: number): JobHandle;
  /** Writes what the log holds to chunks, so that its segments can be used again. */
  checkpoint(): Promise<void>;
  /**
   * Resolves when the log is durable up to an LSN, at the level of the store or another. With
   * `remote`: whatever was committed up to there survives the machine.
   */
  durable(lsn: number, options?: DurableOptions): Promise<void>;
  /**
   * What the sink, or this disk, refused for a reason that waiting cannot mend. Shipping of its kind
   * rests until it is retried or discarded.
   */
  deadLetters(): DeadLetterInfo[];
  /** Tries again, once what stood in the way is mended. RangeError if there is none of that id. */
  retryDeadLetter(id: number): Promise<void>;
  /**
   * Goes on without what it stands for, which then cannot be restored from the sink: see
   * docs/durability.md. RangeError if there is none of that id.
   */
  discardDeadLetter(id: number): Promise<void>;
  /**
   * Lets go of pages that nobody can reach any more, beyond what checkpoints let go by themselves.
   * With `dryRun` it changes nothing and says what would go, and what keeps the rest.
   */
  collect(options?: CollectOptions): Promise<CollectReport>;
  /**
   * Reads everything that was written again, at once: this disk, and what the sink holds. Restores one
   * database from there to try it. Heals what it finds damaged, where there is a good copy: see
   * docs/scrub.md. TypeError for parts that need a sink if there is none; rejects with the signal's
   * reason.
   */
  scrub(request?: ScrubRequest): Promise<ScrubReport>;
  diagnostics(): Diagnostics;
  /** Drains, checkpoints, marks the store clean. Idempotent. */
  close(): Promise<void>;
}

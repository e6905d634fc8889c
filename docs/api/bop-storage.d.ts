/** A statement of a batch: its text, or its text with parameters. */
export type BatchStatement = string | {
    readonly sql: string;
    readonly parameters?: SqlParameters;
};

export interface ColumnInfo {
    readonly name: string;
    /** As declared in CREATE TABLE; undefined for expressions. */
    readonly declaredType: string | undefined;
    /** Undefined for expressions, and for every column where `tellsTables` is false. */
    readonly table: string | undefined;
    readonly originColumn: string | undefined;
}

export interface Connection extends Queryable {
    /** True between BEGIN and COMMIT or ROLLBACK. */
    readonly inTransaction: boolean;
    transaction<T>(fn: (tx: Transaction) => Promise<T> | T, options?: TransactionOptions): Promise<T>;
    /** Rolls back what is open. Idempotent. */
    close(): Promise<void>;
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

export interface DatabaseInfo {
    readonly name: string;
    readonly engine: EngineKind;
    readonly pageBytes: number;
    /** Size at the newest durable commit: pages × bytes of a page. */
    readonly sizeBytes: number;
    readonly createdAt: Date;
}

export interface DatabaseOptions {
    /** Engine of a database that is created. A database remembers its engine. Default "sqlite". */
    readonly engine?: EngineKind;
    /** Bytes of a page of a database that is created: 512 to 65536, a power of two. Default 4096. */
    readonly pageBytes?: number;
    /** With false, an unknown name throws BOP_NOT_FOUND instead of creating it. Default true. */
    readonly create?: boolean;
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
    readonly databases: {
        readonly known: number;
        readonly open: number;
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

export type EngineKind = "sqlite" | "libsql";

export type ErrorCode = keyof ErrorDetails;

/** Every code with the facts that come with it. The comment tells the caller what to do next. */
export interface ErrorDetails {
    /** Too much is waiting for the device. Nothing was done. Retry after `retryAfterMs`. */
    BOP_BACKPRESSURE: {
        readonly full: string;
        readonly retryAfterMs: number;
    };
    /** The store, database, connection or transaction was closed. Open another. */
    BOP_CLOSED: {
        readonly what: string;
    };
    /** Stored bytes are not what was written. They are not served. Restore from a copy. */
    BOP_CORRUPT: {
        readonly file: string;
        readonly offset: number;
        readonly why: string;
        readonly database?: string;
        readonly page?: number;
    };
    /** The device is full. Nothing was done. Make room; the store goes on by itself. */
    BOP_DISK_FULL: {
        readonly operation: string;
        readonly file: string;
    };
    /** The database of this handle was dropped. */
    BOP_DROPPED: {
        readonly database: string;
    };
    /** The name, or the file to be written, is taken. Choose another, or remove what has it. */
    BOP_EXISTS: {
        readonly name: string;
    };
    /** Files of a newer version of bop-storage, or not ours at all. Use the version that wrote them. */
    BOP_FORMAT: {
        readonly file: string;
        readonly found: string;
        readonly supported: string;
    };
    /** A file cannot be imported, and nothing was. The reason says what to change in it. */
    BOP_IMPORT: {
        readonly file: string;
        readonly why: string;
    };
    /** The device refused an operation. The cause is the system's own error. */
    BOP_IO: {
        readonly operation: string;
        readonly file: string;
    };
    /** Another living process (or this one) owns the store. Stop it, or talk to it. */
    BOP_LOCKED: {
        readonly directory: string;
        readonly pid: number;
        readonly startedAt: string;
    };
    /** There is no database of that name. */
    BOP_NOT_FOUND: {
        readonly database: string;
    };
    /** The commit may or may not survive: the log failed after it was issued. Reopen and look. */
    BOP_OUTCOME_UNKNOWN: {
        readonly lsn: Lsn;
        readonly durableLsn: Lsn;
    };
    /** The store takes no more writes since its log failed. Reopen it to recover. */
    BOP_READ_ONLY: {
        readonly durableLsn: Lsn;
        readonly why: string;
    };
    /** The rows of an answer take more than `limitBytes`. Ask for fewer (LIMIT), or use iterate. */
    BOP_RESULT_TOO_LARGE: {
        readonly limitBytes: number;
    };
    /** SQLite refused the statement; `sqliteCode` says why. See SqliteError. */
    BOP_SQLITE: {
        readonly sqliteCode: string;
        readonly extendedCode: number;
    };
    /** Not done within the time it was given; it was undone. */
    BOP_TIMEOUT: {
        readonly operation: string;
        readonly timeoutMs: number;
    };
    /** The transaction changes more than `limitBytes`. It was rolled back. Split it. */
    BOP_TRANSACTION_TOO_LARGE: {
        readonly bytes: number;
        readonly limitBytes: number;
    };
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

export interface ExecuteResult {
    readonly columns: readonly ColumnInfo[];
    readonly rows: SqlValue[][];
    /** Rows changed by this statement; 0 for what is not INSERT, UPDATE or DELETE. */
    readonly changes: number;
    readonly lastInsertRowid: bigint;
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

/** How integers come out. `number` throws a RangeError beyond 2^53. */
export type IntegerMode = "number" | "bigint" | "string";

export interface ListOptions {
    /** Only names that begin with it. */
    readonly prefix?: string;
    /** Only names behind it: the last name of the page before. */
    readonly after?: string;
    /** 1 to 10,000. Default 1,000. */
    readonly limit?: number;
}

/** A store in the hands of its one owner. Made by `Manager.open`. */
export interface Manager extends ManagerApi {
}

export interface ManagerOptions {
    /** Where the store lies. Created if absent. */
    readonly directory: string;
    /** Engine of databases that do not say otherwise when they are created. Default "sqlite". */
    readonly engine?: EngineKind;
    /**
     * Who writes the SQL. `embedded`: this program, which is trusted. `server`: tenants: SQLite's own
     * limits are low, and what shows other files, pages or statements is denied. Default "embedded".
     */
    readonly profile?: "embedded" | "server";
    /**
     * Enforce foreign keys, as better-sqlite3 and libSQL do and the sqlite3 shell does not. A
     * connection changes it for itself with `pragma foreign_keys`. Default true.
     */
    readonly foreignKeys?: boolean;
    /**
     * Memory for checkpointed pages, shared by all databases. Pages that are not yet checkpointed
     * come on top: see `overlayBytes`.
     *
     * Bytes, from 1 MiB to 64 GiB. Default 64 MiB.
     */
    readonly cacheBytes?: number;
    /**
     * Memory for pages that were changed since the last checkpoint. Reaching it starts a checkpoint.
     *
     * Bytes, from 64 KiB to 64 GiB. Default 256 MiB.
     */
    readonly overlayBytes?: number;
    /**
     * Log that may gather before a checkpoint lets it go. It bounds the time to reopen after a crash
     * and the space that the log takes.
     *
     * Bytes, from 64 KiB to 64 GiB. Default 256 MiB.
     */
    readonly checkpointLogBytes?: number;
    /**
     * Size of a log segment, a file that is preallocated and recycled.
     *
     * Bytes, a multiple of 4 KiB, from 256 KiB to 1 GiB. Default 64 MiB.
     */
    readonly segmentBytes?: number;
    /**
     * Most that one transaction may change: its pages stay in memory until it commits. Beyond it,
     * BOP_TRANSACTION_TOO_LARGE.
     *
     * Bytes, from 1 MiB to 1 GiB. Default 256 MiB.
     */
    readonly maxTransactionBytes?: number;
    /**
     * A commit that nobody shares is flushed within its call, without the trip through the thread
     * pool, while flushes have lately taken less than this. 0 never does. Such a flush blocks the
     * event loop for as long as it takes.
     *
     * Milliseconds, from 0 to 100. Default 1.
     */
    readonly inlineFlushMs?: number;
    /**
     * Connections to databases that are kept open. Beyond it the longest idle are closed, and
     * reopened when they are used again.
     *
     * From 1 to 100,000. Default 2,000.
     */
    readonly maxConnections?: number;
    /** The world. Default: this machine. Simulations and tests bring their own. */
    readonly env?: Env;
    /** What the manifest lies in. Default: LMDB. Simulations bring the twin in memory. */
    readonly openKeyValueStore?: OpenKeyValueStore;
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
    execute(sql: string, parameters?: SqlParameters, options?: ExecuteOptions): Promise<ExecuteResult>;
    /** What a statement takes and gives, without running it. */
    describe(sql: string): Promise<StatementDescription>;
    /** Runs `PRAGMA <text>`; returns its rows. */
    pragma(text: string): Promise<Row[]>;
}

export type Row = Record<string, SqlValue>;

export interface RunResult {
    readonly changes: number;
    /** A number, or a bigint beyond 2^53. */
    readonly lastInsertRowid: number | bigint;
    /** Position of the commit in the store's log; of the snapshot, if nothing was written. */
    readonly lsn: number;
}

/** What a caller may bind. A boolean binds as 0 or 1; undefined is refused, since it hides typos. */
export type SqlInput = SqlValue | boolean | SqlReal;

/** Positional, or one object of named parameters (`:a`, `@a`, `$a`; the prefix is optional). */
export type SqlParameters = readonly SqlInput[] | Readonly<Record<string, SqlInput>>;

export type SqlValue = null | number | bigint | string | Uint8Array;

/** Code BOP_SQLITE. `sqliteCode` is the extended code's name: `SQLITE_CONSTRAINT_UNIQUE`. */
export declare class SqliteError extends StorageError<"BOP_SQLITE"> {
    readonly name: string;
    readonly sqliteCode: string;
    readonly extendedCode: number;
    /** Where in the SQL text the error lies, in characters; undefined if SQLite does not say. */
    readonly sqlOffset: number | undefined;
    /** Which statement of a batch failed, counted from 0; undefined outside of batches. */
    statementIndex: number | undefined;
    constructor(message: string, context: SqliteErrorContext);
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

export interface StatementDescription {
    readonly parameterNames: readonly (string | undefined)[];
    readonly columns: readonly ColumnInfo[];
    readonly isReadonly: boolean;
    readonly isExplain: boolean;
}

export type StatementParameters = readonly SqlInput[] | readonly [Readonly<Record<string, SqlInput>>];

/** What the world did: `code` is stable, `details` are typed, `retryable` says if waiting helps. */
export declare class StorageError<Code extends ErrorCode = ErrorCode> extends Error {
    readonly name: string;
    readonly code: Code;
    readonly details: Readonly<ErrorDetails[Code]>;
    readonly retryable: boolean;
    constructor(code: Code, message: string, context: ErrorContext<Code>);
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

export interface TransferOptions {
    /** Called now and then with bytes done and in all. */
    readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
    /** Stops the transfer and leaves nothing of it when it aborts. */
    readonly signal?: AbortSignal;
}

/** Narrows `details` along with `code`, so that no handler casts. */
export declare function isStorageError<Code extends ErrorCode>(error: unknown, code: Code): error is StorageError<Code>;

/** A statement of a batch: its text, or its text with parameters. */
export type BatchStatement = string | {
    readonly sql: string;
    readonly parameters?: SqlParameters;
};

export type BreakerState = "closed" | "open" | "half-open";

/** A part of an object, or its end. One that reaches beyond the object is cut to it. */
export type ByteRange = {
    readonly offset: number;
    readonly bytes: number;
} | {
    readonly lastBytes: number;
};

/** One fact about the store. Which fields there are depends on `kind`. */
export type Change = ChangePosition & ChangeBody;

export interface ChangeLogOptions {
    /**
     * Changes that stay for a cursor to come, though every present one has acknowledged them: so many
     * of the newest. At most `maxLag`.
     *
     * From 0 to 10,000,000. Default 10,000.
     */
    readonly keepLast?: number;
    /**
     * And for so long: older ones go once every cursor has acknowledged them.
     *
     * Milliseconds, from 0 to 10 years. Default 7 days.
     */
    readonly maxAgeMs?: number;
    /**
     * Changes that a cursor may leave unacknowledged. One that lags farther is evicted: it hears of it
     * as BOP_CURSOR_EVICTED when it comes back, and has to begin anew.
     *
     * From 100 to 10,000,000. Default 100,000.
     */
    readonly maxLag?: number;
    /**
     * Space that all kept changes may take, after which cursors that lag are evicted as well.
     *
     * Bytes, from 64 KiB to 16 GiB. Default 64 MiB.
     */
    readonly maxBytes?: number;
    /**
     * Cursors that there may be, evicted ones included. Beyond it, BOP_CURSOR_LIMIT.
     *
     * From 1 to 1,000. Default 64.
     */
    readonly maxCursors?: number;
    /**
     * While a cursor is being read, databases that have new commits are told of after this time, those
     * of a period together. What nobody reads is told of by checkpoints only.
     *
     * Milliseconds, from 1 to 3,600,000. Default 200.
     */
    readonly advanceDelayMs?: number;
}

export interface ChangesOptions extends CursorOptions {
    /** Name of the place up to which changes were acknowledged. Made if there is none of that name. */
    readonly cursor: string;
    /** Ends the loop with its reason when it aborts. */
    readonly signal?: AbortSignal;
}

export interface CollectOptions {
    /** Looks, and changes nothing. Default false. */
    readonly dryRun?: boolean;
}

/** What a collection did, or would do. */
export interface CollectReport {
    /** Chunk files that go, and their bytes. */
    readonly chunks: number;
    readonly chunkBytes: number;
    /** States of databases that go. */
    readonly versions: number;
    /** Chunks that are compacted: what is used of them moves together. */
    readonly compacted: number;
    /** Chunks in which an older state of a database has pages, by what keeps that state. */
    readonly kept: Readonly<Record<KeepReason, number>>;
    /** Bytes of chunks per byte of pages in them that anybody can reach. */
    readonly amplificationBefore: number;
    readonly amplificationAfter: number;
}

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

export interface CursorInfo {
    readonly name: string;
    readonly state: "active" | "evicted";
    /** Sequence of the newest change that it acknowledged; 0 for none. */
    readonly acknowledged: number;
    /** Changes behind that one. */
    readonly lag: number;
    /** Somebody reads by it now. */
    readonly inUse: boolean;
    /** When it last moved. */
    readonly at: Date;
}

export interface CursorOptions {
    /** A new cursor begins behind the newest change instead of at the oldest kept. Default false. */
    readonly fromNow?: boolean;
    /** Begins anew, whatever was acknowledged; the way back for an evicted cursor. Default false. */
    readonly reset?: boolean;
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
    readonly forkedFrom: {
        readonly name: string | undefined;
        readonly lsn: number;
    } | undefined;
    /** How many it has of its own. */
    readonly snapshots: number;
    /** When it was last restored from the sink and found whole; undefined if it never was. */
    readonly triedAt: Date | undefined;
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

/** Restores one database into a store that is open: see manager.restore. */
export interface DatabaseRestoreOptions extends TransferOptions {
    /** As it was called at that moment. */
    readonly database: string;
    /** The moment: a time, or a position in the log. Default: the newest that is there. */
    readonly at?: RestoreMoment;
    /**
     * The new database, which must not exist. Default: the name that it had; if there is one of that
     * name, it is replaced, and kept under another (`previous`).
     */
    readonly as?: string;
    /** Where it was shipped to. Default: the sink of this store. */
    readonly from?: string | ObjectStore;
    /** Tells what would be read, and changes nothing. Default false. */
    readonly dryRun?: boolean;
}

export interface DatabaseRestoreReport {
    /** What it is called now. */
    readonly database: string;
    /** What the one that it replaced is called now; undefined if it replaced none. */
    readonly previous: string | undefined;
    /** The moment: it has every commit at or below it, and none above. */
    readonly lsn: number;
    readonly sizeBytes: number;
    readonly dryRun: boolean;
    /** What was read so far. */
    readonly reads: ReadCounts;
    /** What its pages take in chunks: requests, and bytes. */
    readonly chunks: {
        readonly bytes: number;
        readonly requests: number;
    };
}

/** A moment of a database, open for reading. What would write is refused with BOP_READ_ONLY. */
export interface DatabaseSnapshot extends Queryable, SnapshotInfo {
    /** Name of the database, as it is now. */
    readonly database: string;
    readonly engine: EngineKind;
    /** A session of its own: BEGIN, temp tables, changed pragmas. Close it. */
    connect(): Promise<Connection>;
    /** Writes the moment to a file that any SQLite opens. Refuses an existing file. */
    export(path: string, options?: TransferOptions): Promise<void>;
    /** Lets go of the moment. Statements throw BOP_CLOSED from then on. Idempotent. */
    close(): Promise<void>;
}

/** What the sink, or this disk, refused for a reason that waiting cannot mend. */
export interface DeadLetterInfo {
    readonly id: number;
    /**
     * What cannot be shipped any more until it is retried or discarded. To discard `log` gives up what
     * was not shipped of the log, of all databases: a lost window. It is also the kind of a chunk of
     * this disk that a commit names. For `chunk`, which a state names, and `manifest` the next state is
     * made anew, and nothing is given up.
     */
    readonly kind: "log" | "chunk" | "manifest";
    readonly at: Date;
    readonly reason: string;
    /** What was durable here and not in the sink when it was refused. */
    readonly bytes: number;
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
        readonly hung: {
            readonly operation: string;
            readonly file: string;
            readonly sinceMs: number;
        } | undefined;
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

/**
 * When a commit is acknowledged: `local`, once it is durable on this machine; `remote`, once the sink
 * holds it and all that came before, so that it survives the machine. See docs/durability.md.
 */
export type Durability = "local" | "remote";

export interface DurableOptions {
    /** Default: that of the database, or of the store. */
    readonly level?: Durability;
    /** Ends the waiting, and nothing else. */
    readonly signal?: AbortSignal;
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
    /** Somebody else reads changes by this cursor. End that loop, or take a cursor of another name. */
    BOP_CURSOR_BUSY: {
        readonly cursor: string;
    };
    /**
     * The cursor lagged too far behind, and changes that it has not acknowledged are gone. Bring what
     * is made of them up to date by other means, then begin anew with `reset: true`.
     */
    BOP_CURSOR_EVICTED: {
        readonly cursor: string;
        /** Newest sequence that it acknowledged; 0 if none. */
        readonly acknowledged: number;
        /** Oldest sequence that is still kept. */
        readonly oldestKept: number;
    };
    /** There are as many cursors as may be. Drop one that nobody reads by. */
    BOP_CURSOR_LIMIT: {
        readonly limit: number;
    };
    /**
     * Disk and bucket went on from `sharedLsn` in different ways, or the bucket lacks what this store
     * has shipped. Nothing was uploaded. Keep what is only on this disk (`bop export`), then restore
     * from the bucket, or go on with a bucket of its own.
     */
    BOP_DIVERGED: {
        readonly bucketLsn: number;
        readonly diskLsn: number;
        readonly sharedLsn: number;
    };
    /** The database, or the record log, of this handle was dropped. */
    BOP_DROPPED: {
        readonly database: string;
    };
    /** The name, or the file to be written, is taken. Choose another, or remove what has it. */
    BOP_EXISTS: {
        readonly name: string;
    };
    /**
     * Another process has taken the bucket over, as writer `byEpoch`. Nothing more is shipped from
     * here, or acknowledged as `remote`. See that no second process is meant to run; what was not
     * shipped (`unshippedBytes` of log) is still readable here: export it.
     */
    BOP_FENCED: {
        readonly epoch: number;
        readonly byEpoch: number;
        readonly unshippedBytes?: number;
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
        readonly page?: number;
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
        /** When that process opened the store. Milliseconds since 1970. */
        readonly openedAtMs: number;
    };
    /** The entry was compacted away, or lies before the first. Send a snapshot instead. */
    BOP_LOG_COMPACTED: {
        readonly log: string;
        readonly index: bigint;
        readonly firstIndex: bigint | undefined;
    };
    /** There is an entry at that index. Truncate first, or append with `onConflict: "replace"`. */
    BOP_LOG_CONFLICT: {
        readonly log: string;
        readonly index: bigint;
        readonly lastIndex: bigint;
    };
    /** Entries would not follow each other, and nothing was appended. Append `expectedIndex` first. */
    BOP_LOG_GAP: {
        readonly log: string;
        readonly index: bigint;
        readonly expectedIndex: bigint;
    };
    /** The term would fall, or differs from the one that the log knows. Nothing was changed. */
    BOP_LOG_TERM: {
        readonly log: string;
        readonly term: bigint;
        readonly previousTerm: bigint;
    };
    /** The entry is not there yet, or not durable yet. Wait for it, or read `unstable`. */
    BOP_LOG_UNAVAILABLE: {
        readonly log: string;
        readonly index: bigint;
        readonly lastIndex: bigint | undefined;
    };
    /**
     * There is no database, or no record log, of that name; or no snapshot of it, or (with an empty
     * `database`) of the store.
     */
    BOP_NOT_FOUND: {
        readonly database: string;
        readonly snapshot?: string;
    };
    /**
     * The bucket cannot give back that moment: it is before `oldest`, or behind `newest`, which are
     * positions in the log; undefined if there is nothing to restore. Ask for one between them.
     */
    BOP_NO_RESTORE_POINT: {
        readonly wanted: string;
        readonly oldest: Lsn | undefined;
        readonly newest: Lsn | undefined;
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
    /**
     * The bucket holds more than this disk, which is an older copy, or empty. Nothing was uploaded and
     * nothing is lost: restore from the bucket, or give this store a bucket of its own.
     */
    BOP_SINK_AHEAD: {
        readonly bucketLsn: number;
        readonly diskLsn: number;
    };
    /**
     * An object of the folder or bucket is not what was put, or a body is not what it was said to be.
     * It is not served and not stored. Read again; if it stays so, restore from another copy.
     */
    BOP_SINK_CORRUPT: {
        readonly store: string;
        readonly key: string;
        readonly why: string;
    };
    /** The bucket is another store's. Give this one a prefix of its own, or the right bucket. */
    BOP_SINK_FOREIGN: {
        readonly location: string;
        /**
         * Ids of the two stores, in hexadecimal digits; behind a dash when each bucket was begun, where
         * the disk has let go of chunks that lie only in the one that it had shipped to.
         */
        readonly found: string;
        readonly expected: string;
    };
    /**
     * The folder or bucket says no, and waiting does not change that: no permission, no such bucket,
     * a request that it does not take. Mend what `reason` names, then go on.
     */
    BOP_SINK_REFUSED: {
        readonly store: string;
        readonly operation: string;
        readonly key: string;
        readonly reason: "bucket" | "permission" | "request";
    };
    /** The folder or bucket cannot be reached, or is too busy. Nothing was changed. Try again later. */
    BOP_SINK_UNAVAILABLE: {
        readonly store: string;
        readonly operation: string;
        readonly key: string;
        /** How long the service asks to be left alone, where it does. */
        readonly retryAfterMs: number | undefined;
    };
    /** The folder or bucket lacks what a store needs of it. Choose another. */
    BOP_SINK_UNFIT: {
        readonly store: string;
        readonly failed: readonly string[];
    };
    /**
     * What was to be stored or deleted may have been, or may be yet. Repeat it with the same put id
     * and the same body, or look.
     */
    BOP_SINK_UNKNOWN: {
        readonly store: string;
        readonly operation: string;
        readonly key: string;
        readonly retryAfterMs: number | undefined;
    };
    /**
     * The moment lies outside of what is kept of the database: `oldestLsn` is the oldest that can be
     * had. Ask for a later one; snapshots keep a moment for as long as they exist.
     */
    BOP_SNAPSHOT_GONE: {
        readonly lsn: Lsn;
        readonly oldestLsn: Lsn;
        readonly database?: string;
    };
    /**
     * The reader was open for longer than `maxReaderAgeMs`, and its moment was given back. Read again,
     * in shorter transactions, or take a snapshot and read that.
     */
    BOP_SNAPSHOT_TOO_OLD: {
        readonly database: string;
        readonly ageMs: number;
        readonly maxReaderAgeMs: number;
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
    /** As in its description. False: it may have written, and outside of a transaction that is done. */
    readonly isReadonly: boolean;
}

export interface ExportOptions extends TransferOptions {
    /**
     * The moment that is written: as for a fork. What lies behind the window is BOP_SNAPSHOT_GONE.
     * Default: now.
     */
    readonly at?: ForkOptions["at"];
}

/** A database among its relatives. */
export interface FamilyNode {
    /** Undefined for one that is gone, tombstone and all, and of which only forks are left. */
    readonly name: string | undefined;
    /** Stays the same when the database is renamed, and is never given to another. */
    readonly stream: number;
    readonly state: "live" | "dropped";
    /** Size at its newest durable commit, as if it were alone; 0 for a dropped one. */
    readonly sizeBytes: number;
    /** LSN of the origin that it was forked at; undefined for the root. */
    readonly forkedAtLsn: number | undefined;
    readonly createdAt: Date | undefined;
    /** Its own, in order of name. */
    readonly snapshots: readonly SnapshotInfo[];
    /** In order of the LSN at which they were forked. */
    readonly forks: readonly FamilyNode[];
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

export interface ForkOptions {
    /**
     * The moment that the fork begins with. A time or an LSN must lie within the history that is kept;
     * a snapshot is one of this database or, if it has none of that name, of the store. Default: now,
     * which is what every commit that was acknowledged, and this handle's own, have made of it.
     */
    readonly at?: Date | {
        readonly lsn: number;
    } | {
        readonly snapshot: string;
    };
}

/** What Raft must remember before it answers. */
export interface HardState {
    readonly term: bigint;
    /** Opaque here, up to 256 bytes: who got the vote of this term. */
    readonly vote?: Uint8Array;
    /** Newest index that is known to be committed. */
    readonly commit?: bigint;
}

/** How integers come out. `number` throws a RangeError beyond 2^53. */
export type IntegerMode = "number" | "bigint" | "string";

export interface JobHandle {
    /** Resolves when it is over: done, failed or cancelled. */
    finished(options?: {
        readonly signal?: AbortSignal;
    }): Promise<JobInfo>;
    /** Stops one that is pending. A TypeError if it is over. */
    cancel(): Promise<JobInfo>;
    /** Runs one that failed or was cancelled again, with all its attempts. */
    retry(): Promise<JobInfo>;
    /** Forgets one that is over. */
    discard(): Promise<void>;
}

/** A piece of work in the background, and what became of it. */
export interface JobInfo {
    readonly id: number;
    readonly kind: string;
    /** Its name now; undefined once it was dropped. */
    readonly database: string | undefined;
    /** `done`, `failed` and `cancelled` are the end. A `waiting` one is tried again at `dueAt`. */
    readonly state: JobState;
    readonly attempts: number;
    readonly maxAttempts: number;
    readonly progress: {
        readonly done: number;
        readonly total: number;
    };
    /** Of one that is done. */
    readonly result: string | undefined;
    /** Why the last attempt failed, if it did. */
    readonly reason: string | undefined;
    readonly createdAt: Date;
    readonly changedAt: Date;
    /** Of one that waits. */
    readonly dueAt: Date | undefined;
}

export interface LimitOptions {
    /**
     * Commits that may wait in memory for the device. Beyond it new transactions wait, and are refused
     * with BOP_BACKPRESSURE when `admissionTimeoutMs` have passed.
     *
     * Bytes, from 128 KiB to 16 GiB. Default 64 MiB.
     */
    readonly maxBacklogBytes?: number;
    /**
     * Segments that may hold log which no checkpoint has let go; beyond them as above. It bounds the
     * disk that the log takes and the time to reopen, and is reached when checkpoints fail or a reader
     * holds the log for long. Half of them begin a checkpoint, however little is in them. At least
     * twice what `checkpointLogBytes` fills.
     *
     * From 2 to 1,000,000. Default 16, or four times what `checkpointLogBytes` fills if that is more.
     */
    readonly maxInflightSegments?: number;
    /**
     * Calls that change files besides the log (chunks, segments to come, the superblock) that may be
     * under way: each holds a thread of the system's pool, for which the log must not wait.
     *
     * From 1 to 1,024. Default: the threads of the pool (UV_THREADPOOL_SIZE, 4) less 2, at least 1.
     */
    readonly maxConcurrentWrites?: number;
    /**
     * An operation of the log that takes longer counts as hung. It is waited for, diagnostics show it,
     * and new transactions are refused as above until it comes back.
     *
     * Milliseconds, from 100 to 3,600,000. Default 30,000.
     */
    readonly writeTimeoutMs?: number;
    /**
     * How long a statement, a transaction or a change of the catalogue waits to be let in before it is
     * refused with the reason. 0 refuses at once.
     *
     * Milliseconds, from 0 to 3,600,000. Default 5,000.
     */
    readonly admissionTimeoutMs?: number;
    /**
     * Free space of the file system that checkpoints leave to the log and the manifest. One that would
     * not leave so much does not begin: it is BOP_DISK_FULL, and is tried again until there is room.
     *
     * Bytes, from 0 to 1 TiB. Default 4 MiB.
     */
    readonly reserveBytes?: number;
    /**
     * How long an iterator, or a transaction that only reads, may stay open. Older ones are ended with
     * BOP_SNAPSHOT_TOO_OLD, so that what they see need not be kept. Writers have `timeoutMs`.
     *
     * Milliseconds, from 100 to 2,592,000,000 (30 days). Default: as long as they want.
     */
    readonly maxReaderAgeMs?: number;
    /**
     * Log that may wait for the sink. It stays on disk until it is shipped, so this bounds the disk
     * that an outage of the sink takes; beyond it new transactions wait and are refused as above.
     *
     * Bytes, from 1 MiB to 16 TiB. Default 4 GiB.
     */
    readonly maxUnshippedBytes?: number;
    /**
     * Disk for checkpointed pages and entries of record logs, where the sink holds them: beyond it,
     * those that were used longest ago go from this disk, and are fetched when they are read again.
     * What the sink does not hold yet stays, and so does what a statement that runs needs, though it
     * be more. The log comes on top. Needs a sink: see docs/tiering.md.
     *
     * Bytes, from 64 KiB to 1 PiB. Default: all of them stay.
     */
    readonly diskBytes?: number;
}

export interface ListOptions {
    /** Only names that begin with it. */
    readonly prefix?: string;
    /** Only names behind it: the last name of the page before. */
    readonly after?: string;
    /** 1 to 10,000. Default 1,000. */
    readonly limit?: number;
}

export interface ListPage {
    /** In the order of the keys' bytes. */
    readonly objects: readonly ListedObject[];
    /** Where to go on (`after`); undefined at the end. */
    readonly next: string | undefined;
}

export interface ListedObject {
    readonly key: string;
    readonly sizeBytes: number;
    /** By the clock of the service, for people. Undefined where it does not say. */
    readonly modifiedAtMs: number | undefined;
}

export interface ListedPoint {
    readonly lsn: Lsn;
    readonly at: Date;
}

/** Of the newest entry that was compacted away. */
export interface LogBoundary {
    readonly index: bigint;
    readonly term: bigint;
    readonly field: Uint8Array;
}

/** One atomic change. Its parts apply in the order in which they stand here. */
export interface LogChange {
    /** Removes all entries and the boundary: the next entry may have any index. */
    readonly clear?: boolean;
    /** Removes every entry behind this index; "all" removes every entry. */
    readonly truncateAfter?: bigint | "all";
    /**
     * Removes every entry up to this index and remembers its term and field. Behind the last entry,
     * `term` must be given: the log begins anew there, as after a snapshot was installed.
     */
    readonly compact?: {
        readonly upToIndex: bigint;
        readonly term?: bigint;
        readonly field?: Uint8Array;
    };
    /** Entries that follow the last one, or begin an empty log anywhere. */
    readonly entries?: readonly NewLogEntry[];
    /**
     * When the first entry is there already: `refuse` with BOP_LOG_CONFLICT, or `replace` it and all
     * that follow; those at or below the boundary are then passed over. Default "refuse".
     */
    readonly onConflict?: "refuse" | "replace";
    readonly hardState?: HardState;
    /**
     * Small values by key, up to 255 bytes of UTF-8; `undefined` removes one. A value takes up to
     * 64 KiB, and they stay in memory.
     */
    readonly stable?: Readonly<Record<string, Uint8Array | undefined>>;
    /** What the newest snapshot is, opaque here, up to 64 KiB. Empty: there is none. */
    readonly snapshotMeta?: Uint8Array;
}

export interface LogEntry {
    readonly term: bigint;
    readonly index: bigint;
    /** Opaque here: the node that led, say. Empty if none was given. */
    readonly field: Uint8Array;
    readonly payload: Uint8Array;
}

export interface LogInfo {
    readonly name: string;
    /** About what its entries take: in memory, and their share of the chunks that they lie in. */
    readonly sizeBytes: number;
    readonly createdAt: Date;
}

/** One log of a change over several: see `Manager.commitLogs`. */
export interface LogMember extends LogChange {
    readonly log: RecordLog;
}

export interface LogOptions {
    /** With false, an unknown name throws BOP_NOT_FOUND instead of creating it. Default true. */
    readonly create?: boolean;
}

export interface LogRange {
    /** The first index. */
    readonly from: bigint;
    /** The index behind the last. Default: the end of what may be read. */
    readonly to?: bigint;
    /** Payloads that an answer may hold; the first entry comes in any case. Bytes. Default 1 MiB. */
    readonly maxBytes?: number;
    /** Also entries that are not durable yet. Default false. */
    readonly unstable?: boolean;
    /** Cuts the range to what is there, instead of an error. Default false. */
    readonly clip?: boolean;
}

export interface LogWritten {
    /** Position of the change in the store's log. */
    readonly lsn: number;
    readonly lastIndex: bigint | undefined;
}

/** A part of the log that was given up when a dead letter was discarded. */
export interface LostWindow {
    /** The first epoch that the sink has behind it, and the newest before. */
    readonly epoch: number;
    readonly epochBefore: number;
    readonly fromLsn: number;
    readonly toLsn: number;
    readonly discardedAtMs: number;
    /** Number of the dead letter, and what it said. */
    readonly letter: number;
    readonly reason: string;
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
     * Memory for checkpointed pages, shared by all databases, with all that is needed to find them:
     * nine tenths of it or more are pages, if these have 2 KiB or more. Pages that are not yet
     * checkpointed come on top: see `overlayBytes`.
     *
     * Bytes, from 1 MiB to 64 GiB. Default 64 MiB.
     */
    readonly cacheBytes?: number;
    /**
     * How checkpoints store pages that shrink by an eighth or more. `none`: as they are. `deflate`:
     * text and JSON take half the disk or less; a page that is not in memory takes some five times as
     * long to read, and a checkpoint 0.1 ms more for each page of 4 KiB. What is stored already stays
     * as it is until it is rewritten, so it can be changed at any time. Default "none".
     */
    readonly compression?: "none" | "deflate";
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
     * Age of the oldest commit that no checkpoint has folded, at which one does though neither log nor
     * memory asks for it: so that a store with few writes reopens quickly after a crash, too.
     *
     * Milliseconds, from 1,000 to 2,592,000,000 (30 days). Default 600,000 (ten minutes).
     */
    readonly checkpointAgeMs?: number;
    /**
     * How long the past of databases is kept: until then a fork can begin at any commit, not only at
     * snapshots. Checkpoints keep older states of pages and of the log for it. 0 keeps none.
     *
     * Milliseconds, from 0 to 2,592,000,000 (30 days). Default 3,600,000 (an hour).
     */
    readonly historyMs?: number;
    /**
     * Log that is kept for `historyMs` and for nothing else, at most: where more is written in that
     * time, the window is shorter. The past begins at a checkpoint, so less than what
     * `checkpointLogBytes` fills keeps nothing beyond the log that no checkpoint has folded.
     *
     * Bytes, from 0 to 1 TiB. Default 512 MiB.
     */
    readonly historyBytes?: number;
    /**
     * Size of a log segment, a file that is preallocated and recycled.
     *
     * Bytes, a multiple of 4 KiB, from 256 KiB to 1 GiB. Default 64 MiB.
     */
    readonly segmentBytes?: number;
    /**
     * Memory for the pages that one transaction changes. Beyond it they go to files of the store, to
     * which its commit then refers: it takes as long as the device takes for so many bytes, and blocks
     * the event loop meanwhile, as any statement does.
     *
     * Bytes, from 64 KiB to 1 GiB. Default 64 MiB.
     */
    readonly transactionMemoryBytes?: number;
    /**
     * Most that one transaction may change, in memory and on disk together. Beyond it,
     * BOP_TRANSACTION_TOO_LARGE. A disk that is full before is BOP_DISK_FULL.
     *
     * Bytes, from 1 MiB to 1 TiB. Default 64 GiB.
     */
    readonly maxTransactionBytes?: number;
    /**
     * How the log is written. `direct`: past the page cache, a write being its own flush (Linux, and
     * file systems with O_DIRECT); BOP_IO where that cannot be done. `standard`: through the page
     * cache, then fdatasync. `auto`: whichever is the quicker here, tried when the store opens.
     * Diagnostics say which it is, and why. Default "auto".
     */
    readonly io?: IoChoice;
    /**
     * Memory for entries of record logs that lie in chunks already, the newest of each log. Entries
     * that were appended since the last checkpoint come on top, and count towards `overlayBytes`.
     *
     * Bytes, from 0 to 64 GiB. Default 64 MiB.
     */
    readonly logCacheBytes?: number;
    /**
     * Largest payload of an entry of a record log; beyond it, RangeError. An append is held in memory
     * as a whole.
     *
     * Bytes, from 1 KiB to 1 GiB. Default 64 MiB.
     */
    readonly maxEntryBytes?: number;
    /**
     * Log every changed page as a whole instead of what changed in it: for debugging, and to measure
     * what deltas save. A small commit then takes some ten times the log. Default false.
     */
    readonly logFullPages?: boolean;
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
    /**
     * Time after which a database that was created, renamed or dropped is in the manifest, and so in
     * the change log. Nobody waits for it; what comes together within it shares one commit there.
     *
     * Milliseconds, from 0 to 60,000. Default 50.
     */
    readonly catalogueDelayMs?: number;
    /**
     * How long a change of the manifest waits for others to share its commit: a checkpoint, a new
     * segment of the log, an acknowledged change. Commits of databases do not wait for it. 0: until the
     * program has nothing else to do.
     *
     * Milliseconds, from 0 to 1,000. Default 0.
     */
    readonly manifestDelayMs?: number;
    /**
     * Where everything is shipped as it is written, so that it can be restored elsewhere: a folder
     * (`file:///backup`), a bucket (`s3://bucket/prefix?region=…`), or an ObjectStore. One store ships
     * there, and one machine at a time. Default: nowhere; but a store that has shipped keeps what is
     * new for its sink, until `limits.maxUnshippedBytes` wait. `none` gives the sink up, and that with
     * it. See docs/sinks.md and docs/durability.md.
     */
    readonly sink?: string | ObjectStore;
    /**
     * When commits are acknowledged: `local`, once they are durable on this machine; `remote`, once the
     * sink holds them, which takes as long as a request to it, and as long as it cannot be reached.
     * Databases and transactions may have their own. Default "local".
     */
    readonly durability?: Durability;
    /**
     * How long what was committed may wait to be shipped, if nobody waits for it: what a lost machine
     * loses at level `local`, while the sink answers. Less makes more and smaller objects.
     *
     * Milliseconds, from 10 to 3,600,000. Default 1,000.
     */
    readonly flushIntervalMs?: number;
    /**
     * Log that is shipped at once when so much has come together, and the most that one object holds.
     *
     * Bytes, from 64 KiB to 256 MiB. Default 8 MiB.
     */
    readonly flushBytes?: number;
    /**
     * A directory that holds no store takes up the one that the sink holds, if there is one: its rows
     * and its newest log are read, its pages when they are needed. Whoever served it before is fenced.
     * Without this, such a sink refuses a directory that is empty. See docs/tiering.md. Default false.
     */
    readonly startFromSink?: boolean;
    /** What of the past the sink keeps. */
    readonly retention?: RetentionOptions;
    /**
     * Accepts a sink that cannot create objects only if they are absent, which is what keeps two
     * machines from writing there at once. Say so only if nothing else can ever open a store with this
     * sink. Default false.
     */
    readonly singleWriter?: boolean;
    /**
     * How long opening waits for the sink. If it has not answered by then the store goes on without,
     * and keeps trying: commits at level `remote` wait for it.
     *
     * Milliseconds, from 0 to 600,000. Default 5,000.
     */
    readonly sinkTimeoutMs?: number;
    /**
     * How long closing waits until the sink has everything. What it does not have by then stays here,
     * and is shipped when the store is opened again. As long, before that, for room on a full disk.
     *
     * Milliseconds, from 0 to 3,600,000. Default 10,000.
     */
    readonly closeTimeoutMs?: number;
    /** How much of the change log is kept, and for whom. */
    readonly changeLog?: ChangeLogOptions;
    /** How often what was written is read again to see whether it still is that: see docs/scrub.md. */
    readonly scrub?: ScrubOptions;
    /** What may wait in memory, be under way, and hang: see docs/limits.md. */
    readonly limits?: LimitOptions;
    /**
     * Told now and then, while a store that was not closed is opened, how much of its log has been
     * checked. Bytes; the total is an upper bound until the end has been found. Default: nobody.
     */
    readonly onProgress?: (progress: RecoveryProgress) => void;
    /** The world. Default: this machine. Simulations and tests bring their own. */
    readonly env?: Env;
    /** What the manifest lies in. Default: LMDB. Simulations bring the twin in memory. */
    readonly openKeyValueStore?: OpenKeyValueStore;
}

export interface NewLogEntry {
    readonly term: bigint;
    readonly index: bigint;
    /** Up to 256 bytes. */
    readonly field?: Uint8Array;
    readonly payload: Uint8Array;
}

export interface ObjectInfo {
    readonly key: string;
    readonly sizeBytes: number;
    /** Undefined if somebody else than us put it. */
    readonly putId: string | undefined;
    readonly sha256: string | undefined;
}

export interface ObjectStore {
    /** Where it is, as a URL without secrets: for messages and reports. */
    readonly location: string;
    /** Replaces what is there. */
    put(key: string, body: Uint8Array, options: PutOptions): Promise<void>;
    putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome>;
    /** Undefined if there is none. */
    get(key: string, options?: GetOptions): Promise<StoredObject | undefined>;
    /** Undefined if there is none. */
    head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
    /** Keys that begin with the prefix, which may end anywhere in a key. */
    list(prefix: string, options?: ListOptions): Promise<ListPage>;
    /** What is not there is deleted already. */
    delete(key: string, options?: CallOptions): Promise<void>;
    /** What the service can do beyond what is asked of it: see probe.ts. Leaves nothing behind. */
    inspect?(key: string, options: PutOptions): Promise<ServiceReport | undefined>;
    /** Ends what calls under way still wait for, lets go of connections. Idempotent. */
    close(): Promise<void>;
}

export interface PageCacheStats {
    readonly hits: number;
    readonly misses: number;
    readonly insertions: number;
    /** Pages that were not kept: too large, or everything was pinned. */
    readonly refused: number;
    readonly evictions: number;
    /** Frames that the hand looked at to find them. */
    readonly evictionAttempts: number;
    /** Pages that are there, and their bytes. */
    readonly frames: number;
    readonly bytes: number;
    /** All memory that is taken, tables included; never more than the budget. */
    readonly memoryBytes: number;
    readonly budgetBytes: number;
    /** Share of the budget that pages take which were used since the hand last passed them. */
    readonly pressure: number;
    /** Pages that are pinned. */
    readonly pinned: number;
    /** Pages that had changed in memory. */
    readonly damaged: number;
    /** Pages read ahead; of these: asked for later, evicted before that. */
    readonly readAhead: {
        readonly issued: number;
        readonly used: number;
        readonly wasted: number;
    };
    readonly observers: ObserverStats;
}

export type PutOutcome = 
/** It is there, and it is this put that created it. */
{
    readonly type: "created";
}
/** Another put was first. Nothing was changed. */
 | {
    readonly type: "exists";
    readonly info: ObjectInfo;
};

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

export interface ReadCounts {
    /** Calls that asked for an object, or for a part of one, or what there is. */
    readonly requests: number;
    /** Different objects that something was read of. */
    readonly objects: number;
    readonly bytes: number;
}

export interface RecordLog {
    readonly name: string;
    /** Undefined while there is no entry. */
    readonly firstIndex: bigint | undefined;
    /** Of the last entry; without one that of the boundary; undefined if there is neither. */
    readonly lastIndex: bigint | undefined;
    /** Every entry up to it survives a power cut; undefined as with `lastIndex`. */
    readonly durableIndex: bigint | undefined;
    readonly boundary: LogBoundary | undefined;
    append(entries: readonly NewLogEntry[], options?: Omit<LogChange, "entries">): Promise<LogWritten>;
    /** Any change, as one. Several logs in one: `manager.commitLogs`. */
    commit(change: LogChange): Promise<LogWritten>;
    /** Throws BOP_LOG_COMPACTED for what is gone, BOP_LOG_UNAVAILABLE for what is not there yet. */
    read(range: LogRange): Promise<LogEntry[]>;
    /** Of an entry or the boundary. Throws as `read` does. */
    termAt(index: bigint): bigint;
    /** Of a durable entry or the boundary. Rejects as `read` does. */
    fieldAt(index: bigint): Promise<Uint8Array>;
    /** Entries up to this index stay. Behind the last: nothing happens. */
    truncateSuffix(afterIndex: bigint | "all"): Promise<LogWritten>;
    /** See `LogChange.compact`. At or below the boundary: nothing happens. */
    compactPrefix(upToIndex: bigint, boundary?: {
        readonly term?: bigint;
        readonly field?: Uint8Array;
    }): Promise<LogWritten>;
    /** Removes all entries and the boundary: the next entry may have any index. The rest stays. */
    clear(): Promise<LogWritten>;
    setHardState(state: HardState): Promise<LogWritten>;
    /** Undefined if none was ever saved. */
    readHardState(): Promise<HardState | undefined>;
    setStable(key: string, value: Uint8Array | undefined): Promise<LogWritten>;
    /** Undefined for a key that is not there. */
    readStable(key: string): Promise<Uint8Array | undefined>;
    saveSnapshotMeta(meta: Uint8Array): Promise<LogWritten>;
    /** Undefined if there is none. */
    readSnapshotMeta(): Promise<Uint8Array | undefined>;
    /** Resolves when every entry up to it is durable; rejects if it is truncated before. */
    waitDurable(index: bigint): Promise<void>;
    /** Gives the handle back; what was changed still becomes durable. Idempotent. */
    close(): Promise<void>;
}

/** What the requests of a store have come to since it was opened. */
export interface RequestCounts {
    /** Puts and lists: the dear ones. */
    readonly writes: number;
    readonly reads: number;
    /** Most services do not charge for them. */
    readonly deletes: number;
    readonly putsByKind: Readonly<Record<PutKind, number>>;
    readonly bytesByKind: Readonly<Record<PutKind, number>>;
    readonly readBytes: number;
}

/** Of files of checkpointed pages and of entries of record logs. */
export interface ResidencyFacts extends ResidencyStats {
    /** `limits.diskBytes`. */
    readonly diskBytes: number | undefined;
    /** The last damaged file of this disk that was made whole from the sink. */
    readonly lastHealed: {
        readonly file: string;
        readonly why: string;
        readonly at: Date;
    } | undefined;
    /** What was read of the sink to take its store up, if this opening did so. */
    readonly startedFrom: ReadCounts | undefined;
}

/** Default: the newest. */
export type RestoreMoment = Date | {
    readonly lsn: number;
};

/** Restores a whole store: see Manager.restore. */
export interface RestoreOptions extends TransferOptions {
    /** Where it was shipped to: a URL as of `sink`, or an ObjectStore. It is only read. */
    readonly from: string | ObjectStore;
    /** Where the store is to lie: a directory that is empty, or not there yet. */
    readonly directory: string;
    /** The moment: a time, or a position in the log. Default: the newest that is there. */
    readonly at?: RestoreMoment;
    /**
     * Brings rows and log only, and leaves the pages in the bucket: they are fetched when they are read,
     * so open it with that sink. Of the newest moment only. See docs/tiering.md. Default false.
     */
    readonly lazy?: boolean;
    /** Reads what is needed to tell what would be restored, and makes nothing. Default false. */
    readonly dryRun?: boolean;
    /**
     * Size of the segments that the log is written to. Bytes, a multiple of 4 KiB, from 1 MiB to
     * 1 GiB. Default 64 MiB.
     */
    readonly segmentBytes?: number;
    /** The world. Default: this machine. */
    readonly env?: Env;
    /** Where the manifest lies. Default: LMDB. */
    readonly openKeyValueStore?: OpenKeyValueStore;
}

export interface RestorePoints {
    readonly location: string;
    readonly storeId: string;
    /** Oldest first; with more than one, what lies between them is not kept any more. */
    readonly ranges: readonly RestoreRange[];
    /** States of the manifest, oldest first: a restore of such a moment reads the least log. */
    readonly states: readonly ListedPoint[];
}

/** Every commit between the two can be asked for. */
export interface RestoreRange {
    readonly from: ListedPoint;
    readonly to: ListedPoint;
}

export type RestoreReport = StoreRestoreReport;

/** Which states of the store the sink keeps, so that they can be restored. */
export interface RetentionOptions {
    /**
     * Any moment of this time can be restored, from now backwards. Objects that no moment of it needs
     * are removed from the sink.
     *
     * Milliseconds, from 0 to 31,622,400,000 (366 days). Default 604,800,000 (7 days).
     */
    readonly keepForMs?: number;
    /** Of so many days before that, one state each. From 0 to 3,660. Default 0. */
    readonly daily?: number;
    /** Of so many weeks before that, one state each. From 0 to 520. Default 0. */
    readonly weekly?: number;
}

export interface RetryStats {
    readonly breaker: BreakerState;
    readonly breakerMoves: number;
    readonly attempts: number;
    readonly failures: number;
    readonly waiting: number;
    /** Repetitions that were not made since the budget was spent. */
    readonly overBudget: number;
    /** What the last attempt failed with, unless one has succeeded since. */
    readonly lastFailure: string | undefined;
}

export type Row = Record<string, SqlValue>;

export interface RunResult {
    readonly changes: number;
    /** A number, or a bigint beyond 2^53. */
    readonly lastInsertRowid: number | bigint;
    /** Position of the commit in the store's log; of the snapshot, if nothing was written. */
    readonly lsn: number;
}

export interface ScrubFacts {
    readonly local: ScrubPass;
    /** Undefined without a sink. */
    readonly remote: ScrubPass | undefined;
    readonly samples: ScrubSamples | undefined;
    /** Since the store was opened. */
    readonly readBytes: number;
    readonly healed: number;
    /** The newest, at most 100, since the store was opened. */
    readonly findings: readonly ScrubFinding[];
}

export interface ScrubFinding {
    readonly part: "local" | "remote" | "sample";
    /** As seen from the store's directory; of the sink, the key of an object; or a database. */
    readonly what: string;
    /** Bytes from its beginning, where that is known. */
    readonly offset: number | undefined;
    readonly why: string;
    /**
     * `healed`: it is again what was written. `reported`: it is not; `why` says what that means, and
     * what was done so that nothing more comes of it.
     */
    readonly outcome: "healed" | "reported";
    /** Names of databases that have something in it, as far as that can be told. */
    readonly databases: readonly string[];
    readonly at: Date;
}

export interface ScrubOptions {
    /**
     * Every checkpointed chunk, every sealed segment of the log and its history, superblock and mirror
     * are read and checked once in this time, spread evenly over it. 0 never.
     *
     * Milliseconds, 0 or from 1,000 to 31,622,400,000 (366 days). Default 604,800,000 (7 days).
     */
    readonly localEveryMs?: number;
    /**
     * The same for every object in the sink: each is fetched once in this time, which is what the
     * service bills. 0 never. Without effect where there is no sink.
     *
     * Milliseconds, 0 or from 1,000 to 31,622,400,000. Default 2,592,000,000 (30 days).
     */
    readonly remoteEveryMs?: number;
    /**
     * So often one database is restored from the sink into a temporary file and looked through with
     * SQLite's integrity check: the one for which that is longest ago. 0 never. Without effect where
     * there is no sink.
     *
     * Milliseconds, 0 or from 1,000 to 31,622,400,000. Default 86,400,000 (a day).
     */
    readonly sampleEveryMs?: number;
    /**
     * What scrubbing reads at most, disk and sink together. Where a pass would need more it takes
     * longer than it should.
     *
     * Bytes per second, from 64 KiB to 16 GiB. Default 16 MiB.
     */
    readonly maxBytesPerSecond?: number;
}

/** A pass over this disk, or over the sink. */
export interface ScrubPass {
    /** Milliseconds between two readings of a piece; 0 if it never runs by itself. */
    readonly everyMs: number;
    /** End of the last pass after which everything was as it was written; undefined if there is none. */
    readonly lastGoodAt: Date | undefined;
    /** End of the last pass. */
    readonly lastAt: Date | undefined;
    /** Since when the pass under way runs; undefined while it rests. */
    readonly since: Date | undefined;
    /** How much of it is done, from 0 to 1. */
    readonly done: number;
    /** The first thing found by the pass under way, or else the last one, that could not be healed. */
    readonly problem: string | undefined;
}

export interface ScrubProgress {
    readonly part: "local" | "remote" | "sample";
    readonly doneBytes: number;
    readonly totalBytes: number;
}

export interface ScrubReport {
    /** Nothing was found that is still not what was written. */
    readonly isSound: boolean;
    readonly checked: {
        readonly chunks: number;
        readonly segments: number;
        /** In the sink. */
        readonly objects: number;
        readonly bytes: number;
        /** Restored from the sink and looked through. */
        readonly databases: readonly string[];
    };
    readonly findings: readonly ScrubFinding[];
}

export interface ScrubRequest {
    /** What to read: by default all that there is. */
    readonly parts?: readonly ("local" | "remote" | "sample")[];
    /** Which database is restored to try it; by default the one for which that is longest ago. */
    readonly database?: string;
    /** Bytes per second, from 64 KiB to 16 GiB. Default: `scrub.maxBytesPerSecond` of the store. */
    readonly maxBytesPerSecond?: number;
    /** Told after each piece. */
    readonly onProgress?: (progress: ScrubProgress) => void;
    readonly signal?: AbortSignal;
}

export interface ScrubSamples {
    readonly everyMs: number;
    readonly lastAt: Date | undefined;
    /** Databases that were restored and found whole, of those that there are. */
    readonly goodDatabases: number;
    /** Those for which it is longest ago that this was so; those never tried first. At most ten. */
    readonly oldest: readonly ScrubbedDatabase[];
}

export interface ScrubbedDatabase {
    readonly name: string;
    readonly lastGoodAt: Date | undefined;
    readonly problem: string | undefined;
}

/** Nothing of it is needed; `bop doctor` tells it. */
export interface ServiceReport {
    /** A put on condition of what is there: with the ETag as it was given, without its quotes, not. */
    readonly compareAndSwap: "yes" | "unquoted" | "no";
    /** A body that does not hash to what was announced is refused by the service itself. */
    readonly refusesDamage: boolean;
}

export interface CallOptions {
    readonly signal?: AbortSignal | undefined;
}

export interface SinkFacts {
    /** Where it is: a URL without secrets. */
    readonly location: string;
    readonly state: SinkState;
    /** This opening of the store, as the bucket counts them; undefined until it has claimed one. */
    readonly epoch: number | undefined;
    /** The sink holds the log up to here. */
    readonly remoteLsn: number;
    /** Durable here and not in the sink. */
    readonly unshippedBytes: number;
    /** How long the oldest of it has waited; 0 if nothing waits. */
    readonly oldestUnshippedMs: number;
    /** What went wrong last, unless something went well since; from the first failed attempt on. */
    readonly lastError: string | undefined;
    readonly deadLetters: number;
    /** Parts of the log that were given up, by epoch: no moment in one can be restored from the sink. */
    readonly lostWindows: readonly LostWindow[];
    /** What was asked of the sink since the store was opened, by what services charge for. */
    readonly requests: RequestCounts;
    /** How often calls are tried, how often they fail, and whether the sink is left alone for now. */
    readonly retries: RetryStats;
}

export interface GetOptions extends CallOptions {
    /** Without it the whole object is read, and checked against its SHA-256. A part cannot be. */
    readonly range?: ByteRange | undefined;
}

export interface ListOptions extends CallOptions {
    /** Only keys behind this one. */
    readonly after?: string | undefined;
    /** At most so many. From 1 to 1000, which is the default. */
    readonly limit?: number | undefined;
}

export interface PutOptions extends CallOptions {
    /** Of this body under this key: 32 lower-case hexadecimal digits, never used for another. */
    readonly putId: string;
    /**
     * What the body hashes to, where its maker knows: 64 hexadecimal digits. A body that does not is
     * refused with BOP_SINK_CORRUPT before anything of it leaves.
     */
    readonly sha256?: string | undefined;
}

/** What shipping does. See docs/durability.md. */
export type SinkState = "offline" | "claiming" | "taking-over" | "comparing" | "shipping" | "halted" | "fenced" | "diverged" | "closed";

export interface SnapshotInfo {
    readonly name: string;
    /** Of one database, or of all that there were. */
    readonly scope: "database" | "store";
    /** The moment: commits at or below this LSN are in it. */
    readonly lsn: number;
    readonly createdAt: Date;
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

/**
 * Parameters are positional (`run(1, "a")`) or one object of named ones (`run({ id: 1 })`). They count as
 * they are when the call is made: objects, arrays and bytes may be used again while it waits.
 */
export interface Statement<R = Row> {
    readonly sql: string;
    run(...parameters: StatementParameters): Promise<RunResult>;
    get(...parameters: StatementParameters): Promise<R | undefined>;
    all(...parameters: StatementParameters): Promise<R[]>;
    /**
     * Rows of one snapshot, as they are asked for; in a transaction all are taken at the first step. Ending
     * the loop early frees it. The close of its handle and the end of its transaction end it: the next
     * step throws BOP_CLOSED.
     */
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

export interface StoredObject {
    readonly info: ObjectInfo;
    readonly bytes: Uint8Array;
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

export interface TransferOptions {
    /** Called now and then with bytes done and in all. */
    readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
    /** Stops the transfer and leaves nothing of it when it aborts. */
    readonly signal?: AbortSignal;
}

/** Narrows `details` along with `code`, so that no handler casts. */
export declare function isStorageError<Code extends ErrorCode>(error: unknown, code: Code): error is StorageError<Code>;

/** The name that has this slug; undefined if none has. Any text gives an answer. */
export declare function nameOfSlug(slug: string): string | undefined;

/**
 * Opens a folder (`file:///backup`) or a bucket (`s3://bucket/prefix?region=…`). Close it. Throws a
 * TypeError or a RangeError for a URL that names no sink.
 */
export declare function openObjectStore(url: string, env?: Env): Promise<ObjectStore>;

export declare function slugOf(name: string): string;

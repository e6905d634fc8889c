/**
 * ERRORS of the world: one class, one code each, and what the caller may do about it. The code is
 * the API: adding one is a minor release, changing one a major release; docs/errors.md lists them
 * all, and a test compares the two. Misuse by the caller is a TypeError or a RangeError instead,
 * and what must not happen is an AssertionError.
 */
import type { Lsn } from "./units.ts";

/** Every code with the facts that come with it. The comment tells the caller what to do next. */
export interface ErrorDetails {
  /** Too much is waiting for the device. Nothing was done. Retry after `retryAfterMs`. */
  BOP_BACKPRESSURE: { readonly full: string; readonly retryAfterMs: number };
  /** The store, database, connection or transaction was closed. Open another. */
  BOP_CLOSED: { readonly what: string };
  /** Stored bytes are not what was written. They are not served. Restore from a copy. */
  BOP_CORRUPT: {
    readonly file: string;
    readonly offset: number;
    readonly why: string;
    readonly database?: string;
    readonly page?: number;
  };
  /** The device is full. Nothing was done. Make room; the store goes on by itself. */
  BOP_DISK_FULL: { readonly operation: string; readonly file: string };
  /** Somebody else reads changes by this cursor. End that loop, or take a cursor of another name. */
  BOP_CURSOR_BUSY: { readonly cursor: string };
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
  BOP_CURSOR_LIMIT: { readonly limit: number };
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
  BOP_DROPPED: { readonly database: string };
  /** The name, or the file to be written, is taken. Choose another, or remove what has it. */
  BOP_EXISTS: { readonly name: string };
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
  BOP_FORMAT: { readonly file: string; readonly found: string; readonly supported: string };
  /** A file cannot be imported, and nothing was. The reason says what to change in it. */
  BOP_IMPORT: { readonly file: string; readonly why: string; readonly page?: number };
  /** The device refused an operation. The cause is the system's own error. */
  BOP_IO: { readonly operation: string; readonly file: string };
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
  BOP_LOG_CONFLICT: { readonly log: string; readonly index: bigint; readonly lastIndex: bigint };
  /** Entries would not follow each other, and nothing was appended. Append `expectedIndex` first. */
  BOP_LOG_GAP: { readonly log: string; readonly index: bigint; readonly expectedIndex: bigint };
  /** The term would fall, or differs from the one that the log knows. Nothing was changed. */
  BOP_LOG_TERM: { readonly log: string; readonly term: bigint; readonly previousTerm: bigint };
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
  BOP_NOT_FOUND: { readonly database: string; readonly snapshot?: string };
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
  BOP_OUTCOME_UNKNOWN: { readonly lsn: Lsn; readonly durableLsn: Lsn };
  /** The store takes no more writes since its log failed. Reopen it to recover. */
  BOP_READ_ONLY: { readonly durableLsn: Lsn; readonly why: string };
  /** The rows of an answer take more than `limitBytes`. Ask for fewer (LIMIT), or use iterate. */
  BOP_RESULT_TOO_LARGE: { readonly limitBytes: number };
  /**
   * The bucket holds more than this disk, which is an older copy, or empty. Nothing was uploaded and
   * nothing is lost: restore from the bucket, or give this store a bucket of its own.
   */
  BOP_SINK_AHEAD: { readonly bucketLsn: number; readonly diskLsn: number };
  /**
   * An object of the folder or bucket is not what was put, or a body is not what it was said to be.
   * It is not served and not stored. Read again; if it stays so, restore from another copy.
   */
  BOP_SINK_CORRUPT: { readonly store: string; readonly key: string; readonly why: string };
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
  BOP_SINK_UNFIT: { readonly store: string; readonly failed: readonly string[] };
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
  BOP_SQLITE: { readonly sqliteCode: string; readonly extendedCode: number };
  /** Not done within the time it was given; it was undone. */
  BOP_TIMEOUT: { readonly operation: string; readonly timeoutMs: number };
  /** The transaction changes more than `limitBytes`. It was rolled back. Split it. */
  BOP_TRANSACTION_TOO_LARGE: { readonly bytes: number; readonly limitBytes: number };
}

export type ErrorCode = keyof ErrorDetails;

/** Codes whose operation may simply be tried again: it was not done, or doing it twice is safe. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  "BOP_BACKPRESSURE",
  "BOP_DISK_FULL",
  "BOP_SINK_CORRUPT",
  "BOP_SINK_UNAVAILABLE",
  "BOP_SINK_UNKNOWN",
  "BOP_TIMEOUT",
]);

export interface ErrorContext<Code extends ErrorCode> {
  readonly details: ErrorDetails[Code];
  /** What the layer below threw, untouched. */
  readonly cause?: unknown;
  /** Overrides what the code says of itself (SQLITE_BUSY is retryable, other SQLite errors not). */
  readonly retryable?: boolean;
}

/** What the world did: `code` is stable, `details` are typed, `retryable` says if waiting helps. */
export class StorageError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name: string = "StorageError";
  readonly code: Code;
  readonly details: Readonly<ErrorDetails[Code]>;
  readonly retryable: boolean;

  constructor(code: Code, message: string, context: ErrorContext<Code>) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.code = code;
    this.details = context.details;
    this.retryable = context.retryable ?? RETRYABLE.has(code);
  }
}

/** Narrows `details` along with `code`, so that no handler casts. */
export function isStorageError<Code extends ErrorCode>(
  error: unknown,
  code: Code,
): error is StorageError<Code> {
  return error instanceof StorageError && error.code === code;
}

/** Node's own code of a failed system call (`ENOENT`, `ENOSPC`…), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

/** What says that the device is full, by itself or through a layer below. */
const FULL = ["ENOSPC", "EDQUOT", "BOP_DISK_FULL"];

/** Wraps what a file operation threw: BOP_DISK_FULL where the device is full, else BOP_IO. */
export function ioError(operation: string, file: string, cause: unknown): StorageError {
  const full = FULL.includes(systemCode(cause) ?? "");
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `${operation} of ${file} failed: ${why}`;
  return full
    ? new StorageError("BOP_DISK_FULL", message, { details: { operation, file }, cause })
    : new StorageError("BOP_IO", message, { details: { operation, file }, cause });
}

/**
 * SQLITE AS THE MANAGER SEES IT: an engine (one WebAssembly instance) makes connections to
 * databases whose pages come from a PageSpace. All synchronous; nothing here waits or knows about
 * durability. C's numbers and pointers end in this folder.
 *
 * (1) A connection that takes a SHARED lock pins the newest snapshot at or below `horizon()`.
 * (2) A write transaction whose snapshot is not the newest gets SQLITE_BUSY_SNAPSHOT, and one that
 *     finds another connection writing gets SQLITE_BUSY. Neither ever waits.
 * (3) Where pages are away, calls throw what the page space threw (PagesAway) once SQLite has undone
 *     what it can: a statement outside of a transaction has done nothing then, one within may be
 *     half done (so it wants a savepoint), and a transaction is as open as before, but one that
 *     COMMIT was shrinking (auto_vacuum = full) is lost: `writing` is false then.
 * (4) A commit is sealed when `lastCommitLsn` changes. If the page space refuses it, SQLite rolls
 *     back and the StorageError that refused it is what the caller gets.
 */
import type { Lsn } from "../base/units.ts";
import type { PageSpace } from "../page-store/index.ts";
import type { SqlReal } from "./statement/real.ts";

export type EngineKind = "sqlite" | "libsql";
export type SqlValue = null | number | bigint | string | Uint8Array;
/** What a caller may bind. A boolean binds as 0 or 1; undefined is refused, since it hides typos. */
export type SqlInput = SqlValue | boolean | SqlReal;
/** Positional, or one object of named parameters (`:a`, `@a`, `$a`; the prefix is optional). */
export type SqlParameters = readonly SqlInput[] | Readonly<Record<string, SqlInput>>;
/** How integers come out. `number` throws a RangeError beyond 2^53. */
export type IntegerMode = "number" | "bigint" | "string";

export interface SqliteEngine {
  readonly kind: EngineKind;
  /** `sqlite3_libversion()`. */
  readonly version: string;
  /** A trap inside of C has ended it and its connections; calls throw BOP_CLOSED. Load another. */
  readonly broken: boolean;
  connect(options: ConnectOptions): SqliteConnection;
  /** Closes what is still open. Idempotent. */
  close(): void;
}

export interface ConnectOptions {
  readonly space: PageSpace;
  /** Connections with the same coordinator share locks: one per database. */
  readonly locks: WriteLock;
  /** Newest LSN that a new snapshot of this connection may show. */
  readonly horizon: () => Lsn;
  /** Called when a write transaction begins; throws (BOP_BACKPRESSURE…) to refuse it. */
  readonly admit: () => void;
  readonly profile: "embedded" | "server";
  /** For an empty database: 512 to 65536, a power of two. */
  readonly pageBytes: number;
}

/** Who holds the RESERVED lock of a database. Made by `writeLock()`, one per database. */
export interface WriteLock {
  readonly holder: SqliteConnection | undefined;
}

export interface SqliteConnection {
  /** False within a transaction. */
  readonly autocommit: boolean;
  /** It has the write lock. */
  readonly writing: boolean;
  /** LSN of the newest commit that this connection sealed; undefined before the first. */
  readonly lastCommitLsn: Lsn | undefined;
  /** LSN of the snapshot that is pinned now; undefined outside of any transaction. */
  readonly snapshotLsn: Lsn | undefined;
  readonly changes: number;
  readonly totalChanges: number;
  readonly lastInsertRowid: bigint;
  /** Foreign-key violations that the transaction deferred and has yet to mend. */
  readonly deferredForeignKeys: number;
  readonly open: boolean;
  /**
   * How many texts were compiled that change how the connection behaves. SQLite does what some pragmas
   * say when it compiles them, so whoever was refused or only asked what a text is has changed it too.
   */
  readonly settingChanges: number;

  /**
   * Compiles the first statement of `sql`. `tail` is what follows it. `statement` is undefined if
   * there is only white space and comments. Throws SqliteError.
   */
  prepare(sql: string): {
    readonly statement: PreparedStatement | undefined;
    readonly tail: string;
  };
  /** Runs a statement without parameters or rows from a per-connection cache: BEGIN, COMMIT… */
  command(sql: string): void;
  /**
   * Makes changes(), total_changes() and last_insert_rowid() answer, in SQL and here, as if the
   * statements of the given session had been the last to run on this connection: many sessions
   * take turns on one connection. (`totalChanges` here goes on counting for the connection.)
   */
  assumeCounters(session: SessionCounters): void;
  /**
   * From now on many sessions use the connection: a pragma that would change how it behaves is
   * compiled to do nothing (SQLite sets some while it compiles them), and its traits say that it is
   * bound to a session, so that its caller can refuse it or take it elsewhere.
   */
  share(): void;
  /** Ends what runs beyond this moment of `clock.monotonicMs()` with SQLITE_INTERRUPT. */
  deadline(atMs: number | undefined): void;
  /** Rolls back what is open and frees everything. Idempotent. */
  close(): void;
}

export interface SessionCounters {
  readonly changes: number;
  readonly totalChanges: number;
  readonly lastInsertRowid: bigint;
}

export interface PreparedStatement {
  readonly sql: string;
  /** Of its last run from the first step on. Before any, as the schema was when it was compiled. */
  readonly columns: readonly ColumnInfo[];
  /** The engine's build knows which table a column is of (libSQL's does not). */
  readonly tellsTables: boolean;
  readonly parameterNames: readonly (string | undefined)[];
  /** Changes nothing in the database (`sqlite3_stmt_readonly`). */
  readonly readonly: boolean;
  /** 0: not an EXPLAIN; 1: EXPLAIN; 2: EXPLAIN QUERY PLAN. */
  readonly explain: number;
  readonly traits: StatementTraits;

  /** Resets and binds. Throws TypeError or RangeError for what cannot be bound. */
  bind(parameters: SqlParameters): void;
  /** True if there is a row, false at the end. Throws SqliteError, or the StorageError beneath. */
  step(): boolean;
  /** The current row as an array of values, or as an object keyed by column name. */
  array(integers: IntegerMode): SqlValue[];
  object(integers: IntegerMode): Record<string, SqlValue>;
  value(columnIndex: number, integers: IntegerMode): SqlValue;
  reset(): void;
  finalize(): void;
}

export interface ColumnInfo {
  readonly name: string;
  /** As declared in CREATE TABLE; undefined for expressions. */
  readonly declaredType: string | undefined;
  /** Undefined for expressions, and for every column where `tellsTables` is false. */
  readonly table: string | undefined;
  readonly originColumn: string | undefined;
}

/** What the authorizer and the program of a statement say of it (design: coalesced execution). */
export interface StatementTraits {
  /**
   * `plain`: SELECT, DML, DDL: may share a transaction with others. `transaction`: BEGIN, COMMIT,
   * ROLLBACK, SAVEPOINT, RELEASE. `alone`: PRAGMA, VACUUM, ATTACH, temp objects, anything else.
   */
  readonly kind: "plain" | "transaction" | "alone";
  /** Uses temporary objects or changes the state of its connection: belongs to one session. */
  readonly sessionBound: boolean;
  /** Reads changes(), total_changes() or last_insert_rowid(). */
  readonly readsCounters: boolean;
  /** Calls what may answer otherwise the next time: random(), date('now')… */
  readonly isVolatile: boolean;
  /** INSERT, UPDATE or DELETE: what changes() counts. */
  readonly changesRows: boolean;
  /** Creates, alters or drops something: other statements must be looked at again. */
  readonly changesSchema: boolean;
}

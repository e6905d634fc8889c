/**
 * A SEAT: one SQLite connection with the statements that were compiled on it.
 *
 * (1) A compiled statement is used by one caller at a time: whoever keeps one between turns of the
 *     event loop (an iterator) leases one of its own.
 * (2) The counters of SQLite (changes, last_insert_rowid) are those of the session in place, which
 *     `enter` changes. A session is in place at one seat at a time.
 * (3) `horizon` says how new a snapshot may be; it is set before each use.
 * (4) Reads that follow one another on one snapshot share a read transaction, which saves SQLite the
 *     lock and the look at the header for each. It is begun by the second of them, and ended before
 *     the seat is used for anything else: see `holdRead`.
 * (5) SQLite finds out that the schema is another one now when a statement runs, or when it compiles a
 *     text with a name that it does not know; a text that compiles may do so by an old schema. Whoever
 *     is told what a text is, and does not run it (`describe`), is told behind such a look.
 * (6) Some settings change when a text is compiled, whether it runs or not: a seat whose connection was
 *     told to change one is not for others (`isAsMade`).
 */
import { LSN_ZERO, type Lsn, laterLsn, lsn } from "../../base/units.ts";
import {
  type PreparedStatement,
  type SessionCounters,
  type SqliteConnection,
  SqliteError,
} from "../../sqlite/index.ts";
import type { StatementDescription } from "../api/queryable.ts";
import type { Session } from "./session.ts";

/** The horizon of who may see all that there is. */
export const NEWEST = lsn(Number.MAX_SAFE_INTEGER);
/** Nobody can have a table of this name. See (5). */
const UNKNOWN_TABLE = "select * from sqlite_bop_unknown";
/** Compiled statements kept by a connection. */
const STATEMENTS_MAX = 128;

export class Seat {
  readonly connection: SqliteConnection;
  readonly #horizon: { lsn: Lsn };
  readonly #statements = new Map<string, PreparedStatement>();
  #session: Session | undefined;
  #totalChangesBefore = 0;
  /** Snapshot of the read transaction that is held open. */
  #heldLsn: Lsn | undefined;
  #lastReadLsn: Lsn | undefined;
  #settingChanges = 0;

  /** `connect` is given what says how new a snapshot may be, which is never below `floor`. */
  constructor(connect: (horizon: () => Lsn) => SqliteConnection, floor: () => Lsn) {
    const horizon = { lsn: LSN_ZERO };
    this.#horizon = horizon;
    this.connection = connect(() => laterLsn(horizon.lsn, floor()));
  }

  /** Its connection has the settings that everybody's is to have. */
  made(): this {
    this.#settingChanges = this.connection.settingChanges;
    return this;
  }

  /** See (6). */
  get isAsMade(): boolean {
    return this.connection.settingChanges === this.#settingChanges;
  }

  set horizon(lsn: Lsn) {
    this.#horizon.lsn = lsn;
  }

  /** Called before each plain read, with the LSN of the snapshot that it is to show. See (4). */
  holdRead(snapshotLsn: Lsn): void {
    if (this.#heldLsn === snapshotLsn) return;
    this.endHold();
    if (this.#lastReadLsn !== snapshotLsn) {
      this.#lastReadLsn = snapshotLsn;
      return;
    }
    this.connection.command("BEGIN");
    this.#heldLsn = snapshotLsn;
  }

  endHold(): void {
    if (this.#heldLsn === undefined) return;
    this.#heldLsn = undefined;
    // An error may have ended it already.
    if (!this.connection.autocommit) this.connection.command("COMMIT");
  }

  /** The compiled statement of a text that holds exactly one. Throws SqliteError or TypeError. */
  statement(sql: string): PreparedStatement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = compileOne(this.connection, sql);
    if (this.#statements.size >= STATEMENTS_MAX) this.#evictOldest();
    this.#statements.set(sql, statement);
    return statement;
  }

  /** The compiled statement of a text, if it is compiled. */
  known(sql: string): PreparedStatement | undefined {
    return this.#statements.get(sql);
  }

  /** One that nobody else uses. The caller finalizes it. */
  lease(sql: string): PreparedStatement {
    return compileOne(this.connection, sql);
  }

  /** See (5). It takes no snapshot that a transaction would keep. */
  describe(sql: string): StatementDescription {
    this.#lookAtSchema();
    const statement = this.lease(sql);
    try {
      const { columns, parameterNames, readonly, explain } = statement;
      return { columns, parameterNames, isReadonly: readonly, isExplain: explain > 0 };
    } finally {
      statement.finalize();
    }
  }

  #lookAtSchema(): void {
    try {
      this.connection.prepare(UNKNOWN_TABLE).statement?.finalize();
    } catch (error) {
      if (!(error instanceof SqliteError)) throw error;
    }
  }

  /** Forgets compiled statements, whose traits may be out of date since the schema changed. */
  forgetStatements(): void {
    for (const statement of this.#statements.values()) statement.finalize();
    this.#statements.clear();
  }

  /** Puts the counters of a session in place, and those of the one before back where they belong. */
  enter(session: Session): void {
    if (session.seat === this) return;
    session.seat?.leave();
    this.leave();
    session.seat = this;
    this.#session = session;
    this.connection.assumeCounters(session);
    this.#totalChangesBefore = this.connection.totalChanges;
  }

  /** Takes the counters back into the session that is in place. */
  leave(): void {
    const session = this.#session;
    if (session === undefined) return;
    const { connection } = this;
    if (!connection.open) {
      this.forgetSession();
      return;
    }
    session.changes = connection.changes;
    session.totalChanges += connection.totalChanges - this.#totalChangesBefore;
    session.lastInsertRowid = connection.lastInsertRowid;
    this.forgetSession();
  }

  /** The counters of a session, wherever they are; they are here for nobody then. */
  note(session: Session): SessionCounters {
    session.seat?.leave();
    const { changes, totalChanges, lastInsertRowid } = session;
    return { changes, totalChanges, lastInsertRowid };
  }

  /** The counters of a session are these again, whatever ran here since they were noted. */
  restore(session: Session, counters: SessionCounters): void {
    if (session.seat === this) this.forgetSession();
    Object.assign(session, counters);
  }

  /** What the counters in place say is nobody's: the session has its own. */
  forgetSession(): void {
    if (this.#session !== undefined) this.#session.seat = undefined;
    this.#session = undefined;
  }

  close(): void {
    this.leave();
    this.forgetStatements();
    this.connection.close();
  }

  #evictOldest(): void {
    for (const [sql, statement] of this.#statements) {
      this.#statements.delete(sql);
      statement.finalize();
      return;
    }
  }
}

function compileOne(connection: SqliteConnection, sql: string): PreparedStatement {
  const { statement, tail } = connection.prepare(sql);
  if (statement === undefined) throw new TypeError("the SQL text holds no statement");
  if (tail.trim() !== "" && hasStatement(connection, tail)) {
    statement.finalize();
    throw new TypeError("the SQL text holds more than one statement; use exec for scripts");
  }
  return statement;
}

/** What follows may be only comments; and what does not compile is a statement all the same. */
function hasStatement(connection: SqliteConnection, sql: string): boolean {
  try {
    const { statement } = connection.prepare(sql);
    statement?.finalize();
    return statement !== undefined;
  } catch {
    return true;
  }
}

/**
 * THE TRANSACTION OF A SEAT, and what each statement of the one session that uses the seat makes of it.
 * Nothing here waits: a statement runs in one go, or has not run. What it waits for before and after
 * is in seat-runner.ts.
 *
 *           BEGIN, SAVEPOINT              COMMIT, ROLLBACK
 *   none ───────────────────► open ─────────────────────────► none
 *                               └─── SQLite rolls it back ──► none; of a function: lost
 *   lost ─── abandon ───► none
 *
 *   none    Each statement is a transaction of its own, which ends with it.
 *   lost    Every call that is still made is refused with what lost it. See (3).
 *
 * (1) A statement that finds pages away throws PagesAway, and has not happened (retry-point.ts).
 * (2) A statement that may write needs the writer first (`needsWriter`), which is kept until the seat
 *     is out of its transaction, or the statement has not begun to write. So SQLITE_BUSY does not happen
 *     within a process; SQLITE_BUSY_SNAPSHOT does, where a transaction read before somebody else wrote.
 *     That one holds up nobody, however long it stays open.
 * (3) SQLite may roll a transaction back by itself: an I/O error, a full disk, `or rollback`. A
 *     function's transaction is lost then: it keeps the writer to its end.
 * (4) When it has given the writer back, the writer's seat is somebody else's, and is not touched; nor
 *     is a seat that was taken away (`refuse`).
 * (5) Whoever has the writer sees the newest state, durable or not. What a statement saw is noted before
 *     the writer goes back (`seenLsn`): an error shows it, and so does a write that changes nothing.
 * (6) What begins a transaction or a savepoint shows nothing of what it was begun on. What follows does,
 *     its end as well.
 * (7) What a function's transaction was asked to be holds from its BEGIN to its end, in the same go
 *     each: what comes before and behind it on a connection, also while it waits for the gate, is not
 *     held to that.
 */
import { assert } from "../../base/assert.ts";
import type { StorageError } from "../../base/errors.ts";
import { LSN_ZERO, type Lsn, laterLsn } from "../../base/units.ts";
import { PagesAway } from "../../page-store/index.ts";
import type { PreparedStatement, StatementTraits } from "../../sqlite/index.ts";
import type { StatementDescription } from "../api/queryable.ts";
import type { OutputGate } from "../gates/gate.ts";
import { interrupted } from "./interrupted.ts";
import type { OpenDatabase } from "./open-database.ts";
import { commitUndoable, undoable } from "./retry-point.ts";
import type { Call } from "./runner.ts";
import { runScripted } from "./script.ts";
import { NEWEST, type Seat } from "./seat.ts";
import { endsByReturning, readOnlyTransaction } from "./seat-refusals.ts";
import type { Session } from "./session.ts";
import type { ResolvedTransaction } from "./transaction-options.ts";
import { collectWhole } from "./whole.ts";

export interface SeatTransactionOptions {
  readonly database: OpenDatabase;
  readonly session: Session;
  readonly seat: Seat;
  /** Gives the writer back, where the seat is the writer's own. */
  readonly releaseWriter?: () => void;
}

/** What a function's transaction was asked to be. See (7). */
export type ScopeTraits = Pick<ResolvedTransaction, "mode" | "reveal"> & {
  /** Where its answers wait; undefined: where the database's do. */
  readonly level: OutputGate | undefined;
};

export interface Failed {
  readonly error: unknown;
}

export type CallOutcome<T> = { readonly answer: T } | Failed;

/** What came of a statement, and the LSN of what it saw. */
export type Ran<T> = CallOutcome<T> & { readonly seenLsn: Lsn };

export class SeatTransaction {
  readonly database: OpenDatabase;
  readonly session: Session;
  readonly seat: Seat;
  /** The seat is the writer's, who serves one after the other. */
  readonly #isShared: boolean;
  #releaseWriter: (() => void) | undefined;
  #refusal: StorageError | undefined;
  /** See (3). */
  #lost: Failed | undefined;
  #seenLsn: Lsn = LSN_ZERO;
  /** A function's transaction is open: it is the function that ends it, by returning. */
  isScoped = false;
  /** What would write is refused with SQLITE_READONLY. */
  isReadonly = false;
  /** Show at once what it saw that is not durable yet; only its end waits. */
  revealsCommitted = false;
  /** Where its answers wait; undefined: where the database's do. */
  level: OutputGate | undefined;
  /** Temp objects or settings were made on the connection: it cannot serve anybody else. */
  hasChangedSeat = false;

  constructor({ database, session, seat, releaseWriter }: SeatTransactionOptions) {
    this.database = database;
    this.session = session;
    this.seat = seat;
    this.#releaseWriter = releaseWriter;
    this.#isShared = releaseWriter !== undefined;
  }

  get isOpen(): boolean {
    return this.#isOurs && !this.seat.connection.autocommit;
  }

  get hasWriter(): boolean {
    return this.#releaseWriter !== undefined;
  }

  /** What the last statement saw; of a function's transaction, the newest that any of it saw. See (5). */
  get seenLsn(): Lsn {
    return this.#seenLsn;
  }

  /**
   * BEGIN of a function's transaction, on its session's own seat, unless its caller gave up: then the
   * writer goes back. Throws PagesAway: see (1).
   */
  begin(sql: string, asked: ScopeTraits, until: AbortSignal): void {
    try {
      until.throwIfAborted();
      this.assertUsable();
      this.#setHorizon();
      this.seat.connection.command(sql);
    } catch (error) {
      if (!(error instanceof PagesAway)) this.#ended();
      throw error;
    }
    this.enterScope(asked);
  }

  /** A function's transaction has begun. It shows what its BEGIN saw. */
  enterScope({ mode, reveal, level }: ScopeTraits): void {
    this.isReadonly = mode === "read";
    this.revealsCommitted = reveal === "committed";
    this.level = level;
    this.#see();
    this.isScoped = true;
  }

  /** It has ended, and nothing of what it was asked to be stays. See (7). */
  leaveScope(): void {
    this.isScoped = false;
    this.isReadonly = false;
    this.revealsCommitted = false;
    this.level = undefined;
  }

  /** It keeps the writer by (2), and gives it back by this. */
  giveWriter(release: () => void): void {
    this.#releaseWriter = release;
  }

  /** Ends what is open; from now on every call is refused, and the seat is somebody else's. See (4). */
  refuse(error: StorageError): void {
    this.abandon();
    const { connection } = this.seat;
    if (connection.open) connection.deadline(undefined);
    this.#refusal = error;
  }

  /** What it is refused with, if it is. */
  get refusal(): StorageError | undefined {
    return this.#refusal;
  }

  /** Throws what took the seat away, or made SQLite roll the transaction back by itself. See (3), (4). */
  assertNotLost(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#lost !== undefined) throw this.#lost.error;
  }

  assertUsable(): void {
    this.assertNotLost();
    this.database.assertOpen();
  }

  /** See (2). A text that does not compile here needs no writer: running it will say so. */
  needsWriter(sql: string): boolean {
    if (this.#releaseWriter !== undefined || this.isReadonly) return false;
    try {
      this.assertUsable();
      this.#setHorizon();
      return !this.seat.statement(sql).readonly;
    } catch {
      return false;
    }
  }

  /** The same, of a statement of a script. */
  needsWriterFor(statement: PreparedStatement | undefined): boolean {
    if (this.#releaseWriter !== undefined || this.isReadonly) return false;
    return statement !== undefined && !statement.readonly;
  }

  /** Runs one statement. Throws PagesAway: see (1). */
  run<T>(call: Call<T>): Ran<T> {
    const { seat, session } = this;
    const { shape, timeoutMs } = call;
    let statement: PreparedStatement | undefined;
    let answer: T;
    try {
      this.assertUsable();
      this.#setHorizon();
      const compiled = seat.statement(call.sql);
      statement = compiled;
      this.#assertAllowed(compiled);
      if (compiled.traits.sessionBound) this.hasChangedSeat = true;
      seat.enter(session);
      if (timeoutMs !== undefined) {
        seat.connection.deadline(call.deadlineMs ?? this.database.deadlineMs(timeoutMs));
      }
      const place = { seat, session, mayMiss: this.database.pages.mayMiss };
      answer = undoable(place, compiled, () => collectWhole(call, compiled, place));
    } catch (caught) {
      if (timeoutMs !== undefined && seat.connection.open) seat.connection.deadline(undefined);
      if (caught instanceof PagesAway) throw caught;
      const failure = { error: interrupted(caught, timeoutMs) };
      return { ...failure, seenLsn: this.#wind(statement, timeoutMs, failure) };
    }
    const seenLsn = this.#wind(statement, timeoutMs);
    if (shape.finish !== undefined) answer = shape.finish(answer, seenLsn);
    return { answer, seenLsn };
  }

  /** Compiles the first statement of a script; `tail` is what follows it. */
  compileFirst(sql: string): ReturnType<Seat["connection"]["prepare"]> {
    this.assertUsable();
    this.#setHorizon();
    try {
      return this.seat.connection.prepare(sql);
    } catch (error) {
      if (!(error instanceof PagesAway)) this.#afterStep({ error });
      throw error;
    }
  }

  /** Runs a statement of a script, drops its rows, and frees it. Throws PagesAway: see (1). */
  runFirst(statement: PreparedStatement): void {
    // Asked now, since the statement is gone after its run.
    const { sessionBound, changesSchema, kind } = statement.traits;
    const { seat, session, database } = this;
    let failure: Failed | undefined;
    try {
      try {
        this.#assertAllowed(statement);
      } catch (error) {
        statement.finalize();
        throw error;
      }
      runScripted({ seat, session, mayMiss: database.pages.mayMiss }, statement);
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      if (sessionBound) this.hasChangedSeat = true;
      if (changesSchema) database.schemaChanged();
      if (!(failure?.error instanceof PagesAway)) this.#afterStep(failure, kind);
    }
  }

  /** What a statement is shows the schema. Throws PagesAway. */
  describe(sql: string): Ran<StatementDescription> {
    let outcome: CallOutcome<StatementDescription>;
    try {
      this.assertUsable();
      this.#setHorizon();
      outcome = { answer: this.seat.describe(sql) };
    } catch (error) {
      if (error instanceof PagesAway) throw error;
      outcome = { error };
    }
    return { ...outcome, seenLsn: this.#see() };
  }

  /** Runs `COMMIT` and the like, without the check that keeps users from it. */
  command(sql: string): void {
    try {
      this.seat.connection.command(sql);
    } finally {
      this.#ended();
    }
  }

  /** The end of a function's transaction. Throws PagesAway: it is open still. */
  commit(): void {
    const { seat, session, database } = this;
    let isOver = true;
    try {
      commitUndoable({ seat, session, mayMiss: database.pages.mayMiss });
    } catch (error) {
      isOver = !(error instanceof PagesAway);
      throw error;
    } finally {
      if (isOver && this.hasWriter) this.#see();
      if (isOver) this.#ended();
    }
  }

  /** Rolls back what is open and gives the writer back. See (4). */
  abandon(): void {
    if (this.isOpen) this.seat.connection.command("ROLLBACK");
    this.#lost = undefined;
    this.#letGo();
  }

  /** The pages of a statement could not be had: it is over, and has done nothing. */
  gaveUp(): void {
    this.#afterStep(undefined);
  }

  /** See (4). */
  get #isOurs(): boolean {
    return this.#refusal === undefined && (!this.#isShared || this.hasWriter);
  }

  /** Of a read transaction, and of a function's: it is the function that ends it, by returning. */
  #assertAllowed({ readonly, traits }: PreparedStatement): void {
    if (this.isReadonly && !readonly) throw readOnlyTransaction();
    if (this.isScoped && traits.kind === "transaction") throw endsByReturning();
  }

  #setHorizon(): void {
    assert(this.#isOurs, "a seat is used by whose it is");
    const holding = this.#releaseWriter !== undefined;
    this.seat.horizon = holding ? NEWEST : this.database.horizonOf(this.session);
  }

  /** What is due after a statement, whatever became of it. Returns the LSN that it saw. */
  #wind(
    statement: PreparedStatement | undefined,
    timeoutMs: number | undefined,
    failure?: Failed,
  ): Lsn {
    const { seat, session } = this;
    if (this.#refusal !== undefined || !seat.connection.open) return session.lastCommitLsn;
    if (timeoutMs !== undefined) seat.connection.deadline(undefined);
    if (statement?.traits.changesSchema) this.database.schemaChanged();
    const seenLsn = this.#afterStep(failure, statement?.traits.kind);
    return seenLsn > session.lastCommitLsn || this.isOpen ? seenLsn : session.lastCommitLsn;
  }

  /** Notes what a statement saw, and what it may have ended. Returns the former. See (3), (5), (6). */
  #afterStep(failure: Failed | undefined, kind?: StatementTraits["kind"]): Lsn {
    const isBegun = failure === undefined && kind === "transaction" && this.isOpen;
    const seenLsn = this.#see(isBegun ? LSN_ZERO : this.#shownLsn());
    if (!this.isScoped) this.#ended();
    else if (this.seat.connection.open && !this.isOpen) this.#lost ??= failure;
    this.#letGoUnused();
    return seenLsn;
  }

  /** See (5). */
  #see(seenLsn = this.#shownLsn()): Lsn {
    this.#seenLsn = this.isScoped ? laterLsn(this.#seenLsn, seenLsn) : seenLsn;
    return seenLsn;
  }

  #shownLsn(): Lsn {
    const { database, session, seat } = this;
    if (this.#refusal !== undefined || !seat.connection.open) return session.lastCommitLsn;
    if (this.hasWriter) return database.space.newestLsn;
    return seat.connection.snapshotLsn ?? database.awaitedBy(session, this.level);
  }

  /** The commit, if there was one, is the session's; and the writer goes back with it. */
  #ended(): void {
    const { connection } = this.seat;
    if (!connection.open || !connection.autocommit) return;
    if (connection.lastCommitLsn !== undefined) this.session.committed(connection.lastCommitLsn);
    this.#letGo();
  }

  /** See (2). */
  #letGoUnused(): void {
    const { connection } = this.seat;
    if (this.#isShared || !this.hasWriter || !connection.open) return;
    if (!connection.writing && !connection.autocommit) this.#letGo();
  }

  #letGo(): void {
    const release = this.#releaseWriter;
    this.#releaseWriter = undefined;
    release?.();
  }
}

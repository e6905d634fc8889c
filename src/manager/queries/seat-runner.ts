/**
 * RUNS statements on one seat for one session: a transaction's, or a connection's.
 *
 * (1) Calls run one after the other in the order they were made, also when one of them waits for
 *     the writer.
 * (2) A statement that may write first gets the writer, in its turn with everybody else, and keeps
 *     it until the seat is out of its transaction. So SQLITE_BUSY does not happen within a process;
 *     SQLITE_BUSY_SNAPSHOT does, where a transaction read before somebody else wrote.
 * (3) What a statement returns or throws waits for the LSN of what it saw: its own commit, or the
 *     snapshot of its transaction. Where a transaction asked for it (`revealsCommitted`), only its
 *     end waits. It waits at the gate of the transaction's level (`level`), else the database's.
 * (4) SQLite may roll a transaction back by itself: an I/O error, a full disk, `or rollback`. A
 *     function's transaction is lost then: it keeps the writer to its end, and every call that is
 *     still made is refused with what lost it. When it has given the writer back, the writer's seat
 *     is somebody else's, and is not touched.
 * (5) A statement that finds pages away has not happened (retry-point.ts). It keeps its place, and the
 *     writer, until they are here. If they cannot be had, it fails, and the transaction stays open.
 *
 * It is over 400 lines because order, writer and transaction of a seat are one state.
 */
import type { StorageError } from "../../base/errors.ts";
import { type Lsn, lsn } from "../../base/units.ts";
import { PagesAway } from "../../page-store/index.ts";
import type { PreparedStatement } from "../../sqlite/index.ts";
import type { StatementDescription } from "../api/queryable.ts";
import type { OutputGate } from "../gates/gate.ts";
import { acquireWriter } from "./acquire-writer.ts";
import { closedError } from "./closed.ts";
import { isOfTheDevice } from "./group.ts";
import { interrupted } from "./interrupted.ts";
import { RowIterator } from "./iterator.ts";
import type { OpenDatabase } from "./open-database.ts";
import { commitUndoable, undoable } from "./retry-point.ts";
import type { Call, RowCall, Runner } from "./runner.ts";
import { runScripted } from "./script.ts";
import type { Seat } from "./seat.ts";
import { endsByReturning, readOnlyTransaction } from "./seat-refusals.ts";
import { SeatWaits } from "./seat-waits.ts";
import type { Session } from "./session.ts";

const NEWEST = lsn(Number.MAX_SAFE_INTEGER);

export interface SeatRunnerOptions {
  readonly database: OpenDatabase;
  readonly session: Session;
  readonly seat: Seat;
  /** Gives the writer back, where the seat is the writer's own. */
  readonly releaseWriter?: () => void;
}

export class SeatRunner implements Runner {
  readonly database: OpenDatabase;
  readonly session: Session;
  readonly seat: Seat;
  #releaseWriter: (() => void) | undefined;
  /** Settles when the calls before are done; undefined when there are none. See (1). */
  #last: Promise<void> | undefined;
  #readonly = false;
  #pinned: StorageError | undefined;
  /** See (4). */
  #lost: Lost | undefined;
  /** See (5). */
  readonly #waits: SeatWaits;
  /** The seat is the writer's, who serves one after the other. */
  readonly #isShared: boolean;
  /** A function's transaction is open: it is the function that ends it, by returning. */
  scoped = false;
  /** Within a transaction, show what it saw before that is durable. See (3). */
  revealsCommitted = false;
  /** Where its answers wait; undefined: where the database's do. See (3). */
  level: OutputGate | undefined;
  /** Temp objects or settings were made on the connection: it cannot serve anybody else. */
  changed = false;

  constructor(options: SeatRunnerOptions) {
    this.database = options.database;
    this.session = options.session;
    this.seat = options.seat;
    this.#releaseWriter = options.releaseWriter;
    this.#isShared = options.releaseWriter !== undefined;
    this.#waits = new SeatWaits(options.database, {
      isHolding: () => this.#releaseWriter !== undefined,
      onFailure: () => this.#afterStep(undefined),
    });
  }

  get inTransaction(): boolean {
    return !this.seat.connection.autocommit;
  }

  /** The moment of an open transaction that neither has the writer nor waits for it. */
  get readingLsn(): Lsn | undefined {
    if (this.#releaseWriter !== undefined || this.#last !== undefined) return undefined;
    const { connection } = this.seat;
    return connection.open && !connection.autocommit ? connection.snapshotLsn : undefined;
  }

  /** From now on what would write is refused with SQLITE_READONLY. */
  set readonly(readonly: boolean) {
    this.#readonly = readonly;
  }

  /** From now on every call is refused. What waits for the writer is refused too. */
  refuse(error: StorageError): void {
    this.#pinned = error;
  }

  run<T>(call: Call<T>, permit?: Permit): Promise<T> {
    return this.#inOrder(call, permit);
  }

  script(sql: string, timeoutMs?: number, permit?: Permit): Promise<void> {
    const running = this.#inTurn(async () => {
      const deadlineMs = this.#deadlineMs(timeoutMs);
      for (let rest = sql; rest.trim() !== ""; ) {
        rest = await this.#waits.withPages({ timeoutMs, deadlineMs }, () => {
          permit?.();
          if (timeoutMs !== undefined) this.seat.connection.deadline(deadlineMs);
          return this.#stepFirst(rest, permit);
        });
      }
    }).finally(() => {
      if (timeoutMs !== undefined && this.seat.connection.open) {
        this.seat.connection.deadline(undefined);
      }
    });
    return running.then(
      () => this.#gate({ answer: undefined }),
      (error) => this.#gate({ error: interrupted(error, timeoutMs) }),
    );
  }

  iterate(call: RowCall): AsyncIterableIterator<unknown> {
    return new RowIterator(this.database, async () => {
      const { sql, parameters, read } = call;
      const shape = { collect: (statement: PreparedStatement) => collectRows(statement, read) };
      return {
        rows: await this.run({ sql, parameters, shape, timeoutMs: undefined }),
        end: () => {},
      };
    });
  }

  describe(sql: string): Promise<StatementDescription> {
    return this.#inTurn(() =>
      this.#waits.withPages({}, () => {
        this.#assertUsable();
        this.#setHorizon();
        const { columns, parameterNames, readonly, explain } = this.seat.statement(sql);
        return { columns, parameterNames, isReadonly: readonly, isExplain: explain > 0 };
      }),
    );
  }

  /** Rolls back what is open and gives the writer back. See (4). */
  abandon(): void {
    this.stopWaiting(() => this.#pinned ?? closedError("transaction"));
    const { connection } = this.seat;
    const isOurs = !this.#isShared || this.#releaseWriter !== undefined;
    if (isOurs && connection.open && !connection.autocommit) connection.command("ROLLBACK");
    this.#lost = undefined;
    this.#letGo();
  }

  /** Ends what waits for pages. */
  stopWaiting(error: () => StorageError): void {
    this.#waits.stop(error);
  }

  /** Throws what made SQLite roll the transaction back by itself, if something did. See (4). */
  assertNotLost(): void {
    if (this.#lost !== undefined) throw this.#lost.cause;
  }

  /** Runs `COMMIT` and the like, without the check that keeps users from it. */
  command(sql: string): void {
    try {
      this.seat.connection.command(sql);
    } finally {
      this.#ended();
    }
  }

  /** The end of a function's transaction. Undefined: it has ended; else it does when pages are here. */
  commit(): Promise<void> | undefined {
    try {
      this.#commitNow();
      return undefined;
    } catch (error) {
      if (!(error instanceof PagesAway)) throw error;
      return this.#waits.withPages({}, () => this.#commitNow(), error);
    }
  }

  #commitNow(): void {
    const { seat, session, database } = this;
    let isOver = true;
    try {
      commitUndoable({ seat, session, mayMiss: database.pages.mayMiss });
    } catch (error) {
      isOver = !(error instanceof PagesAway);
      throw error;
    } finally {
      if (isOver) this.#ended();
    }
  }

  /** Calls that were made so far are not done. */
  get busy(): boolean {
    return this.#last !== undefined;
  }

  /** Resolves when the calls that were made so far are done. */
  settled(): Promise<void> {
    return this.#last ?? Promise.resolve();
  }

  /** The LSN of the newest commit that shows here. */
  get seenLsn(): Lsn {
    return this.#seenLsn();
  }

  /** Resolves when everything that the session has seen or done here is durable. */
  durable(seenLsn?: Lsn): Promise<void> {
    return this.#gate({ answer: undefined }, seenLsn);
  }

  #inOrder<T>(call: Call<T>, permit: Permit | undefined): Promise<T> {
    if (this.#last === undefined && !this.#needsWriter(call.sql)) {
      try {
        return this.#execute(call);
      } catch (error) {
        if (!(error instanceof PagesAway)) throw error;
        return this.#inTurn(() => this.#again(call, error, permit));
      }
    }
    return this.#inTurn(async () => {
      permit?.();
      this.#assertUsable();
      if (this.#needsWriter(call.sql)) await this.#takeWriter(permit);
      try {
        return this.#execute(call);
      } catch (error) {
        if (!(error instanceof PagesAway)) throw error;
        return this.#again(call, error, permit);
      }
    });
  }

  /** Once more, when the pages are here that it missed. It has been its turn already. */
  #again<T>(call: Call<T>, missed: PagesAway, permit: Permit | undefined): Promise<T> {
    const { timeoutMs, deadlineMs = this.#deadlineMs(timeoutMs) } = call;
    const run = async (): Promise<T> => {
      permit?.();
      if (this.#needsWriter(call.sql)) await this.#takeWriter(permit);
      return this.#execute({ ...call, deadlineMs });
    };
    return this.#waits.withPages({ timeoutMs, deadlineMs }, run, missed);
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const before = this.#last ?? Promise.resolve();
    const result = before.then(task);
    const done = result.then(
      () => {},
      () => {},
    );
    this.#last = done;
    void done.then(() => {
      if (this.#last === done) this.#last = undefined;
    });
    return result;
  }

  /** A text that does not compile here needs no writer: running it will say so. */
  #needsWriter(sql: string): boolean {
    if (this.#releaseWriter !== undefined || this.#readonly) return false;
    try {
      this.#assertUsable();
      this.#setHorizon();
      return this.#wantsWriter(this.seat.statement(sql));
    } catch {
      return false;
    }
  }

  /** Runs the first statement of a script; returns what follows it. */
  async #stepFirst(sql: string, permit: Permit | undefined): Promise<string> {
    let compiled = this.#compileFirst(sql);
    if (this.#wantsWriter(compiled.statement)) {
      compiled.statement?.finalize();
      await this.#takeWriter(permit);
      compiled = this.#compileFirst(sql);
    }
    const { statement, tail } = compiled;
    if (statement === undefined) return tail;
    // Asked now, since the statement is gone after its run.
    const { sessionBound, changesSchema } = statement.traits;
    const { seat, session } = this;
    const { mayMiss } = this.database.pages;
    let failure: Lost | undefined;
    try {
      if (this.#readonly && !statement.readonly) throw readOnlyTransaction();
      runScripted({ seat, session, mayMiss }, statement);
    } catch (error) {
      failure = { cause: error };
      throw error;
    } finally {
      if (sessionBound) this.changed = true;
      if (changesSchema) this.database.schemaChanged();
      if (!(failure?.cause instanceof PagesAway)) this.#afterStep(failure);
    }
    return tail;
  }

  #compileFirst(sql: string): ReturnType<Seat["connection"]["prepare"]> {
    this.#assertUsable();
    this.#setHorizon();
    return this.seat.connection.prepare(sql);
  }

  #wantsWriter(statement: PreparedStatement | undefined): boolean {
    if (this.#releaseWriter !== undefined || this.#readonly) return false;
    return statement !== undefined && !statement.readonly;
  }

  /** Throws PagesAway: it has not run then. */
  #execute<T>(call: Call<T>): Promise<T> {
    const { seat, session } = this;
    let statement: PreparedStatement | undefined;
    let outcome: Outcome<T>;
    try {
      this.#assertUsable();
      this.#setHorizon();
      const compiled = seat.statement(call.sql);
      statement = compiled;
      if (this.#readonly && !statement.readonly) throw readOnlyTransaction();
      if (this.scoped && statement.traits.kind === "transaction") throw endsByReturning();
      if (statement.traits.sessionBound) this.changed = true;
      seat.enter(session);
      const { timeoutMs, deadlineMs = this.#deadlineMs(timeoutMs) } = call;
      if (timeoutMs !== undefined) seat.connection.deadline(deadlineMs);
      const place = { seat, session, mayMiss: this.database.pages.mayMiss };
      outcome = { answer: undoable(place, compiled, () => collect(call, compiled, seat)) };
    } catch (error) {
      if (call.timeoutMs !== undefined && seat.connection.open) seat.connection.deadline(undefined);
      if (error instanceof PagesAway) throw error;
      outcome = { error: interrupted(error, call.timeoutMs) };
    }
    const failure = "error" in outcome ? { cause: outcome.error } : undefined;
    const winds = this.#pinned === undefined;
    const seen = winds ? this.#wind({ statement, call, failure }) : this.#seenLsn();
    const { finish } = call.shape;
    if (finish !== undefined && "answer" in outcome) {
      outcome = { answer: finish(outcome.answer, seen) };
    }
    if ("error" in outcome && isOfTheDevice(outcome.error)) return settle(outcome);
    return this.#gate(outcome, seen);
  }

  /** What is due after a statement, whatever became of it. Returns the LSN that it saw. */
  #wind<T>({ statement, call, failure }: Run<T>): Lsn {
    const { seat, session } = this;
    if (!seat.connection.open) return this.#seenLsn();
    if (call.timeoutMs !== undefined) seat.connection.deadline(undefined);
    if (statement?.traits.changesSchema) this.database.schemaChanged();
    const seen = this.#seenLsn();
    this.#afterStep(failure);
    return seen > session.lastCommitLsn || this.inTransaction ? seen : session.lastCommitLsn;
  }

  /** Inside of a transaction its snapshot, which is newer than durable where it is to write. */
  #seenLsn(): Lsn {
    const { connection } = this.seat;
    if (!connection.open) return this.session.lastCommitLsn;
    return connection.snapshotLsn ?? this.database.awaitedBy(this.session, this.level);
  }

  #gate<T>(outcome: Outcome<T>, seen: Lsn = this.#seenLsn()): Promise<T> {
    const gate = this.level ?? this.database.gate;
    if (gate.isOpen(seen) || (this.revealsCommitted && this.inTransaction)) return settle(outcome);
    if (this.#releaseWriter !== undefined) return this.#waitWithWriter(outcome, seen);
    this.database.options.kick();
    return gate.passed(seen).then(() => settle(outcome));
  }

  /** Nobody who shares its database can go on, so that the flush may as well happen at once. */
  async #waitWithWriter<T>(outcome: Outcome<T>, seen: Lsn): Promise<T> {
    const { kick, countHold } = this.database.options;
    countHold(-1);
    kick();
    try {
      await (this.level ?? this.database.gate).passed(seen);
    } finally {
      countHold(1);
    }
    return settle(outcome);
  }

  /** What a statement may have ended. See (4). */
  #afterStep(failure: Lost | undefined): void {
    if (!this.scoped) this.#ended();
    else if (this.seat.connection.open && !this.inTransaction) this.#lost ??= failure;
  }

  /** The commit, if there was one, is the session's; and the writer goes back with it. */
  #ended(): void {
    const { connection } = this.seat;
    if (!connection.open || !connection.autocommit) return;
    if (connection.lastCommitLsn !== undefined) this.session.committed(connection.lastCommitLsn);
    this.#letGo();
  }

  #letGo(): void {
    const release = this.#releaseWriter;
    this.#releaseWriter = undefined;
    release?.();
  }

  #setHorizon(): void {
    const holding = this.#releaseWriter !== undefined;
    this.seat.horizon = holding ? NEWEST : this.database.horizonOf(this.session);
  }

  #deadlineMs(timeoutMs: number | undefined): number | undefined {
    if (timeoutMs === undefined) return undefined;
    return this.database.options.env.clock.monotonicMs() + timeoutMs;
  }

  #assertUsable(): void {
    if (this.#pinned !== undefined) throw this.#pinned;
    this.assertNotLost();
    this.database.assertOpen();
  }

  /** The caller may have lost his right to it while he waited for it. */
  #takeWriter(permit: Permit | undefined): Promise<void> {
    if (this.#releaseWriter !== undefined) return Promise.resolve();
    return acquireWriter(this.database, this.session).then((release) => {
      try {
        if (this.#pinned !== undefined) throw this.#pinned;
        permit?.();
      } catch (error) {
        release();
        throw error;
      }
      this.#releaseWriter = release;
    });
  }
}

/** Throws if who made a call may no longer make it, since his transaction has ended meanwhile. */
type Permit = () => void;

/** An error after which there was no transaction any more. */
interface Lost {
  readonly cause: unknown;
}

interface Run<T> {
  readonly statement: PreparedStatement | undefined;
  readonly call: Call<T>;
  readonly failure: Lost | undefined;
}

type Outcome<T> = { readonly answer: T } | { readonly error: unknown };

function settle<T>(outcome: Outcome<T>): Promise<T> {
  return "answer" in outcome ? Promise.resolve(outcome.answer) : Promise.reject(outcome.error);
}

function collect<T>({ parameters, shape }: Call<T>, statement: PreparedStatement, seat: Seat): T {
  try {
    statement.bind(parameters);
    return shape.collect(statement, seat);
  } finally {
    if (seat.connection.open) statement.reset();
  }
}

function collectRows(statement: PreparedStatement, read: RowCall["read"]): unknown[] {
  const rows: unknown[] = [];
  while (statement.step()) rows.push(read(statement));
  return rows;
}

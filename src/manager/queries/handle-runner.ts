/**
 * RUNS the statements of a database handle: reads at once, on a connection that shows what the
 * session may see; writes in their turn, together with those of others.
 *
 * (1) A handle has no connection of its own, so what would change one (BEGIN, temp tables, most
 *     pragmas) is refused with a pointer to what has.
 * (2) A text that does not compile for a read goes to the writer, which sees the newest schema and
 *     has the last word.
 * (3) No connection is opened to find out what the writer's has found out before, that a text is no
 *     read: a database that is only written to needs no second one.
 * (4) Before it reads, a session's own waiting writes are run, if the writer is free.
 * (5) A read that finds pages away lets go of its snapshot, and begins anew when they are here. An
 *     iterator has given rows by then: it keeps its snapshot, so it reads in a transaction where there
 *     is a bucket, and goes over the same rows again (iterator.ts).
 * (6) Where pages are away that it takes to compile a text, it is not known yet if that reads or
 *     writes. What the handle is asked for meanwhile waits behind it, for order is kept (session.ts).
 */
import type { StorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";
import { PagesAway } from "../../page-store/index.ts";
import { type PreparedStatement, SqliteError } from "../../sqlite/index.ts";
import type { ExecuteResult, StatementDescription } from "../api/queryable.ts";
import { isOfTheDevice, refusedAtTheDoor } from "./group.ts";
import { interrupted } from "./interrupted.ts";
import { type FirstRow, type OpenSource, RowIterator, type Source } from "./iterator.ts";
import type { OpenDatabase } from "./open-database.ts";
import { withPages } from "./page-waits.ts";
import type { Call, RowCall, Runner } from "./runner.ts";
import { ScriptRun } from "./script.ts";
import type { Seat } from "./seat.ts";
import type { Session } from "./session.ts";
import { allShape, type RowReader } from "./shapes.ts";
import type { BatchItem, Member, Shape } from "./work.ts";

export class HandleRunner implements Runner {
  readonly database: OpenDatabase;
  readonly session: Session;
  /** End the iterators that have a connection. */
  readonly #loops = new Set<(error: StorageError) => void>();
  #closed: StorageError | undefined;

  constructor(database: OpenDatabase, session: Session) {
    this.database = database;
    this.session = session;
  }

  run<T>(call: Call<T>): Promise<T> {
    if (this.session.calls.isWaiting) return this.session.calls.inOrder(() => this.run(call));
    try {
      return this.#runOnce(call);
    } catch (error) {
      return error instanceof PagesAway ? this.#startLater(call, error) : Promise.reject(error);
    }
  }

  /** See (6). */
  async #startLater<T>(call: Call<T>, missed: PagesAway): Promise<T> {
    const { timeoutMs, deadlineMs = this.database.deadlineMs(timeoutMs) } = call;
    const limits = { timeoutMs, deadlineMs, missed };
    const start = () => ({ running: this.#runOnce({ ...call, deadlineMs }) });
    const started = withPages(this.database.pages, start, limits);
    this.session.calls.waitFor(started);
    return (await started).running;
  }

  /** Throws PagesAway where it could not be compiled, and what refuses a statement for what it is. */
  #runOnce<T>(call: Call<T>): Promise<T> {
    const { database, session } = this;
    let seat = database.openReadSeat(session);
    if (seat === undefined) {
      const known = database.compiledToWrite(call.sql);
      if (known !== undefined && !isPlainRead(known)) {
        refuseForHandle(known);
        return this.#write(call);
      }
      seat = database.readSeat(session);
    }
    let statement = this.#compiled(seat, call.sql);
    if (statement === undefined) return this.#write(call);
    refuseForHandle(statement);
    if (!isPlainRead(statement)) return this.#write(call);
    if (session.queuedCount > 0) {
      this.#catchUp();
      seat = database.readSeat(session);
      statement = seat.statement(call.sql);
    }
    database.holdRead(seat, session);
    return this.#read(call, { seat, statement });
  }

  /** See (5). */
  #readAgain<T>(call: Call<T>, missed: PagesAway): Promise<T> {
    const { database, session } = this;
    const { timeoutMs, deadlineMs = this.database.deadlineMs(timeoutMs) } = call;
    database.endHolds();
    const read = (): Promise<T> => {
      const seat = database.readSeat(session);
      const statement = seat.statement(call.sql);
      const outcome = this.#readOnce({ ...call, deadlineMs }, { seat, statement });
      if (outcome instanceof PagesAway) throw outcome;
      return this.#shown(outcome, call);
    };
    return withPages(database.pages, read, { timeoutMs, deadlineMs, missed });
  }

  iterate(call: RowCall): AsyncIterableIterator<unknown> {
    const { database, session } = this;
    const open: OpenSource = (expire) =>
      session.calls.inOrder(() => withPages(database.pages, () => this.#openSource(call, expire)));
    return new RowIterator(database, open, () => {
      if (this.#closed !== undefined) throw this.#closed;
    });
  }

  /** The handle is closed: its iterators give back what they hold now, and hear of it at their next step. */
  close(error: StorageError): void {
    this.#closed = error;
    for (const expire of [...this.#loops]) expire(error);
  }

  async #openSource(call: RowCall, expire: (error: StorageError) => void): Promise<Source> {
    const { database, session } = this;
    if (session.queuedCount > 0) this.#catchUp();
    const seat = database.takeSpare(session);
    try {
      const statement = seat.lease(call.sql);
      refuseForHandle(statement);
      if (isPlainRead(statement) && !(database.pages.hasRemote && statement.traits.isVolatile)) {
        return await this.#steppedSource({ seat, statement }, call, expire);
      }
      statement.finalize();
    } catch (error) {
      // A pragma that was refused has changed its connection all the same, when it was compiled.
      database.giveBack(seat, { reusable: false });
      throw error;
    }
    database.giveBack(seat, { reusable: true });
    const shape = allShape(call.read);
    return { rows: await this.run({ ...call, shape, timeoutMs: undefined }), end: () => {} };
  }

  async #steppedSource(
    { seat, statement }: Compiled,
    { parameters, read }: RowCall,
    expire: (error: StorageError) => void,
  ): Promise<Source> {
    const { database } = this;
    const { connection } = seat;
    if (database.pages.hasRemote) connection.command("BEGIN"); // See (5).
    statement.bind(parameters);
    const first = await this.#first({ seat, statement }, read);
    if (this.#closed !== undefined) throw this.#closed;
    const lsn = () => connection.snapshotLsn;
    const reader = database.options.readers.begin({ owner: database, lsn, end: expire });
    this.#loops.add(expire);
    return {
      rows: { statement, read, first },
      end: () => {
        this.#loops.delete(expire);
        reader.dispose();
        statement.finalize();
        if (connection.open && !connection.autocommit) connection.command("COMMIT");
        database.giveBack(seat, { reusable: true });
      },
    };
  }

  /** Runs statements in one transaction, which others may share. */
  batch(call: BatchCall): Promise<ExecuteResult[]> {
    const { database, session } = this;
    if (session.calls.isWaiting) return session.calls.inOrder(() => this.batch(call));
    const { statements, shape, timeoutMs } = call;
    return new Promise((resolve, reject) => {
      database.writer.push({
        kind: "member",
        statements,
        shape,
        session,
        waitingSinceMs: 0,
        timeoutMs,
        deadlineMs: this.database.deadlineMs(timeoutMs),
        outcome: undefined,
        release: resolve as (answer: unknown) => void,
        refuse: reject,
      });
    });
  }

  /** Runs by itself, with the writer, from its first statement to its last. */
  script(sql: string, timeoutMs?: number): Promise<void> {
    const { database, session } = this;
    if (session.calls.isWaiting) return session.calls.inOrder(() => this.script(sql, timeoutMs));
    const script = new ScriptRun({ database, session, sql, timeoutMs });
    let beganLsn: Lsn | undefined;
    return new Promise((resolve, reject) => {
      database.writer.push({
        kind: "alone",
        session,
        waitingSinceMs: 0,
        timeoutMs,
        get deadlineMs(): number | undefined {
          return script.deadlineMs;
        },
        refuse: reject,
        run: (given) => {
          beganLsn ??= database.space.newestLsn;
          const failure = script.run(given);
          const isUntouched = database.space.newestLsn === beganLsn;
          if (isUntouched && refusedAtTheDoor(failure?.error)) {
            script.restart();
            throw failure?.error;
          }
          if (isUntouched && failure !== undefined && isOfTheDevice(failure.error)) {
            reject(failure.error);
            return;
          }
          const settle = failure === undefined ? resolve : () => reject(failure.error);
          database.gate.pass(database.space.newestLsn, { release: settle, refuse: reject });
        },
      });
    });
  }

  async describe(sql: string): Promise<StatementDescription> {
    const { database, session } = this;
    if (session.calls.isWaiting) return session.calls.inOrder(() => this.describe(sql));
    if (session.queuedCount > 0) this.#catchUp();
    const description = await withPages(database.pages, () => {
      const seat = database.readSeat(session);
      seat.endHold(); // What it holds may be older than what the session may see.
      return seat.describe(sql);
    });
    await this.#gated(database.awaitedBy(session));
    return description;
  }

  /**
   * Waits for what the rows will show. At level `remote` that is known when their snapshot is: the
   * first row is taken before, and kept until it may be shown.
   */
  async #first({ seat, statement }: Compiled, read: RowReader): Promise<FirstRow | undefined> {
    const { database, session } = this;
    if (database.level === "local") {
      await this.#gated(database.horizonOf(session));
      return undefined;
    }
    const outcome = readOnce(() => (statement.step() ? { row: read(statement) } : {}));
    if (outcome instanceof PagesAway) throw outcome;
    await this.#gated(seat.connection.snapshotLsn ?? database.awaitedBy(session));
    return settled(outcome, undefined);
  }

  #read<T>(call: Call<T>, compiled: Compiled): Promise<T> {
    const outcome = this.#readOnce(call, compiled);
    if (outcome instanceof PagesAway) return this.#readAgain(call, outcome);
    return this.#shown(outcome, call);
  }

  #readOnce<T>(call: Call<T>, { seat, statement }: Compiled): ReadOutcome<T> | PagesAway {
    return readOnce(() => {
      if (call.timeoutMs !== undefined) {
        seat.connection.deadline(call.deadlineMs ?? this.database.deadlineMs(call.timeoutMs));
      }
      try {
        statement.bind(call.parameters);
        return call.shape.collect(statement, seat);
      } finally {
        statement.reset();
        if (call.timeoutMs !== undefined) seat.connection.deadline(undefined);
      }
    });
  }

  #shown<T>(read: ReadOutcome<T>, { shape, timeoutMs }: Call<T>): Promise<T> {
    const { database, session } = this;
    const lsn = database.awaitedBy(session);
    const outcome =
      "answer" in read && shape.finish ? { answer: shape.finish(read.answer, lsn) } : read;
    if (database.gate.isOpen(lsn)) return settled(outcome, timeoutMs);
    return this.#gated(lsn).then(() => settled(outcome, timeoutMs));
  }

  #write<T>(call: Call<T>): Promise<T> {
    const { database, session } = this;
    return new Promise<T>((resolve, reject) => {
      const member: Member = {
        kind: "member",
        statements: undefined,
        sql: call.sql,
        parameters: call.parameters,
        shape: call.shape,
        session,
        waitingSinceMs: 0,
        timeoutMs: call.timeoutMs,
        deadlineMs: call.deadlineMs ?? this.database.deadlineMs(call.timeoutMs),
        outcome: undefined,
        release: resolve as (answer: unknown) => void,
        refuse: reject,
      };
      database.writer.push(member);
    });
  }

  #compiled(seat: Seat, sql: string): PreparedStatement | undefined {
    try {
      return seat.statement(sql);
    } catch (error) {
      if (error instanceof SqliteError) return undefined;
      throw error;
    }
  }

  #catchUp(): void {
    this.database.catchUp(this.session);
    this.database.options.kick();
  }

  #gated(lsn: Lsn): Promise<void> {
    const { gate, options } = this.database;
    if (!gate.isOpen(lsn)) options.kick();
    return gate.passed(lsn);
  }
}

export interface BatchCall {
  readonly statements: readonly BatchItem[];
  readonly shape: Shape<ExecuteResult>;
  readonly timeoutMs: number | undefined;
}

interface Compiled {
  readonly seat: Seat;
  readonly statement: PreparedStatement;
}

function isPlainRead({ readonly, traits }: PreparedStatement): boolean {
  return readonly && traits.kind === "plain" && !traits.readsCounters && !traits.sessionBound;
}

function refuseForHandle({ traits }: PreparedStatement): void {
  if (traits.kind === "transaction") {
    throw new TypeError(
      "BEGIN, COMMIT, ROLLBACK and savepoints belong to a connection; " +
        "use database.transaction(fn), or database.connect() to steer it yourself",
    );
  }
  if (traits.sessionBound) {
    throw new TypeError(
      "temporary objects and settings of a connection need a connection of their own; " +
        "use database.connect()",
    );
  }
}

type ReadOutcome<T> = { readonly answer: T } | { readonly error: unknown };

/** A miss is no outcome. */
function readOnce<T>(read: () => T): ReadOutcome<T> | PagesAway {
  try {
    return { answer: read() };
  } catch (error) {
    return error instanceof PagesAway ? error : { error };
  }
}

function settled<T>(outcome: ReadOutcome<T>, timeoutMs: number | undefined): Promise<T> {
  if ("answer" in outcome) return Promise.resolve(outcome.answer);
  return Promise.reject(interrupted(outcome.error, timeoutMs));
}

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
 */
import type { Lsn } from "../../base/units.ts";
import { type PreparedStatement, SqliteError } from "../../sqlite/index.ts";
import type { ExecuteResult, StatementDescription } from "../api.ts";
import { refusedAtTheDoor } from "./group.ts";
import { interrupted } from "./interrupted.ts";
import { type FirstRow, RowIterator } from "./iterator.ts";
import type { OpenDatabase } from "./open-database.ts";
import type { Call, RowCall, Runner } from "./runner.ts";
import { runScript } from "./script.ts";
import type { Seat } from "./seat.ts";
import type { Session } from "./session.ts";
import { allShape, type RowReader } from "./shapes.ts";
import type { BatchStatement, Member, Shape } from "./work.ts";

export class HandleRunner implements Runner {
  readonly database: OpenDatabase;
  readonly session: Session;

  constructor(database: OpenDatabase, session: Session) {
    this.database = database;
    this.session = session;
  }

  run<T>(call: Call<T>): Promise<T> {
    const { database, session } = this;
    try {
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
      if (statement !== undefined) {
        refuseForHandle(statement);
        if (isPlainRead(statement)) {
          if (session.queuedCount > 0) {
            this.#catchUp();
            seat = database.readSeat(session);
            statement = seat.statement(call.sql);
          }
          database.holdRead(seat, session);
          return this.#read(call, { seat, statement });
        }
      }
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#write(call);
  }

  iterate(call: RowCall): AsyncIterableIterator<unknown> {
    return new RowIterator(this.database, async (expire) => {
      const { database, session } = this;
      if (session.queuedCount > 0) this.#catchUp();
      const seat = database.takeSpare(session);
      try {
        const statement = seat.lease(call.sql);
        refuseForHandle(statement);
        if (isPlainRead(statement)) {
          statement.bind(call.parameters);
          const first = await this.#first({ seat, statement }, call.read);
          const lsn = () => seat.connection.snapshotLsn;
          const reader = database.options.readers.begin({ owner: database, lsn, end: expire });
          return {
            rows: { statement, read: call.read, first },
            end: () => {
              reader.dispose();
              this.#giveBack(seat, statement);
            },
          };
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
    });
  }

  /** Runs statements in one transaction, which others may share. */
  batch(call: BatchCall): Promise<ExecuteResult[]> {
    const { database, session } = this;
    const { statements, shape, timeoutMs } = call;
    return new Promise((resolve, reject) => {
      database.writer.push({
        kind: "member",
        statements,
        shape,
        session,
        waitingSinceMs: 0,
        timeoutMs,
        deadlineMs: this.#deadlineMs(timeoutMs),
        outcome: undefined,
        release: resolve as (answer: unknown) => void,
        refuse: reject,
      });
    });
  }

  /** Runs by itself, with the writer, from its first statement to its last. */
  script(sql: string, timeoutMs?: number): Promise<void> {
    const { database, session } = this;
    return new Promise((resolve, reject) => {
      database.writer.push({
        kind: "alone",
        session,
        waitingSinceMs: 0,
        refuse: reject,
        run: () => {
          const beforeLsn = database.space.newestLsn;
          const failure = runScript({ database, session, sql, timeoutMs });
          const isUntouched = database.space.newestLsn === beforeLsn;
          if (isUntouched && refusedAtTheDoor(failure?.error)) throw failure?.error;
          const settle = failure === undefined ? resolve : () => reject(failure.error);
          database.gate.pass(database.space.newestLsn, { release: settle, refuse: reject });
        },
      });
    });
  }

  async describe(sql: string): Promise<StatementDescription> {
    const { database, session } = this;
    if (session.queuedCount > 0) this.#catchUp();
    const { columns, parameterNames, readonly, explain } = database
      .readSeat(session)
      .statement(sql);
    await this.#gated(database.awaitedBy(session));
    return { columns, parameterNames, isReadonly: readonly, isExplain: explain > 0 };
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
    await this.#gated(seat.connection.snapshotLsn ?? database.awaitedBy(session));
    return settled(outcome, undefined);
  }

  #read<T>(call: Call<T>, { seat, statement }: Compiled): Promise<T> {
    const { database, session } = this;
    const outcome = readOnce(() => {
      if (call.timeoutMs !== undefined) {
        seat.connection.deadline(database.options.env.clock.monotonicMs() + call.timeoutMs);
      }
      try {
        statement.bind(call.parameters);
        return call.shape.collect(statement, seat);
      } finally {
        statement.reset();
        if (call.timeoutMs !== undefined) seat.connection.deadline(undefined);
      }
    });
    const lsn = database.awaitedBy(session);
    if (database.gate.isOpen(lsn)) return settled(outcome, call.timeoutMs);
    return this.#gated(lsn).then(() => settled(outcome, call.timeoutMs));
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
        deadlineMs: this.#deadlineMs(call.timeoutMs),
        outcome: undefined,
        release: resolve as (answer: unknown) => void,
        refuse: reject,
      };
      database.writer.push(member);
    });
  }

  #deadlineMs(timeoutMs: number | undefined): number | undefined {
    if (timeoutMs === undefined) return undefined;
    return this.database.options.env.clock.monotonicMs() + timeoutMs;
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
    const { writer, options } = this.database;
    while (this.session.queuedCount > 0 && writer.run() > 0);
    options.kick();
  }

  #gated(lsn: Lsn): Promise<void> {
    const { gate, options } = this.database;
    if (!gate.isOpen(lsn)) options.kick();
    return gate.passed(lsn);
  }

  #giveBack(seat: Seat, statement: PreparedStatement): void {
    statement.finalize();
    this.database.giveBack(seat, { reusable: true });
  }
}

export interface BatchCall {
  readonly statements: readonly BatchStatement[];
  readonly shape: Shape<ExecuteResult>;
  readonly timeoutMs: number | undefined;
}

interface Compiled {
  readonly seat: Seat;
  readonly statement: PreparedStatement;
}

export function isPlainRead({ readonly, traits }: PreparedStatement): boolean {
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

function readOnce<T>(read: () => T): ReadOutcome<T> {
  try {
    return { answer: read() };
  } catch (error) {
    return { error };
  }
}

function settled<T>(outcome: ReadOutcome<T>, timeoutMs: number | undefined): Promise<T> {
  if ("answer" in outcome) return Promise.resolve(outcome.answer);
  return Promise.reject(interrupted(outcome.error, timeoutMs));
}

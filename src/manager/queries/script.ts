/**
 * SCRIPTS: many statements in one text, run in order, their rows dropped.
 *
 * (1) A script that begins a transaction must end it: what is still open at its end, or when a
 *     statement fails, is rolled back, and the script is refused.
 * (2) What ran before a statement that fails stays, as if it had been sent by itself.
 * (3) A statement that finds pages away has not run; the script goes on there when they are here, and
 *     has the writer until then.
 */
import { PagesAway } from "../../page-store/index.ts";
import type { PreparedStatement } from "../../sqlite/index.ts";
import { interrupted } from "./interrupted.ts";
import type { OpenDatabase } from "./open-database.ts";
import { type RetryPlace, undoable } from "./retry-point.ts";
import type { Seat } from "./seat.ts";
import type { Session } from "./session.ts";

export interface ScriptFailure {
  readonly error: unknown;
}

export interface Script {
  readonly database: OpenDatabase;
  readonly session: Session;
  readonly sql: string;
  readonly timeoutMs: number | undefined;
}

/** A script on the writer's seat of a database handle. It may be run in several pieces: see (3). */
export class ScriptRun {
  readonly #script: Script;
  #rest: string;
  #deadlineMs: number | undefined;

  constructor(script: Script) {
    this.#script = script;
    this.#rest = script.sql;
  }

  /** Known once it has begun. */
  get deadlineMs(): number | undefined {
    return this.#deadlineMs;
  }

  /** Runs to the end, or throws PagesAway. With a failure, it is over at once. */
  run(given?: ScriptFailure): ScriptFailure | undefined {
    const { database, session, timeoutMs } = this.#script;
    const seat = database.writerSeat();
    const { clock } = database.options.env;
    if (timeoutMs !== undefined) this.#deadlineMs ??= clock.monotonicMs() + timeoutMs;
    if (timeoutMs !== undefined) seat.connection.deadline(this.#deadlineMs);
    const failure = given ?? attempt(() => this.#stepThrough(seat), timeoutMs);
    if (timeoutMs !== undefined) seat.connection.deadline(undefined);
    session.committed(seat.connection.lastCommitLsn ?? database.space.newestLsn);
    database.schemaChanged();
    if (failure?.error instanceof PagesAway) throw failure.error;
    if (seat.connection.autocommit) return failure;
    seat.connection.command("ROLLBACK");
    const unfinished = new TypeError(
      "the script begins a transaction and does not end it, so it was rolled back; " +
        "use database.transaction(fn), or database.connect() to steer it yourself",
    );
    return failure ?? { error: unfinished };
  }

  /** From its beginning, as if it had not run: it was refused before it did anything. */
  restart(): void {
    this.#rest = this.#script.sql;
    this.#deadlineMs = undefined;
  }

  /** Compiles and runs one statement after the other. Throws what the first to fail throws. */
  #stepThrough(seat: Seat): void {
    const { session, database } = this.#script;
    while (this.#rest.trim() !== "") {
      const { statement, tail } = seat.connection.prepare(this.#rest);
      if (statement?.traits.sessionBound) {
        const shown = statement.sql.trim().slice(0, 40);
        statement.finalize();
        throw new TypeError(`"${shown}" changes a connection; use database.connect()`);
      }
      const { mayMiss } = database.pages;
      if (statement !== undefined) runScripted({ seat, session, mayMiss }, statement);
      this.#rest = tail;
    }
  }
}

/** Steps a statement to its end, drops its rows, and frees it, whatever becomes of it. */
export function runScripted(place: RetryPlace, statement: PreparedStatement): void {
  try {
    place.seat.enter(place.session);
    undoable(place, statement, () => {
      try {
        while (statement.step());
      } finally {
        statement.finalize(); // Before what is undone, since one that runs is in the way.
      }
    });
  } finally {
    statement.finalize();
  }
}

function attempt(run: () => void, timeoutMs: number | undefined): ScriptFailure | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return { error: interrupted(error, timeoutMs) };
  }
}

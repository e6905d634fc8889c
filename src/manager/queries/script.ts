/**
 * SCRIPTS: many statements in one text, run in order, their rows dropped.
 *
 * (1) A script that begins a transaction must end it: what is still open at its end, or when a
 *     statement fails, is rolled back, and the script is refused.
 * (2) What ran before a statement that fails stays, as if it had been sent by itself.
 */
import type { PreparedStatement } from "../../sqlite/index.ts";
import { interrupted } from "./interrupted.ts";
import type { OpenDatabase } from "./open-database.ts";
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

/** Runs a script on the writer's seat of a database handle. */
export function runScript(script: Script): ScriptFailure | undefined {
  const { database, session, sql, timeoutMs } = script;
  const seat = database.writerSeat();
  const { clock } = database.options.env;
  if (timeoutMs !== undefined) seat.connection.deadline(clock.monotonicMs() + timeoutMs);
  const failure = attempt(() => stepThrough(seat, session, sql), timeoutMs);
  if (timeoutMs !== undefined) seat.connection.deadline(undefined);
  session.committed(seat.connection.lastCommitLsn ?? database.space.newestLsn);
  database.schemaChanged();
  if (seat.connection.autocommit) return failure;
  seat.connection.command("ROLLBACK");
  const unfinished = new TypeError(
    "the script begins a transaction and does not end it, so it was rolled back; " +
      "use database.transaction(fn), or database.connect() to steer it yourself",
  );
  return failure ?? { error: unfinished };
}

/** Compiles and runs one statement after the other. Throws what the first to fail throws. */
function stepThrough(seat: Seat, session: Session, sql: string): void {
  for (let rest = sql; rest.trim() !== ""; ) {
    const { statement, tail } = seat.connection.prepare(rest);
    rest = tail;
    if (statement === undefined) continue;
    if (statement.traits.sessionBound) {
      const shown = statement.sql.trim().slice(0, 40);
      statement.finalize();
      throw new TypeError(`"${shown}" changes a connection; use database.connect()`);
    }
    runScripted(seat, session, statement);
  }
}

/** Steps a statement to its end, drops its rows, and frees it. */
export function runScripted(seat: Seat, session: Session, statement: PreparedStatement): void {
  seat.enter(session);
  try {
    while (statement.step());
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

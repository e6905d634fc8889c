/**
 * WRITES THAT GIVE BACK ROWS (`RETURNING`), taken wholly or not at all.
 *
 * (1) SQLite has made all changes of a write when it gives the first row of it, and commits them when the
 *     statement is reset. If a row cannot be taken then (an integer beyond 2^53, say), the caller gets an
 *     error, and nothing may be left of the write.
 * (2) So such a write that is a transaction of its own runs between BEGIN IMMEDIATE and COMMIT. Within a
 *     transaction, who began that decides: a group is lost (group.ts), a user may roll back.
 * (3) No other statement pays for that.
 */
import { StorageError } from "../../base/errors.ts";
import { type PreparedStatement, SqliteError, type SqlParameters } from "../../sqlite/index.ts";
import type { Seat } from "./seat.ts";
import type { Session } from "./session.ts";
import type { Shape } from "./work.ts";

interface Asked<T> {
  readonly parameters: SqlParameters;
  readonly shape: Shape<T>;
}

interface Place {
  readonly seat: Seat;
  readonly session: Session;
}

/** Binds, steps and resets the statement. If it throws, the statement has changed nothing: see (2). */
export function collectWhole<T>(asked: Asked<T>, statement: PreparedStatement, place: Place): T {
  const { connection } = place.seat;
  const isAlone = returnsRows(statement) && connection.autocommit;
  return isAlone ? collectAlone(asked, statement, place) : collect(asked, statement, place);
}

/** It changes rows, and gives some back. */
export function returnsRows({ traits, columns }: PreparedStatement): boolean {
  return traits.changesRows && columns.length > 0;
}

/** The rows could not be taken, so that SQLite knows of no error and has undone nothing. See (1). */
export function isOfTheRows(error: unknown): boolean {
  return !(error instanceof SqliteError || error instanceof StorageError);
}

function collectAlone<T>(asked: Asked<T>, statement: PreparedStatement, place: Place): T {
  const { seat, session } = place;
  const { connection } = seat;
  const before = seat.note(session);
  seat.enter(session);
  connection.command("BEGIN IMMEDIATE");
  try {
    const answer = collect(asked, statement, place);
    connection.command("COMMIT");
    return answer;
  } catch (error) {
    // SQLite may have ended it already.
    if (!connection.autocommit) connection.command("ROLLBACK");
    if (isOfTheRows(error)) seat.restore(session, before);
    throw error;
  }
}

function collect<T>(
  { parameters, shape }: Asked<T>,
  statement: PreparedStatement,
  { seat }: Place,
): T {
  try {
    statement.bind(parameters);
    return shape.collect(statement, seat);
  } finally {
    if (seat.connection.open) statement.reset();
  }
}

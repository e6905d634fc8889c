/**
 * BATCHES: statements of one caller that take effect together or not at all. They are values, so a
 * batch shares a transaction with what others wait to write, as a statement does.
 *
 * (1) Statements run in order. The first that fails ends the batch; nothing of the batch stays, and
 *     its error says which it was.
 * (2) In a transaction that is shared, a batch that failed behind its first statement loses the
 *     group (group.ts): all run again, each by itself. A savepoint for each batch would spare that,
 *     and cost every batch that does not fail a copy of each page that it touches.
 * (3) By itself it runs between BEGIN IMMEDIATE and COMMIT, and foreign keys that it leaves violated
 *     fail it there.
 */
import { type PreparedStatement, SqliteError } from "../../sqlite/index.ts";
import type { ExecuteResult } from "../api/queryable.ts";
import { interrupted } from "./interrupted.ts";
import type { Seat } from "./seat.ts";
import type { BatchMember, Outcome } from "./work.ts";

/** Whether every statement may share a transaction. Throws what one throws that does not compile. */
export function everyStatement(
  { statements }: BatchMember,
  seat: Seat,
  mayShare: (statement: PreparedStatement) => boolean,
): boolean {
  return statements.every(({ sql }) => mayShare(seat.statement(sql)));
}

/** Runs a batch within the transaction that is open. */
export function runBatch(member: BatchMember, seat: Seat): Outcome {
  const answers: ExecuteResult[] = [];
  for (const [index, { sql, parameters }] of member.statements.entries()) {
    let statement: PreparedStatement | undefined;
    try {
      statement = seat.statement(sql);
      refuseInBatch(statement);
      statement.bind(parameters);
      answers.push(member.shape.collect(statement, seat));
      statement.reset();
    } catch (caught) {
      statement?.reset();
      const error = interrupted(caught, member.timeoutMs);
      if (error instanceof SqliteError) error.statementIndex = index;
      return { error };
    }
  }
  return { answer: answers };
}

/** Runs a batch in a transaction of its own. */
export function runBatchAlone(member: BatchMember, seat: Seat): Outcome {
  const { connection } = seat;
  try {
    connection.command("BEGIN IMMEDIATE");
  } catch (error) {
    return { error };
  }
  let outcome = runBatch(member, seat);
  if ("answer" in outcome) {
    try {
      connection.command("COMMIT");
    } catch (error) {
      outcome = { error };
    }
  }
  // SQLite may have ended the transaction already, as a full disk does.
  if (!connection.autocommit) connection.command("ROLLBACK");
  return outcome;
}

function refuseInBatch({ traits, sql }: PreparedStatement): void {
  if (traits.kind !== "transaction" && !traits.sessionBound) return;
  const shown = sql.trim().slice(0, 40);
  throw new TypeError(
    `"${shown}" cannot be part of a batch, which is a transaction of its own; ` +
      "use database.transaction(fn) or database.connect()",
  );
}

/**
 * RETRY POINTS: a statement that finds pages away leaves its session and its transaction as they were
 * before it, so that it can run again.
 *
 *   outside of a transaction   SQLite undoes it
 *   a read                     has changed nothing
 *   a write in a transaction   may be half done: it runs in a savepoint, which is rolled back to
 *   COMMIT                     the transaction stays open, and it is repeated. Only where it would
 *                              make the file smaller (auto_vacuum = full) SQLite gives the
 *                              transaction up; so that is done before it, as a statement of its own
 *
 * (1) While no page can be away, no savepoint is made: it would cost each statement a copy of every
 *     page that it touches. If a page turns out to be damaged just then, and is away for that, a
 *     write that is half done loses its transaction: BOP_CLOSED, to be tried again as a whole.
 * (2) SQLite does not undo what a statement did to changes(), total_changes() and last_insert_rowid():
 *     they are put back.
 */
import { StorageError } from "../../base/errors.ts";
import { PagesAway } from "../../page-store/index.ts";
import type { PreparedStatement, SessionCounters } from "../../sqlite/index.ts";
import type { Seat } from "./seat.ts";
import type { Session } from "./session.ts";

const POINT = "bop_retry";
const SPACE = String.raw`(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)*`;
/** What may end a transaction with a commit. */
const COMMITS = new RegExp(`^${SPACE}(?:commit|end|release)\\b`, "i");

export interface RetryPlace {
  readonly seat: Seat;
  readonly session: Session;
  /** Pages may be away now. */
  readonly mayMiss: boolean;
}

/**
 * Runs `run`, which steps the statement and leaves it reset or finalized. If it throws PagesAway, it
 * can be run again from the beginning.
 */
export function undoable<T>(place: RetryPlace, statement: PreparedStatement, run: () => T): T {
  const { connection } = place.seat;
  const wasWriting = connection.writing;
  const isControl = statement.traits.kind === "transaction";
  const isWrite = !statement.readonly && !isControl;
  const point = place.mayMiss && isWrite ? mark(place) : undefined;
  if (place.mayMiss && isControl && wasWriting && COMMITS.test(statement.sql)) shrink(place);
  try {
    const answer = run();
    if (point?.isOpen === true && !connection.autocommit) connection.command(`RELEASE ${POINT}`);
    return answer;
  } catch (error) {
    const isAway = error instanceof PagesAway;
    if (point?.isOpen === true && !connection.autocommit) {
      if (isAway) connection.command(`ROLLBACK TO ${POINT}`);
      connection.command(`RELEASE ${POINT}`);
    }
    if (!isAway) throw error;
    if (point !== undefined) place.seat.restore(place.session, point.counters);
    const isLost = isControl ? wasWriting && !connection.writing : isWrite && point === undefined;
    if (isLost) lose(place.seat, error);
    throw error;
  }
}

interface Point {
  readonly counters: SessionCounters;
  readonly isOpen: boolean;
}

function mark({ seat, session }: RetryPlace): Point {
  const counters = seat.note(session);
  seat.enter(session);
  const isOpen = !seat.connection.autocommit;
  if (isOpen) seat.connection.command(`SAVEPOINT ${POINT}`);
  return { counters, isOpen };
}

/** See (1). Outside of a transaction nothing is lost. */
function lose({ connection }: Seat, { message }: PagesAway): void {
  if (connection.autocommit) return;
  connection.command("ROLLBACK");
  const advice = "it was rolled back; run it again";
  throw new StorageError("BOP_CLOSED", `${message}, and the transaction was half done: ${advice}`, {
    details: { what: "transaction" },
    retryable: true,
  });
}

/** COMMIT. If it throws PagesAway, the transaction is open, and it can be repeated. */
export function commitUndoable(place: RetryPlace): void {
  const { connection } = place.seat;
  const wasWriting = connection.writing;
  if (place.mayMiss && wasWriting) shrink(place);
  try {
    connection.command("COMMIT");
  } catch (error) {
    const isLost = error instanceof PagesAway && wasWriting && !connection.writing;
    if (isLost) lose(place.seat, error);
    throw error;
  }
}

const AUTO_VACUUM_FULL = 1;

/** Does before a COMMIT what it would do itself: gives free pages back. */
function shrink(place: RetryPlace): void {
  const { seat } = place;
  const mode = seat.statement("pragma auto_vacuum");
  try {
    if (!mode.step() || mode.value(0, "number") !== AUTO_VACUUM_FULL) return;
  } finally {
    mode.reset();
  }
  const vacuum = seat.statement("pragma incremental_vacuum");
  undoable(place, vacuum, () => {
    try {
      while (vacuum.step());
    } finally {
      vacuum.reset();
    }
  });
}

/**
 * A TURN WITH THE WRITER of a database, for a seat of its own that is about to write.
 *
 * (1) Who gave up has no turn.
 * (2) While the log takes nothing new, nobody has: he waits for that as all do who write (writer.ts
 *     (5)), and it is no other writer that he waits for.
 */
import type { Clock, Disposer } from "../../base/env.ts";
import { SqliteError } from "../../sqlite/index.ts";
import { refusedAtTheDoor } from "./group.ts";
import type { OpenDatabase } from "./open-database.ts";
import type { Session } from "./session.ts";

/** How long a statement waits for other writers before it is SQLITE_BUSY. */
const BUSY_TIMEOUT_MS = 5000;
const SQLITE_BUSY = 5;

export interface WriterClaim {
  readonly database: OpenDatabase;
  readonly session: Session;
  /** Ends the wait with its reason. Undefined: it is SQLITE_BUSY after a time. */
  readonly until?: AbortSignal | undefined;
}

/** Waits for a turn with the writer, and keeps it until the function that it resolves with runs. */
export function acquireWriter({ database, session, until }: WriterClaim): Promise<() => void> {
  const { clock } = database.options.env;
  return new Promise((resolve, reject) => {
    let waiting = true;
    const settled = (settleIt: () => void): void => {
      limit.dispose();
      if (waiting) settleIt();
      waiting = false;
    };
    const giveUp = (error: unknown): void => settled(() => reject(error));
    const limit =
      until === undefined
        ? untilBusy(clock, () => database.writer.waitsForLog, giveUp)
        : onAbort(until, giveUp);
    database.writer.push({
      kind: "hold",
      session,
      waitingSinceMs: 0,
      get cancelled(): boolean {
        return !waiting;
      },
      start: (release) => {
        awaitLog(database);
        settled(() => resolve(release));
      },
      refuse: giveUp,
    });
  });
}

/** Throws BOP_BACKPRESSURE: see (2). What is worse is for a statement that does write to hear. */
function awaitLog({ options }: OpenDatabase): void {
  try {
    options.admit();
  } catch (error) {
    if (refusedAtTheDoor(error)) throw error;
  }
}

/** Its time begins anew while it is the log that is waited for: see (2). */
function untilBusy(
  clock: Clock,
  waitsForLog: () => boolean,
  giveUp: (error: unknown) => void,
): Disposer {
  const arm = (): Disposer => clock.deadline(BUSY_TIMEOUT_MS, isOver);
  const isOver = (): void => {
    if (waitsForLog()) timer = arm();
    else giveUp(busy());
  };
  let timer = arm();
  return { dispose: () => timer.dispose() };
}

function onAbort(signal: AbortSignal, giveUp: (reason: unknown) => void): Disposer {
  const aborted = (): void => giveUp(signal.reason);
  signal.addEventListener("abort", aborted);
  return { dispose: () => signal.removeEventListener("abort", aborted) };
}

function busy(): SqliteError {
  return new SqliteError(`database is locked: other writers took more than ${BUSY_TIMEOUT_MS} ms`, {
    sqliteCode: "SQLITE_BUSY",
    extendedCode: SQLITE_BUSY,
  });
}

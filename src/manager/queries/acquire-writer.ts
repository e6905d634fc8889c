/** A TURN WITH THE WRITER of a database, for a seat of its own that is about to write. */
import { SqliteError } from "../../sqlite/index.ts";
import type { OpenDatabase } from "./open-database.ts";
import type { Session } from "./session.ts";

/** How long a statement waits for other writers before it is SQLITE_BUSY. */
const BUSY_TIMEOUT_MS = 5000;
const SQLITE_BUSY = 5;

/** Waits for a turn with the writer, and keeps it until the function that it resolves with runs. */
export function acquireWriter(database: OpenDatabase, session: Session): Promise<() => void> {
  const { clock } = database.options.env;
  return new Promise((resolve, reject) => {
    let waiting = true;
    const timer = clock.deadline(BUSY_TIMEOUT_MS, () => {
      waiting = false;
      reject(busy());
    });
    const settled = (settleIt: () => void): void => {
      timer.dispose();
      if (waiting) settleIt();
      waiting = false;
    };
    database.writer.push({
      kind: "hold",
      session,
      waitingSinceMs: 0,
      get cancelled(): boolean {
        return !waiting;
      },
      start: (release) => settled(() => resolve(release)),
      refuse: (error) => settled(() => reject(error)),
    });
  });
}

function busy(): SqliteError {
  return new SqliteError(`database is locked: other writers took more than ${BUSY_TIMEOUT_MS} ms`, {
    sqliteCode: "SQLITE_BUSY",
    extendedCode: SQLITE_BUSY,
  });
}

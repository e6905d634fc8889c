/**
 * A SESSION: what one handle knows of its own past, wherever its statements happened to run.
 *
 * (1) `lastCommitLsn` is the newest commit that carries work of this session; its reads never show
 *     an older moment.
 * (2) The counters are those that SQLite would report to a connection that only this session used.
 *     While it is in place at a seat, they are in that seat's connection, and old here.
 * (3) What it is asked for begins in the order of the calls, also behind one of which it is not known
 *     yet what it is, since pages are away that it takes to compile its text.
 */
import { LSN_ZERO, type Lsn } from "../../base/units.ts";

export class Session {
  lastCommitLsn: Lsn = LSN_ZERO;
  changes = 0;
  totalChanges = 0;
  lastInsertRowid = 0n;
  /** Where its counters are; undefined: here. */
  seat: { leave(): void } | undefined;
  /** Statements that were accepted and have not run yet. */
  queuedCount = 0;
  /** Settles when the call has begun whose text could not be compiled. See (3). */
  #starting: Promise<void> | undefined;

  /** A call has not begun that was made: what comes is to be called by `inOrder`. */
  get isStarting(): boolean {
    return this.#starting !== undefined;
  }

  /** Others wait until it settles, however it does. See (3). */
  starts(started: Promise<unknown>): void {
    const starting = started.then(
      () => undefined,
      () => undefined,
    );
    this.#starting = starting;
    void starting.then(() => {
      if (this.#starting === starting) this.#starting = undefined;
    });
  }

  /** Calls `start` in the same go in which it is its turn: at once if nothing waits. */
  async inOrder<T>(start: () => T | Promise<T>): Promise<T> {
    while (this.#starting !== undefined) await this.#starting;
    return start();
  }

  committed(lsn: Lsn): void {
    if (lsn > this.lastCommitLsn) this.lastCommitLsn = lsn;
  }
}

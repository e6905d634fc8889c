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
import { CallOrder } from "./call-order.ts";

export class Session {
  lastCommitLsn: Lsn = LSN_ZERO;
  changes = 0;
  totalChanges = 0;
  lastInsertRowid = 0n;
  /** Where its counters are; undefined: here. */
  seat: { leave(): void } | undefined;
  /** Statements that were accepted and have not run yet. */
  queuedCount = 0;
  /** See (3). */
  readonly calls = new CallOrder();

  committed(lsn: Lsn): void {
    if (lsn > this.lastCommitLsn) this.lastCommitLsn = lsn;
  }
}

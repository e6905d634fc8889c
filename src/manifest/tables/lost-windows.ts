/**
 * TABLE OF LOST WINDOWS: parts of the log that an operator gave up, so that the bucket has nothing of
 * them: no moment in one can be restored from it.
 *
 *   key    epoch u64: the first that the bucket has behind the window
 *   value  epoch before u64, from lsn u64, to lsn u64, discarded at ms u64, letter u64, reason text
 *
 * (1) The window is from `from` up to `to`: what ends at or below the one is in the bucket, and what
 *     begins at or above the other is.
 * (2) The row is there before the first object of its epoch is, in the commit that strikes the letter.
 */
import { type Lsn, lsn } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

/** A part of the log that the bucket never got. */
export interface LostWindowRow {
  /** The first epoch that the bucket has behind the window; the newest before it. */
  readonly epoch: number;
  readonly epochBefore: number;
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  readonly discardedAtMs: number;
  /** Sequence of the dead letter that was discarded, and what it said. */
  readonly letter: number;
  readonly reason: string;
}

export const lostWindows = defineTable({
  name: "lostWindows",
  version: 1,
  keyOf: ({ epoch }: LostWindowRow) => epoch,
  writeKey: (epoch, into) => into.u64(epoch),
  readKey: (from) => from.u64(),
  write(row, into) {
    into.u64(row.epochBefore).u64(row.fromLsn).u64(row.toLsn).u64(row.discardedAtMs);
    into.u64(row.letter).text(row.reason);
  },
  read: (from, epoch): LostWindowRow => ({
    epoch,
    epochBefore: from.u64(),
    fromLsn: lsn(from.u64()),
    toLsn: lsn(from.u64()),
    discardedAtMs: from.u64(),
    letter: from.u64(),
    reason: from.text(),
  }),
});

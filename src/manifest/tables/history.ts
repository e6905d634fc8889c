/**
 * TABLE OF HISTORY: segments of the log that no recovery needs any more, kept for moments of the past
 * that somebody may ask for. A segment has a row here or among the segments, never in both.
 *
 *   key    sequence u64
 *   value  first lsn u64, end lsn u64, created at ms u64, file bytes u64, is copy u8
 */
import { type Lsn, lsn, type SegmentSequence, segmentSequence } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

/** A segment of the log that no recovery reads any more. */
export interface HistoryRow {
  readonly sequence: SegmentSequence;
  readonly firstLsn: Lsn;
  readonly endLsn: Lsn;
  /** When it was taken into use: nothing in the segments before it is newer. */
  readonly createdAtMs: number;
  readonly fileBytes: number;
  /** Its batches lie in a file of their size, not in the one that they were written to. */
  readonly isCopy: boolean;
}

export const history = defineTable({
  name: "history",
  version: 1,
  keyOf: ({ sequence }: HistoryRow): SegmentSequence => sequence,
  writeKey: (sequence, into) => into.u64(sequence),
  readKey: (from) => segmentSequence(from.u64()),
  write(row, into) {
    const { firstLsn, endLsn, createdAtMs, fileBytes, isCopy } = row;
    into
      .u64(firstLsn)
      .u64(endLsn)
      .u64(createdAtMs)
      .u64(fileBytes)
      .u8(isCopy ? 1 : 0);
  },
  read: (from, sequence): HistoryRow => ({
    sequence,
    firstLsn: lsn(from.u64()),
    endLsn: lsn(from.u64()),
    createdAtMs: from.u64(),
    fileBytes: from.u64(),
    isCopy: from.flag(),
  }),
});

/**
 * TABLE OF EPOCHS: who has written to the bucket of this store, as far as its history goes: what a disk
 * and a bucket compare.
 *
 *   key    epoch u64
 *   value  start lsn u64, claimed at ms u64
 */
import { type Lsn, lsn } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

/** A writer that had the bucket, and where its part of the log begins. */
export interface EpochRow {
  readonly epoch: number;
  readonly startLsn: Lsn;
  readonly claimedAtMs: number;
}

export const epochs = defineTable({
  name: "epochs",
  version: 1,
  keyOf: ({ epoch }: EpochRow) => epoch,
  writeKey: (epoch, into) => into.u64(epoch),
  readKey: (from) => from.u64(),
  write: (row, into) => void into.u64(row.startLsn).u64(row.claimedAtMs),
  read: (from, epoch): EpochRow => ({ epoch, startLsn: lsn(from.u64()), claimedAtMs: from.u64() }),
});

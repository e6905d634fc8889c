/**
 * TABLE OF EPOCHS: who has written to the bucket of this store, as far as its history goes: what a disk
 * and a bucket compare.
 *
 *   key    epoch u64
 *   value  start lsn u64, claimed at ms u64
 */
import { lsn } from "../../base/units.ts";
import type { EpochRow } from "../manifest.ts";
import { defineTable } from "../table.ts";

export const epochs = defineTable({
  name: "epochs",
  version: 1,
  keyOf: ({ epoch }: EpochRow) => epoch,
  writeKey: (epoch, into) => into.u64(epoch),
  readKey: (from) => from.u64(),
  write: (row, into) => void into.u64(row.startLsn).u64(row.claimedAtMs),
  read: (from, epoch): EpochRow => ({ epoch, startLsn: lsn(from.u64()), claimedAtMs: from.u64() }),
});

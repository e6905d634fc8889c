/**
 * WHERE A RESTORED LOG ENDS: behind the last commit at or below the wanted LSN, wherever that lies in
 * a batch.
 *
 * (1) A batch that reaches beyond the LSN is shortened to its last commit below; one that has none is
 *     left out, and the log ends before it. What the front of a commit has left in the batch before
 *     is what a crash leaves, too: nobody takes it for a commit.
 * (2) A group of commits counts as a whole or not at all: cut in its middle, none of it is given out.
 */
import { BATCH_HEADER, CommitScan } from "../wal/index.ts";
import type { ShippedBatch } from "./bucket.ts";

/** As much of the batch as lies at or below an LSN; undefined if that is nothing. */
export function cutBatch(batch: ShippedBatch, upToLsn: number): ShippedBatch | undefined {
  const { startLsn, payload } = batch;
  const payloadLsn = startLsn + BATCH_HEADER.sizeBytes;
  if (payloadLsn + payload.length <= upToLsn) return batch;
  if (payloadLsn >= upToLsn) return undefined;
  const place = { file: "log", offset: startLsn };
  const scan = new CommitScan({ startLsn, payload, place });
  let endLsn = payloadLsn;
  for (let next = scan.next(); next !== undefined && next.lsn <= upToLsn; next = scan.next()) {
    endLsn = next.lsn;
  }
  if (endLsn === payloadLsn) return undefined;
  return { ...batch, payload: payload.subarray(0, endLsn - payloadLsn) };
}

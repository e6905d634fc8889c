/**
 * TABLE OF PENDING BATCHES: the journal. A batch that was accepted, and is to be applied in the order
 * of sequences; its row goes in the transaction that applies it (journal.ts).
 *
 *   key    sequence u64
 *   value  enqueued at ms u64, batch: length u32 and bytes (batch-codec.ts)
 */
import { defineTable } from "../rows/table.ts";

export interface PendingBatchRow {
  readonly sequence: number;
  /** For people; orders nothing. */
  readonly enqueuedAtMs: number;
  readonly batch: Uint8Array;
}

export const pendingBatches = defineTable({
  name: "pendingBatches",
  version: 1,
  keyOf: ({ sequence }: PendingBatchRow) => sequence,
  writeKey: (sequence, into) => into.u64(sequence),
  readKey: (from) => from.u64(),
  write: ({ enqueuedAtMs, batch }, into) =>
    void into.u64(enqueuedAtMs).u32(batch.length).raw(batch),
  read: (from, sequence): PendingBatchRow => ({
    sequence,
    enqueuedAtMs: from.u64(),
    batch: from.raw(from.u32()),
  }),
});

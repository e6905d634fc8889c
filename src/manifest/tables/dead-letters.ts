/**
 * TABLE OF DEAD LETTERS: what could not be done for a reason that waiting cannot mend. It is kept
 * until somebody tries it again or discards it.
 *
 *   key    sequence u64
 *   value  kind u8, at ms u64, attempts u32, subject text, reason text, bytes u64,
 *          body: length u32 and bytes
 *
 * (1) Persistent: the numbers of kinds are never changed or used again.
 * (2) Entries of the journal and all dead letters share one row of sequences.
 */
import { defineTable } from "../rows/table.ts";

/** What could not be done, and waits until somebody decides. */
export interface DeadLetterRow {
  readonly sequence: number;
  /** `batch`: of the journal. The others: kinds of what is shipped. */
  readonly kind: "batch" | "log" | "chunk" | "manifest";
  readonly atMs: number;
  readonly attempts: number;
  /** What it was about, as the name of an object. */
  readonly subject: string;
  readonly reason: string;
  /** What waits behind it, as far as it was known when it was refused. */
  readonly bytes: number;
  /** What is needed to try again, in a format of the kind's own. */
  readonly body: Uint8Array;
}

export const KINDS = { batch: 1, log: 2, chunk: 3, manifest: 4 } as const;

export const deadLetters = defineTable({
  name: "deadLetters",
  version: 2,
  keyOf: ({ sequence }: DeadLetterRow) => sequence,
  writeKey: (sequence, into) => into.u64(sequence),
  readKey: (from) => from.u64(),
  write(row, into) {
    into.u8(KINDS[row.kind]).u64(row.atMs).u32(row.attempts).text(row.subject).text(row.reason);
    into.u64(row.bytes).u32(row.body.length).raw(row.body);
  },
  read: (from, sequence): DeadLetterRow => ({
    sequence,
    kind: from.oneOf(KINDS, "kind of dead letter"),
    atMs: from.u64(),
    attempts: from.u32(),
    subject: from.text(),
    reason: from.text(),
    bytes: from.u64(),
    body: from.raw(from.u32()),
  }),
});

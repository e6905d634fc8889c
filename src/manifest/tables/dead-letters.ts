/**
 * TABLE OF DEAD LETTERS: what could not be done for a reason that waiting cannot mend. It is kept
 * until somebody tries it again or discards it.
 *
 *   key    sequence u64
 *   value  kind u8, at ms u64, attempts u32, subject text, reason text, body: length u32 and bytes
 *
 * (1) Persistent: the numbers of kinds are never changed or used again.
 */
import { defineTable } from "../table.ts";

const KINDS = { batch: 1, log: 2, chunk: 3, manifest: 4 } as const;

export interface DeadLetterRow {
  readonly sequence: number;
  /** `batch`: of the journal. The others: kinds of what is shipped. */
  readonly kind: keyof typeof KINDS;
  readonly atMs: number;
  readonly attempts: number;
  /** What it was about, as the name of an object. */
  readonly subject: string;
  readonly reason: string;
  /** What is needed to try again, in a format of the kind's own. */
  readonly body: Uint8Array;
}

export const deadLetters = defineTable({
  name: "deadLetters",
  version: 1,
  keyOf: ({ sequence }: DeadLetterRow) => sequence,
  writeKey: (sequence, into) => into.u64(sequence),
  readKey: (from) => from.u64(),
  write(row, into) {
    into.u8(KINDS[row.kind]).u64(row.atMs).u32(row.attempts).text(row.subject).text(row.reason);
    into.u32(row.body.length).raw(row.body);
  },
  read: (from, sequence): DeadLetterRow => ({
    sequence,
    kind: from.oneOf(KINDS, "kind of dead letter"),
    atMs: from.u64(),
    attempts: from.u32(),
    subject: from.text(),
    reason: from.text(),
    body: from.raw(from.u32()),
  }),
});

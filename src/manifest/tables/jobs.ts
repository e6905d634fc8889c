/**
 * TABLE OF JOBS: work in the background, until it is done and for a while after.
 *
 *   key    id u64
 *   value  kind text, stream u32, state u8, attempts u32, max attempts u32, created at ms u64,
 *          changed at ms u64, due at ms u64, is leased u8, holder text and until ms u64 if it is,
 *          done u64, total u64, message text
 */
import { streamId } from "../../base/units.ts";
import { JOB_STATES, type JobRow } from "../job-state.ts";
import { defineTable } from "../rows/table.ts";

export const jobs = defineTable({
  name: "jobs",
  version: 1,
  keyOf: ({ id }: JobRow) => id,
  writeKey: (id, into) => into.u64(id),
  readKey: (from) => from.u64(),
  write(row, into) {
    into.text(row.kind).u32(row.stream).u8(JOB_STATES[row.state]);
    into.u32(row.attempts).u32(row.maxAttempts);
    into.u64(row.createdAtMs).u64(row.changedAtMs).u64(row.dueAtMs);
    into.u8(row.lease === undefined ? 0 : 1);
    if (row.lease !== undefined) into.text(row.lease.holder).u64(row.lease.untilMs);
    into.u64(row.progress.done).u64(row.progress.total).text(row.message);
  },
  read: (from, id): JobRow => ({
    id,
    kind: from.text(),
    stream: streamId(from.u32()),
    state: from.oneOf(JOB_STATES, "state of a job"),
    attempts: from.u32(),
    maxAttempts: from.u32(),
    createdAtMs: from.u64(),
    changedAtMs: from.u64(),
    dueAtMs: from.u64(),
    lease: from.flag() ? { holder: from.text(), untilMs: from.u64() } : undefined,
    progress: { done: from.u64(), total: from.u64() },
    message: from.text(),
  }),
});

/**
 * TABLE OF PENDING JOBS: the one job of its kind that a database has and that is not over. It says
 * nothing that the rows of jobs do not say; it makes two of a kind impossible.
 *
 *   key    stream u32, kind (UTF-8)
 *   value  id u64
 */
import { type StreamId, streamId } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

export interface PendingJobKey {
  readonly stream: StreamId;
  readonly kind: string;
}

export interface PendingJobRow extends PendingJobKey {
  readonly id: number;
}

export const pendingJobs = defineTable({
  name: "pendingJobs",
  version: 1,
  keyOf: ({ stream, kind }: PendingJobRow): PendingJobKey => ({ stream, kind }),
  writeKey: ({ stream, kind }, into) => into.u32(stream).text(kind),
  readKey: (from) => ({ stream: streamId(from.u32()), kind: from.text() }),
  write: ({ id }, into) => void into.u64(id),
  read: (from, key): PendingJobRow => ({ ...key, id: from.u64() }),
});

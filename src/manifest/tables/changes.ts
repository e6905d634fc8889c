/**
 * TABLE OF CHANGES: the records of the change log.
 *
 *   key    sequence u64
 *   value  see change-record.ts
 */
import { readChange, writeChange } from "../change-log/change-record.ts";
import { defineTable } from "../rows/table.ts";

export const changes = defineTable({
  name: "changes",
  version: 1,
  keyOf: ({ sequence }) => sequence,
  writeKey: (sequence, into) => into.u64(sequence),
  readKey: (from) => from.u64(),
  write: writeChange,
  read: readChange,
});

/**
 * TABLE OF SEGMENTS: files of the log that may hold what is needed, or are spare. A segment has a row
 * before it has a file.
 *
 *   key    sequence u64
 *   value  nothing: the key says it all
 */
import { type SegmentSequence, segmentSequence } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

export const segments = defineTable({
  name: "segments",
  version: 1,
  keyOf: (sequence: SegmentSequence) => sequence,
  writeKey: (sequence, into) => into.u64(sequence),
  readKey: (from) => segmentSequence(from.u64()),
  write: () => undefined,
  read: (_from, sequence): SegmentSequence => sequence,
});

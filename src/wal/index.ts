/**
 * WAL: commits in order, as bytes. Pure: nothing here reads a clock or a file.
 *
 *   core            which bytes go where, and what may be acknowledged
 *   buffer          the life of a batch in memory
 *   batch           what one write hands to the device
 *   frame           what a batch is made of (frame-decode reads it, delta finds what changed)
 *   segment         the header of a file of the log; segment-state is its life
 *   assembler       commits out of batches
 *   commit          a commit as the log takes it and gives it back
 */
export { CommitAssembler } from "./assembler.ts";
export {
  BATCH_HEADER,
  type BatchHeader,
  batchBytes,
  readBatchHeader,
  readPayload,
  stampBatch,
} from "./batch.ts";
export type { CommitFields, PageChange, ReplayedCommit, ReplayedFrame } from "./commit.ts";
export { LogCore, type WriteJob } from "./core.ts";
export { corrupt } from "./corrupt.ts";
export { GAVE_UP as LOGGED_WHOLE, UNCHANGED } from "./delta.ts";
export {
  BLOCK_BYTES,
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER,
  type SegmentHeader,
  STORE_ID_BYTES,
  SUPPORTED,
  segmentFileName,
  sequenceInName,
} from "./segment.ts";
export { moveSegment, type SegmentState } from "./segment-state.ts";

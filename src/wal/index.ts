/**
 * WAL: commits in order, as bytes. Pure: nothing here reads a clock or a file.
 *
 *   core            which bytes go where, and what may be acknowledged
 *   buffer          the life of a batch in memory
 *   batch           what one write hands to the device
 *   frame           what a batch is made of (frame-decode reads it, delta finds what changed)
 *   segment         the header of a file of the log; segment-state is its life
 *   assembler       commits out of batches
 *   inspect         a segment taken apart, damage and all
 *   commit          a commit as the log takes it and gives it back
 *   segment-index   which streams have commits in a segment, and where; commit-trail gathers that
 *                   while it is written, commit-scan from its batches
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
export { type FrameBuffer, FrameReader, putVarint } from "./bytes.ts";
export type { CommitFields, ReplayedCommit, ReplayedFrame } from "./commit.ts";
export { CommitScan, type ScannedCommit } from "./commit-scan.ts";
export { type CommitPosition, CommitTrail } from "./commit-trail.ts";
export { LogCore, type WriteJob } from "./core.ts";
export { corrupt } from "./corrupt.ts";
export { GAVE_UP as LOGGED_WHOLE, UNCHANGED } from "./delta.ts";
export type { PageChange, SpillFields } from "./frame.ts";
export {
  type ByteSource,
  framesOf,
  type SegmentHints,
  type SegmentItem,
  segmentItems,
} from "./inspect.ts";
export {
  BLOCK_BYTES,
  decodeSegmentHeader,
  encodeSegmentHeader,
  historyFileName,
  SEGMENT_HEADER,
  type SegmentHeader,
  STORE_ID_BYTES,
  SUPPORTED,
  segmentFileName,
  sequenceInHistoryName,
  sequenceInName,
} from "./segment.ts";
export {
  decodeSegmentIndex,
  RunCursor,
  type SegmentIndex,
  SegmentIndexBuilder,
  type StreamRun,
  segmentIndexBytes,
} from "./segment-index.ts";
export { moveSegment, type SegmentState } from "./segment-state.ts";

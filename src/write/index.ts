/**
 * WRITE: appends → device, in order, with backpressure.
 *
 *   log             the log as its users see it
 *   recover         from files to a log (survey looks at the directory, walk reads the batches; what
 *                   they are given is in check-options, what they find in used-segment)
 *   repair          what is cut off a log that is damaged; remains looks at what is left
 *   controller      the log with the disk; refusals: what it means that the device refuses
 *   segment-store   which file takes batches; segment-records says what is known of each
 *   held-segments   which are still needed, and what becomes of the others
 *   spare-segments  files that come next; segment-head is what they begin with
 *   segment-file    files of segments made and copied
 *   history-reader  the log that lies behind; history-segments says what of it is kept, and
 *                   history-files in which files
 *   shippable       the same for the sink: whole batches of it, and where commits lie in them
 *   watermarks      how far the log has come
 *   reserve         room for one batch, for a start on a full disk
 *   seal            the index behind a sealed segment
 *   segment-reader  one segment read back; batch-table keeps where its batches lie
 *   archive         a damaged segment is put back from a copy: holes finds out where those that are
 *                   missing began and ended, mending does it while the log is open
 *   backlog         commits that were located and wait to be replayed; commit-reader reads them
 *   admission       who may begin; stream-backlog counts what one stream has waiting
 *   flush-counts    what was done so far
 *   flush-pace      how long the device takes; idle-proof when to prove the last batch
 *   operation-watch operations that do not come back, in watched-storage too
 *   limited-storage leaves the log room in the system's pool
 *   waiters         who waits for the log; failure: what they hear when there is none any more
 *   options         limits and their defaults
 */

export type {
  CommitFields,
  PageChange,
  ReplayedCommit,
  ReplayedFrame,
  SpillFields,
} from "../wal/index.ts";
export { LOGGED_WHOLE, UNCHANGED } from "../wal/index.ts";
export type { SegmentArchive, WantedSegment } from "./archive.ts";
export type { Backlog } from "./backlog.ts";
export type { RecoveryProgress } from "./check-options.ts";
export type { HistoryHold, HistorySegment } from "./history-segments.ts";
export { limitedStorage } from "./limited-storage.ts";
export type {
  EndedLogSegment,
  Log,
  LogFault,
  LogShipping,
  LogStats,
  StagedFrames,
  StoredLog,
} from "./log.ts";
export type { LogLimits } from "./options.ts";
export {
  type RecoveredLog,
  type RecoverOptions,
  recoverLog,
} from "./recover.ts";
export { applyRepair, planRepair, type RepairOptions, type RepairPlan } from "./repair.ts";
export { RESERVE_FILE } from "./reserve.ts";

/**
 * WRITE: appends → device, in order, with backpressure.
 *
 *   log              the log as its users see it
 *   controller       the log with the disk; refusals: what it means that the device refuses
 *   admission        who may begin; stream-backlog counts what one stream has waiting
 *   waiters          who waits for the log; failure: what they hear when there is none any more
 *   flush-counts     what was done so far; idle-proof: when to prove the last batch
 *   options          limits and their defaults
 *
 *   segments/        the files of the log
 *     segment-store  which takes batches; segment-records says what is known of each
 *     held-segments  which are still needed, and what becomes of the others
 *     spare-segments those that come next; segment-head is what they begin with
 *     segment-file   files made and copied; segment-reader: one read back
 *     seal           the index behind a sealed segment
 *     reserve        room for one batch, for a start on a full disk
 *     watermarks     how far the log has come
 *   recovery/        from files to a log
 *     recover        in two steps: survey looks at the directory, walk reads the batches; what they
 *                    are given is in check-options, what they find in used-segment and batch-table
 *     left-segments  which of them a manifest must name that is made again
 *     repair         what is cut off a log that is damaged; remains looks at what is left
 *     archive        a damaged segment is put back from a copy: holes finds out where those that are
 *                    missing began and ended, mending does it while the log is open
 *     backlog        commits that were located and wait to be replayed; commit-reader reads them
 *   history/         the log that lies behind
 *     history-reader for moments of the past; history-segments says what of it is kept, and
 *                    history-files in which files, history-copy in copies
 *     shippable      for the sink: whole batches of it, and where commits lie in them
 *   device/          what can be told of it
 *     flush-pace     how long it takes to flush
 *     operation-watch operations that do not come back, in watched-storage too
 *     limited-storage leaves the log room in the system's pool
 */

export type {
  CommitFields,
  PageChange,
  ReplayedCommit,
  ReplayedFrame,
  SpillFields,
} from "../wal/index.ts";
export { LOGGED_WHOLE, UNCHANGED } from "../wal/index.ts";
export { limitedStorage } from "./device/limited-storage.ts";
export type { HistoryHold, HistorySegment } from "./history/history-segments.ts";
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
export type { SegmentArchive, WantedSegment } from "./recovery/archive.ts";
export type { Backlog } from "./recovery/backlog.ts";
export type { RecoveryProgress } from "./recovery/check-options.ts";
export { type LeftSegments, segmentsToRegister } from "./recovery/left-segments.ts";
export {
  type RecoveredLog,
  type RecoverOptions,
  recoverLog,
} from "./recovery/recover.ts";
export { applyRepair, planRepair, type RepairOptions, type RepairPlan } from "./recovery/repair.ts";
export { RESERVE_FILE } from "./segments/reserve.ts";

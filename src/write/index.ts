/**
 * WRITE: appends → device, in order, with backpressure.
 *
 *   log             the log as its users see it
 *   recover         from files to a log (survey looks at the directory, walk reads the batches)
 *   controller      the log with the disk
 *   segment-store   which file takes batches, which come next, which are still needed
 *   segment-reader  one segment read back
 *   waiters         who waits for the log
 *   options         limits and their defaults
 */

export type { CommitFields, PageChange, ReplayedCommit, ReplayedFrame } from "../wal/index.ts";
export { LOGGED_WHOLE, UNCHANGED } from "../wal/index.ts";
export type { Log, LogStats, StagedFrames } from "./log.ts";
export type { LogLimits } from "./options.ts";
export { type RecoveredLog, type RecoverOptions, recoverLog } from "./recover.ts";

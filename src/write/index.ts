/**
 * WRITE: appends → device, in order, with backpressure.
 *
 *   log     the log as its users see it
 *   replay  what recovery hands out
 */
export type { CommitFields, Log, LogStats, PageChange, StagedFrames } from "./log.ts";
export type { ReplayedCommit, ReplayedFrame } from "./replay.ts";

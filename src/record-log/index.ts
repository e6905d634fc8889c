/**
 * RECORD LOG: an ordered log of records for Raft and for events; knows no page.
 *
 *   api             the public types
 *   record-logs     the logs of a store: replay, write, checkpoint
 *   open-log        one of them, as its handles, writes and checkpoints share it
 *   record-log      the same in the hands of its user
 *   core            one of them without the disk; term-runs and durable-marks are parts of it, and
 *                   entry-places: where its entries lie
 *   plan            what a change means for a log as it is
 *   operations      what a commit says, as bytes; body: what the manifest keeps
 *   logs-share      the part of record logs in a checkpoint; checkpoint writes their chunks
 *   chunk-reader    entries that have left memory; carried-chunks: for who can do without them
 *   arena           memory of entries
 *   bytes           numbers and bytes in and out
 *   contract/       the properties of a log store, as tests for any implementation
 */
export type {
  HardState,
  LogBoundary,
  LogChange,
  LogEntry,
  LogMember,
  LogRange,
  LogWritten,
  NewLogEntry,
  RecordLog,
} from "./api.ts";
export { decodeBody as decodeLogBody } from "./body.ts";
export type { StoredChunks } from "./carried-chunks.ts";
export type { ChunkWork, NewChunkFile } from "./checkpoint.ts";
export type { LogsShare } from "./logs-share.ts";
export { commitTogether, type HandleMember, RecordLogHandle } from "./record-log.ts";
export { type LogHost, RecordLogs, type RecordLogsStats } from "./record-logs.ts";

/**
 * MANAGER: composes everything below into open, use, close.
 *
 *   manager           databases by name, over an open store
 *   api               the public types
 *   options           what a store can be told; names: what a database can be called
 *   opening           the steps; directories: is one there? open-store: puts the layers together
 *                     store: holds them; lifecycle: its states; read-only: how it becomes that
 *   catalogue         which databases there are; name-index: in order of name
 *                     catalogue-row: one of them; snapshot-names: moments that are kept;
 *                     unsaved: what is not in the manifest; page-effects: what entries mean below
 *   forks, snapshots  databases that begin as another was; moments under names. family: what users
 *                     see of both; family-tree: who was forked from whom; frozen-database: a moment
 *   door              who may change it while the log takes nothing new
 *   rebuild           a lost manifest made again
 *   slugs             names as segments of URLs and paths
 *   database, connection, transaction, statement, queryable
 *                     what users hold; each runs on a runner: handle-runner or seat-runner
 *   open-database     a database's writer and connections; fleet: all that are open
 *   writer, group, work, work-queue, run-queue
 *                     whose turn it is to write, and who shares a transaction
 *   seat, session, shapes, iterator, script
 *                     a connection, whose it is, and how answers are taken from it
 *   materialiser      the catalogue, written to the manifest and the change log
 *   change-feed       who reads the change log: change-reader a loop, change what it yields
 *   jobs              work in the background; job, integrity-check: what users see, what it does
 *   logs              record logs by name; log-catalogue: which there are
 *   gate              nothing is revealed before it is durable; remote-gate: or in the sink;
 *                     levels: which of them; wait-durable: by a caller's wish
 *   open-sink         the sink, looked at; shipping: who ships there, and flush-controller-of: that
 *                     he is the one of flush/; sink-options, sink-facts: what users say and see
 *   checkpointer      when the log is folded into chunks
 *   import, export    SQLite files in and out
 */

export type {
  ListedPoint,
  ReadCounts,
  RestoreMoment,
  RestorePoints,
  RestoreRange,
} from "../restore/index.ts";
export type {
  BatchStatement,
  Connection,
  Database,
  DatabaseInfo,
  DatabaseOptions,
  Diagnostics,
  Durability,
  DurableOptions,
  ExecOptions,
  ExecuteOptions,
  ExecuteResult,
  ExportOptions,
  FaultContext,
  ListOptions,
  LogInfo,
  LogOptions,
  Queryable,
  Row,
  RunResult,
  Statement,
  StatementDescription,
  StatementParameters,
  Transaction,
  TransactionOptions,
  TransferOptions,
} from "./api.ts";
export type { Change, ChangesOptions, CursorInfo, CursorOptions } from "./change.ts";
export type { ChangeLogOptions } from "./change-options.ts";
export type {
  CollectOptions,
  CollectReport,
  DatabaseSnapshot,
  FamilyNode,
  ForkOptions,
  SnapshotInfo,
} from "./family.ts";
export { FileSource } from "./file-source.ts";
export type { Finding } from "./findings.ts";
export {
  type Facts,
  type InspectedPart,
  type Inspection,
  inspectArtefact,
} from "./inspect.ts";
export type { JobHandle, JobInfo } from "./job.ts";
export type { LimitOptions } from "./limit-options.ts";
export { Manager } from "./manager.ts";
export { databaseName, snapshotName } from "./names.ts";
export { openObjectStore } from "./object-store-at.ts";
export type { ManagerOptions } from "./options.ts";
export { type RebuildReport, rebuildManifest } from "./rebuild.ts";
export {
  type RepairLoss,
  type RepairOutcome,
  repairStore,
} from "./repair.ts";
export type {
  DatabaseRestoreOptions,
  DatabaseRestoreReport,
  RestoreOptions,
  RestoreReport,
} from "./restore-options.ts";
export type { DeadLetterInfo, SinkFacts, SinkState } from "./sink-facts.ts";
export type { RetentionOptions } from "./sink-options.ts";
export { nameOfSlug, slugOf } from "./slugs.ts";
export { type VerifyOptions, type VerifyReport, verifyStore } from "./verify.ts";

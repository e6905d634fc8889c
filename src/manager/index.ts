/**
 * MANAGER: composes everything below into open, use, close.
 *
 *   manager       databases by name, over an open store
 *   api/          what programs hold and are told: types, and nothing else
 *   options       what a store can be told; limit-options: how much of it; resolve-options checks it
 *                 all, once; refuse-unknown: what nobody knows; option-values: what comes with a call
 *   store         the layers of an open store; store-ground: what its parts know of it
 *   diagnostics   what users see of it; faults: what went wrong last; list-page: a page of a list
 *   opening/      the steps from a directory to an open store: directories: is one there? open-store
 *                 puts the layers together, superblocks says where to begin; lifecycle: its states;
 *                 read-only: how it becomes that; door: who may change it meanwhile
 *   catalogue/    how databases come and go; known-databases: which there are, by name (names, slugs,
 *                 name-index); catalogue-row: one of them; snapshot-names: moments that are kept;
 *                 unsaved: what is not in the manifest; materialiser writes it there; page-effects:
 *                 what entries mean below
 *   queries/      database, connection, transaction, scope, statement: what users hold; each runs on a
 *                 runner (handle-runner, seat-runner). open-database: a database's writer and
 *                 connections; fleet: all that are open. writer, group, batch, work, queues: whose
 *                 turn it is to write, and who shares a transaction. seat, seat-transaction, session,
 *                 shapes, iterator, script: a connection, what it is in the middle of, whose it is,
 *                 and how answers are taken from it. page-waits, retry-point: where pages are away
 *   gates/        nothing is revealed before it is durable, or in the sink: levels says which
 *   checkpoints/  when the log is folded into chunks
 *   families/     databases that begin as another was, moments under names, the past and its end
 *   changes/      who reads the change log: change-feed, change-reader, change
 *   jobs/         work in the background, and what it does
 *   logs/         record logs by name
 *   shipping/     the sink: opened, looked at, shipped to (shipper: what is asked of who does),
 *                 restored from
 *   transfer/     SQLite files in and out
 *   scrub/        is it still what was written? Read again in the background: scrubber, pass and
 *                 pass-plan (when), local-area and bucket-area (what), sample, and what heals it
 *   verify/       is all of it true? inspect: one file of it; rebuild, repair: when it is not
 */

export type {
  ListedPoint,
  RestoreMoment,
  RestorePoints,
  RestoreRange,
} from "../restore/index.ts";
export type { Connection, Transaction, TransactionOptions } from "./api/connection.ts";
export type {
  BatchStatement,
  Database,
  DatabaseInfo,
  DatabaseOptions,
  ExportOptions,
} from "./api/database.ts";
export type { Diagnostics, FaultContext } from "./api/diagnostics.ts";
export type { LogInfo, LogOptions } from "./api/logs.ts";
export type { ListOptions } from "./api/manager.ts";
export type {
  ExecOptions,
  ExecuteOptions,
  ExecuteResult,
  Queryable,
  StatementDescription,
} from "./api/queryable.ts";
export type { Row, RunResult, Statement, StatementParameters } from "./api/statement.ts";
export { databaseName, snapshotName } from "./catalogue/names.ts";
export { nameOfSlug, slugOf } from "./catalogue/slugs.ts";
export type { Change, ChangesOptions, CursorInfo, CursorOptions } from "./changes/change.ts";
export type { ChangeLogOptions } from "./changes/change-options.ts";
export type {
  CollectOptions,
  CollectReport,
  DatabaseSnapshot,
  FamilyNode,
  ForkOptions,
  SnapshotInfo,
} from "./families/family.ts";
export type { Durability, DurableOptions } from "./gates/durability.ts";
export type { JobHandle, JobInfo } from "./jobs/job.ts";
export type { LimitOptions } from "./limit-options.ts";
export { Manager } from "./manager.ts";
export type { ManagerOptions } from "./options.ts";
export type {
  ScrubbedDatabase,
  ScrubFacts,
  ScrubFinding,
  ScrubPass,
  ScrubProgress,
  ScrubReport,
  ScrubRequest,
  ScrubSamples,
} from "./scrub/scrub.ts";
export type { ScrubOptions } from "./scrub/scrub-options.ts";
export { openObjectStore } from "./shipping/object-store-at.ts";
export type { ResidencyFacts } from "./shipping/residency-facts.ts";
export type {
  DatabaseRestoreOptions,
  DatabaseRestoreReport,
  RestoreOptions,
  RestoreReport,
} from "./shipping/restore-options.ts";
export type { DeadLetterInfo, LostWindow, SinkFacts, SinkState } from "./shipping/sink-facts.ts";
export type { RetentionOptions } from "./shipping/sink-options.ts";
export { FileSource } from "./transfer/file-source.ts";
export type { TransferOptions } from "./transfer/transfer-options.ts";
export type { Finding } from "./verify/findings.ts";
export {
  type Facts,
  type InspectedPart,
  type Inspection,
  inspectArtefact,
} from "./verify/inspect.ts";
export { type RebuildReport, rebuildManifest } from "./verify/rebuild.ts";
export {
  type RepairLoss,
  type RepairOutcome,
  repairStore,
} from "./verify/repair.ts";
export { type VerifyOptions, type VerifyReport, verifyStore } from "./verify/verify.ts";

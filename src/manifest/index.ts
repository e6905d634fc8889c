/**
 * MANIFEST: what exists.
 *
 *   manifest         what is known, and what can be asked of it
 *   manifest-change  how it is changed; moment: a database at an LSN
 *   open-manifest    the same over a key-value store: reading it all, handing changes to the writer
 *   batch            what callers hand over: operations, marks, changes
 *   writer           the one: batches that wait together become one commit
 *   draft            the rows as a commit in the making will leave them
 *   invariants       what must hold of every commit: -of-streams, -of-maps say what
 *   live-tally       references to each chunk
 *   row-indexes      which row has a name, and what reads through what
 *   journal          batches that are accepted now and take place afterwards; batch-codec: as bytes
 *   generations      watermarks, and who waits for them
 *   migrations       stores of older schemas: migrations/ has them
 *   schema           all tables: table says what one is, tables/ has them with their rows
 *   pace             lets others run
 *   audit            every row and what is wrong with it, for verification
 *   audit-mirror     how far the mirror can be believed
 *   owner            whose directory it is
 *   catalogue-entry  the payloads of stream 0
 *   change-log       what has happened, in order; cursors: how far each has read
 *     -core          what a commit appends, removes, and whom it evicts
 *   change-record    one fact of it
 *   job-state        life of work in the background
 *   keys             numbers of tables; key-bytes: fields of keys
 *   envelope         version, generation and checksum around every value
 *   bytes            fields of payloads
 *   mirror           a second copy of the rows, in a plain file
 *     -file, -format how it is written, and as which bytes; mirrored-store: what tells it
 *   row-feed         the rows and their changes, for shipping; sorted-rows: in order
 *   remote-rows      what rows say of the bucket
 *   rebuild          a manifest made again from it; first-rows: of a store without any
 *   family-rows      rows of one family of databases, where nothing else is to be read
 *   key-value        the narrow transactional store beneath
 *   handle           queue and refusal, common to all stores
 *   lmdb-store       on disk
 *   memory-store     in a simulated world
 */
export { auditManifest, type ManifestAudit } from "./audit.ts";
export { auditMirror, auditMirrorInSteps, type MirrorAudit } from "./audit-mirror.ts";
export { removalOfJobs } from "./batch.ts";
export {
  type CatalogueEntry,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
} from "./catalogue-entry.ts";
export { type ChangeLog, evictedError } from "./change-log.ts";
export {
  CHANGE_LOG_LIMITS,
  type ChangeLogLimits,
  type ChangeLogRequest,
  type CursorRow,
} from "./change-log-core.ts";
export {
  type AdvancedDatabase,
  type ChangeFact,
  type ChangeRecord,
  factsOfDatabases,
} from "./change-record.ts";
export {
  type ChunkSpan,
  chunksOfMapRow,
  databaseOfRow,
  FAMILY_ROWS,
  mapRowOfRow,
  streamOfNameRow,
} from "./family-rows.ts";
export {
  isDue,
  isPending,
  type JobEvent,
  type JobRow,
  type JobState,
  mayMeet,
  moveJob,
  newJob,
} from "./job-state.ts";
export type {
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  OpenKeyValueStore,
} from "./key-value.ts";
export { openLmdbStore } from "./lmdb-store.ts";
export type { Manifest, ManifestState } from "./manifest.ts";
export type { ManifestChange } from "./manifest-change.ts";
export { type CommitFault, type MemoryStores, memoryStores } from "./memory-store.ts";
export { ManifestMirror, type MirrorStats } from "./mirror.ts";
export type { Moment } from "./moment.ts";
export { type ManifestOptions, openManifest } from "./open-manifest.ts";
export {
  claimOwnership,
  type Ownership,
  type OwnershipOptions,
  refuseIfOwned,
} from "./owner.ts";
export {
  chunksOfMirror,
  chunksOfRows,
  hasManifest,
  type ManifestContents,
  type MirrorContents,
  manifestOfRows,
  newManifest,
  readMirror,
  remoteChunksOfRows,
  withoutShipping,
  writeManifest,
} from "./rebuild.ts";
export { encodeRemoteRows, isRemotePlace, type RemoteFact, remoteFactOf } from "./remote-rows.ts";
export { type RowCut, RowFeed, type RowFeedOptions } from "./row-feed.ts";
export { garbageOf } from "./row-indexes.ts";
export type { ChunkRow } from "./tables/chunks.ts";
export type { DatabaseRow } from "./tables/databases.ts";
export type { DeadLetterRow } from "./tables/dead-letters.ts";
export type { EpochRow } from "./tables/epochs.ts";
export type { HistoryRow } from "./tables/history.ts";
export type { LostWindowRow } from "./tables/lost-windows.ts";
export type { MapVersionKey, MapVersionRow } from "./tables/map-versions.ts";
export {
  MAP_ROW_PAGES,
  type MapRow,
  type MapRowChange,
  type MapRowKey,
} from "./tables/page-map.ts";
export type { RecordLogRow } from "./tables/record-logs.ts";
export type { RemoteChainKey, RemoteChainRow, RemoteState } from "./tables/remote-chains.ts";
export type { RemoteChunkRow } from "./tables/remote-chunks.ts";
export type { RemoteGarbageRow } from "./tables/remote-garbage.ts";
export type { ScrubKey, ScrubRow } from "./tables/scrubs.ts";
export type { ShippingRow } from "./tables/shipping.ts";
export type { SnapshotKey, SnapshotRow } from "./tables/snapshots.ts";

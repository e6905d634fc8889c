/**
 * MANIFEST: what exists.
 *
 *   manifest            what is known, and what can be asked of it
 *   manifest-change     how it is changed
 *   schema              all tables: tables/ has them with their rows
 *   job-state           life of work in the background
 *   owner               whose directory it is
 *
 *   opening/            from a key-value store to a manifest
 *     open-manifest     reading it all, handing changes to the writer
 *     first-rows        of a store without any
 *     migrations        stores of older schemas: migrations/ has them
 *     rebuild           a manifest made again from its mirror
 *   commit/             from what callers want to one commit of the store
 *     batch             what they hand over: operations, marks, changes
 *     writer            the one: batches that wait together become one commit
 *     draft             the rows as a commit in the making will leave them
 *     before-images     the rows as they were, if its outcome is unknown
 *     live-tally        references to each chunk
 *     row-indexes       which row has a name, and what reads through what
 *     journal           batches that are accepted now and take place afterwards; batch-codec: as bytes
 *     generations       watermarks, and who waits for them
 *   invariants/         what must hold of every commit: -of-streams, -of-maps say what
 *   change-log/         what has happened, in order; cursors: how far each has read
 *     -core             what a commit appends, removes, and whom it evicts
 *     change-record     one fact of it
 *   rows/               rows as bytes
 *     table             what a table is
 *     keys              numbers of tables; key-bytes: fields of keys
 *     envelope          version, generation and checksum around every value
 *     bytes             fields of payloads
 *     catalogue-entry   the payloads of stream 0; moment: a database at an LSN
 *   reading/            rows for those who do not open the manifest, or do more than that
 *     audit             every row and what is wrong with it, for verification
 *     row-feed          the rows and their changes, for shipping; sorted-rows: in order
 *     remote-rows       what rows say of the bucket
 *     family-rows       rows of one family of databases
 *   mirror/             a second copy of the rows, in a plain file
 *     -file, -format    how it is written, and as which bytes; mirrored-store: what tells it
 *     audit-mirror      how far it can be believed
 *   stores/             the narrow transactional store beneath
 *     key-value, handle what it promises; queue and refusal, common to all stores
 *     lmdb-store        on disk; lmdb-guard, -check: what LMDB must not be given
 *     memory-store      in a simulated world
 */

export { type ChangeLog, evictedError } from "./change-log/change-log.ts";
export {
  CHANGE_LOG_LIMITS,
  type ChangeLogLimits,
  type ChangeLogRequest,
  type CursorRow,
} from "./change-log/change-log-core.ts";
export {
  type AdvancedDatabase,
  type ChangeFact,
  type ChangeRecord,
  factsOfDatabases,
} from "./change-log/change-record.ts";
export { removalOfJobs } from "./commit/batch.ts";
export { garbageOf } from "./commit/row-indexes.ts";
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
export type { Manifest, ManifestState } from "./manifest.ts";
export type { ManifestChange } from "./manifest-change.ts";
export { auditMirror, auditMirrorInSteps, type MirrorAudit } from "./mirror/audit-mirror.ts";
export { ManifestMirror, type MirrorStats, mirrorPath } from "./mirror/mirror.ts";
export { type ManifestOptions, openManifest } from "./opening/open-manifest.ts";
export {
  chunksOfMirror,
  chunksOfRows,
  clearManifest,
  hasManifest,
  historyOfMirror,
  type ManifestContents,
  type MirrorContents,
  manifestOfRows,
  newManifest,
  readMirror,
  remoteChunksOfRows,
  withLaterStates,
  withoutShipping,
  writeManifest,
} from "./opening/rebuild.ts";
export {
  claimOwnership,
  type Ownership,
  type OwnershipOptions,
  refuseIfOwned,
} from "./owner.ts";
export { auditManifest, type ManifestAudit } from "./reading/audit.ts";
export {
  type ChunkSpan,
  chunksOfMapRow,
  databaseOfRow,
  FAMILY_ROWS,
  mapRowOfRow,
  streamOfNameRow,
} from "./reading/family-rows.ts";
export {
  encodeRemoteRows,
  isRemotePlace,
  type RemoteFact,
  remoteFactOf,
} from "./reading/remote-rows.ts";
export { type RowCut, RowFeed, type RowFeedOptions } from "./reading/row-feed.ts";
export {
  type CatalogueEntry,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
} from "./rows/catalogue-entry.ts";
export type { Moment } from "./rows/moment.ts";
export type {
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  OpenKeyValueStore,
} from "./stores/key-value.ts";
export { openLmdbStore } from "./stores/lmdb-store.ts";
export { type CommitFault, type MemoryStores, memoryStores } from "./stores/memory-store.ts";
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

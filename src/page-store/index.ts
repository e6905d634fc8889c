/**
 * PAGE STORE: numbered pages through time.
 *
 *   page-store         opens a store's pages, replays, checkpoints, collects, closes
 *   limits             what it may take, and what it takes by default
 *   page-space         the seam to SQLite: pin, read, stage, seal
 *   memory-page-space  all versions in memory: the model of the real one
 *   databases          which there are, which are loaded, what each reads through
 *   database-pages     the pages of one database: overlay, map, cache and chunks put together
 *   fork-base          what a fork reads through
 *   frozen-space       a database as it was at one moment
 *   commons            what the databases of a store share
 *   overlay            versions of pages above the checkpoint, and which of them are needed
 *   moments            commits that may be pinned, and those that are
 *   pins               moments that snapshots and forks keep
 *   truncations        where a database became smaller, or changed the size of its pages
 *   staging            the commit between stage and seal
 *   replay             a commit that recovery read
 *   spill              what a transaction has no memory for, in chunks of its own; slot-map finds it
 *   spills             what the spills of a store have in common
 *   spill-staging      its commit between stage and seal
 *   spilled            commits of such transactions; adoption gives their chunks to a checkpoint
 *   spill-shelf        chunks of such transactions that a crash left behind
 *   sweeper            drops old versions, a little in each turn
 *   buffers            spare page buffers
 *   location           where an image lies, as one number
 *   page-map           page number → location, in one state of a database; map-edit makes the next
 *   row-shelf          rows of page maps in memory
 *   map-versions       which states of page maps there are
 *   version-plan       which of them go, and which rows with them
 *   version-drops      the same, carried out
 *   map-draft          rows as a commit of the manifest will leave them
 *   checkpoint         folds the log into chunks and a new manifest; checkpoint-request: when asked to
 *     -rows            how large each database is afterwards
 *   parts, part-writer one database in a checkpoint
 *   flattening         forks become independent of their origins
 *   collection         lets go of what nobody needs, between checkpoints
 *   chunk-table        references to chunks, and which of them nobody needs
 *   chunk-uses         how much of each is used, as far as is known
 *   dead-files         chunks that go
 *   compaction         carries the pages of chunks that are mostly dead over: compaction-plan says of
 *                      which, chunk-scan reads them, carrying moves rows, named-pages knows who names
 *                      what; compaction-round does it between checkpoints
 *   chunk-writer       chunk files as they are written
 *   chunk-files        chunk files as they are read
 *   chunk-stretch      neighbouring pages as they lie in one
 *   read-ahead         pages from them into the cache, several at once for a reader in sequence
 *   sequences          who reads in sequence, and how far ahead pays
 *   replays            databases whose commits recovery has not replayed yet
 *   leftovers          what a crash left in chunks/ and tmp/
 *   room               is there space for a checkpoint
 *   shares             what others write into a checkpoint
 *   slices             long work, in pieces
 *   superblock         four copies of the few facts that name the rest; superblock-file writes them
 */

export type {
  CheckpointRequest,
  CheckpointResult,
  PublishedFacts,
} from "./checkpoint-request.ts";
export { chunkName, chunkOfName, chunkPath } from "./chunk-files.ts";
export type { CollectReport, CollectRequest, KeepReason } from "./collection.ts";
export type { MapMoments } from "./databases.ts";
export type { PageStoreLimits } from "./limits.ts";
export { chunkOf, NOWHERE, offsetOf } from "./location.ts";
export { MemoryPageSpace } from "./memory-page-space.ts";
export type {
  FrozenSpace,
  PageSetChange,
  PageSpace,
  PageSpill,
  Snapshot,
  StagedCommit,
} from "./page-space.ts";
export {
  type CatalogueDatabaseRow,
  type CatalogueRows,
  openPageStore,
  type PageStore,
  type PageStoreOptions,
  type PageStoreStats,
} from "./page-store.ts";
export type { HeldSnapshot, NewFork } from "./pins.ts";
export type {
  CheckpointParticipant,
  CheckpointShare,
  ChunkWork,
  NewChunkFile,
  ShareChange,
} from "./shares.ts";
export {
  inspectSuperblock,
  SUPERBLOCK,
  type Superblock,
  type SuperblockFacts,
} from "./superblock.ts";
export { SuperblockFile, type SuperblockPlace } from "./superblock-file.ts";

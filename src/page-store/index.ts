/**
 * PAGE STORE: numbered pages through time.
 *
 *   page-store         opens a store's pages, replays, checkpoints, closes
 *   limits             what it may take, and what it takes by default
 *   page-space         the seam to SQLite: pin, read, stage, seal
 *   memory-page-space  all versions in memory: the model of the real one
 *   database-pages     the pages of one database: overlay, map, cache and chunks put together
 *   commons            what the databases of a store share
 *   overlay            versions of pages above the checkpoint, and which of them are needed
 *   moments            commits that may be pinned, and those that are
 *   truncations        where a database became smaller, or changed the size of its pages
 *   staging            the commit between stage and seal
 *   spill              what a transaction has no memory for, in chunks of its own; slot-map finds it
 *   spills             what the spills of a store have in common
 *   spill-staging      its commit between stage and seal
 *   spilled            commits of such transactions; adoption gives their chunks to a checkpoint
 *   spill-shelf        chunks of such transactions that a crash left behind
 *   sweeper            drops old versions, a little in each turn
 *   buffers            spare page buffers
 *   location           where an image lies, as one number
 *   page-map           page number → location, as of one checkpoint
 *   checkpoint         folds the log into chunks and a new manifest
 *   chunk-table        live shares of chunks, the sparse and the dead
 *   compaction         carries the pages of sparse chunks over
 *   chunk-writer       chunk files as they are written
 *   chunk-files        chunk files as they are read
 *   replays            databases whose commits recovery has not replayed yet
 *   leftovers          what a crash left in chunks/ and tmp/
 *   shares             what others write into a checkpoint
 *   slices             long work, in pieces
 *   superblock         four copies of the few facts that name the rest; superblock-file writes them
 */
export type {
  CheckpointRequest,
  CheckpointResult,
  PublishedFacts,
} from "./checkpoint.ts";
export { chunkName, chunkOfName, chunkPath } from "./chunk-files.ts";
export type { PageStoreLimits } from "./limits.ts";
export { chunkOf, NOWHERE, offsetOf } from "./location.ts";
export { MemoryPageSpace } from "./memory-page-space.ts";
export type {
  PageSetChange,
  PageSpace,
  PageSpill,
  Snapshot,
  StagedCommit,
} from "./page-space.ts";
export {
  type CatalogueRows,
  openPageStore,
  type PageStore,
  type PageStoreOptions,
  type PageStoreStats,
} from "./page-store.ts";
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

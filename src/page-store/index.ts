/**
 * PAGE STORE: numbered pages through time.
 *
 *   page-store         opens a store's pages, replays, checkpoints, closes
 *   page-space         the seam to SQLite: pin, read, stage, seal
 *   memory-page-space  all versions in memory: the model of the real one
 *   database-pages     the pages of one database: overlay, map, cache and chunks put together
 *   commons            what the databases of a store share
 *   overlay            versions of pages above the checkpoint, and which of them are needed
 *   moments            commits that may be pinned, and those that are
 *   truncations        where a database became smaller, or changed the size of its pages
 *   staging            the commit between stage and seal
 *   sweeper            drops old versions, a little in each turn
 *   buffers            spare page buffers
 *   location           where an image lies, as one number
 *   page-map           page number → location, as of one checkpoint
 *   checkpoint         folds the log into chunks and a new manifest
 *   chunk-table        live shares of chunks, the sparse and the dead
 *   compaction         carries the pages of sparse chunks over
 *   chunk-writer       chunk files as they are written
 *   chunk-files        chunk files as they are read
 *   leftovers          what a crash left in chunks/ and tmp/
 *   slices             long work, in pieces
 *   superblock         four copies of the few facts that name the rest; superblock-file writes them
 */
export type {
  CatalogueChange,
  CheckpointRequest,
  CheckpointResult,
  PublishedFacts,
} from "./checkpoint.ts";
export { MemoryPageSpace } from "./memory-page-space.ts";
export type {
  PageSetChange,
  PageSpace,
  Snapshot,
  StagedCommit,
} from "./page-space.ts";
export {
  openPageStore,
  type PageStore,
  type PageStoreLimits,
  type PageStoreOptions,
  type PageStoreStats,
} from "./page-store.ts";
export type { Superblock, SuperblockFacts } from "./superblock.ts";
export { SuperblockFile, type SuperblockPlace } from "./superblock-file.ts";

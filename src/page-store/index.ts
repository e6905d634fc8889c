/**
 * PAGE STORE: numbered pages through time.
 *
 *   page-store         opens a store's pages, replays, gives them out, closes
 *   maintenance        checkpoints, collects, publishes the catalogue: what changes the manifest
 *   found-files        what lies in the directories when a store is opened
 *   limits             what it may take, and what it takes by default
 *   page-space         the seam to SQLite: pin, read, stage, seal
 *   memory-page-space  all versions in memory: the model of the real one
 *   databases          which there are, which are loaded, what each reads through
 *   database-pages     the pages of one database: overlay, map, cache and chunks put together
 *   missed-page        one that memory has not
 *   frozen-space       a database as it was at one moment
 *   commons            what the databases of a store share
 *   versions/          above the checkpoint: overlay, moments that are pinned (pins), staging of a
 *                      commit (page-frames: what the log gets of it), replay; truncations: where a
 *                      database became smaller; fork-base: what a fork reads through; sweeper drops
 *                      old versions, a little in each turn
 *   maps/              page number → location, in one state of a database: page-map, rows in memory
 *                      (row-shelf), the next state (map-edit, map-draft), which states there are
 *                      (map-versions), and which of them go (version-plan, version-drops)
 *   spill/             what a transaction has no memory for, in chunks of its own: spill writes,
 *                      spilled finds, adoption gives them to a checkpoint, spill-shelf after a crash
 *   checkpoint/        folds the log into chunks and a new manifest: parts are databases, shares are
 *                      what others write; publication: how it becomes what there is; flattening:
 *                      forks become independent of their origins; room: is there space; slices:
 *                      long work in pieces
 *   collection/        lets go of what nobody needs: chunk-table counts references, compaction carries
 *                      pages over, dead-files and leftovers go, the janitor sees to it
 *   chunks/            chunk files as they are written, read, read ahead (sequences) and scanned
 *   residency/         chunks whose files are in the bucket: what is fetched, and how (fetched-chunk,
 *                      bringer, page-plan), what a read throws that cannot wait (pages-away), what goes to
 *                      keep the disk within its budget, and how damaged files become whole
 *   superblock/        four copies of the few facts that name the rest
 */

export type {
  CheckpointRequest,
  CheckpointResult,
  PublishedFacts,
} from "./checkpoint/checkpoint-request.ts";
export type {
  CheckpointParticipant,
  CheckpointShare,
  ChunkWork,
  NewChunkFile,
  ShareChange,
} from "./checkpoint/shares.ts";
export { chunkName, chunkOfName, chunkPath } from "./chunks/chunk-files.ts";
export type { CollectReport } from "./collection/collection.ts";
export type { MapMoments } from "./databases.ts";
export type { PageStoreLimits } from "./limits.ts";
export { chunkOf, NOWHERE, offsetOf } from "./maps/location.ts";
export { MemoryPageSpace } from "./memory-page-space.ts";
export type {
  FrozenSpace,
  PageSetChange,
  PageSpace,
  PageSpill,
  Snapshot,
  StagedCommit,
} from "./page-space.ts";
export { openPageStore, type PageStore } from "./page-store.ts";
export { PagesAway } from "./residency/pages-away.ts";
export type {
  ByteRange,
  HealedChunk,
  RemoteChunks,
  RemoteVisit,
  ResidencyStats,
} from "./residency/remote-chunks.ts";
export type { Residency } from "./residency/residency.ts";
export {
  inspectSuperblock,
  SUPERBLOCK,
  type Superblock,
  type SuperblockFacts,
} from "./superblock/superblock.ts";
export { SuperblockFile, type SuperblockWrites } from "./superblock/superblock-file.ts";
export type { NewFork } from "./versions/pins.ts";

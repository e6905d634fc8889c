/** WHAT A PAGE STORE TELLS OF ITSELF, for people and for metrics. */
import type { Lsn } from "../base/units.ts";
import type { PageCacheStats } from "../page-cache/index.ts";

export interface PageStoreStats {
  readonly overlayBytes: number;
  /** Files that large transactions wrote and no checkpoint has taken over yet. */
  readonly spilledBytes: number;
  /** Large transactions since the store was opened, those that were recovered included. */
  readonly spilledCommits: number;
  readonly cache: PageCacheStats;
  readonly chunks: number;
  readonly chunkBytes: number;
  readonly checkpoints: number;
  readonly checkpointLsn: Lsn;
  readonly openSnapshots: number;
  /** Databases with commits above their page map. */
  readonly dirtyDatabases: number;
  /** Versions of page maps of databases that have two or more. */
  readonly mapVersions: number;
  /** Rows of page maps in memory. */
  readonly mapBytes: number;
  /** Chunks that only older states of databases, snapshots and forks need. */
  readonly heldChunks: number;
  /** Bytes of chunks per byte of pages in them that anybody can reach. */
  readonly amplification: number;
}

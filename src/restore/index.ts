/**
 * RESTORE: out of a bucket, back to a store or to a database.
 *
 *   points            which moments a bucket can give back, and what of it one is made of
 *   open-bucket       a bucket by its URL, for reading
 *   bucket            what is asked of it
 *
 *   store             a whole store: rows, log, chunks, superblock
 *     place             the directory, and what of it a restore that was cut off left
 *     chunk-downloads   chunk-check: is it the one that is wanted?
 *     log-files         cut: where the log ends; segments: batches as files
 *
 *   database          one database, as pages that are fetched when they are asked for
 *     family            its row and what it reads through, as of a moment
 *     database-rows     the rows that it needs; stream-commits: its part of the log
 *     bucket-chunks     chunks of a bucket as files; ranges: few and large requests
 *     page-locations    what to fetch before it is asked for
 */
export type { ReadableBucket } from "./bucket.ts";
export { type DatabaseRestore, openPastDatabase, type PastDatabase } from "./database.ts";
export { type BucketToRead, openBucket } from "./open-bucket.ts";
export {
  beginRestore,
  finishRestore,
  isStartCutOff,
  type RestorePlace,
  refuseUnfinishedRestore,
  whatOccupies,
} from "./place.ts";
export {
  type ListedPoint,
  momentGiven,
  type RestoreMoment,
  type RestorePoints,
  type RestoreRange,
  restorePoints,
} from "./points.ts";
export { restoreStore, type StoreRestore, type StoreRestoreReport } from "./store.ts";

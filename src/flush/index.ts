/**
 * FLUSH: from the log and the manifest to a bucket, and what lies there.
 *
 *   format/   the objects, as bytes: pure
 *     object-header     which object it is, and what it says of itself
 *     object-frame      header, body, tables, trailer
 *     log-object        a range of the log; index-object: which streams have commits in 256 of them
 *     manifest-object   rows of the manifest: a base, or changes; row-blocks: rows that can be read
 *                       by ranges of keys
 *     identity          store.json, and claims of epochs
 *     inspect-object    an object taken apart, damage and all
 *
 *   lineage/  who may write, and who wrote what
 *     bucket            numbered objects of one store
 *     claim-epoch       the first number that is free
 *     ending-core       finds where a sequence stops, and puts a fence there: pure
 *     take-over         ends all older writers; take-over-core: in which order
 *     numbered-writer   our numbers, until somebody fences us
 *     compare           is this disk the one that may go on? shared-content: how far it is the same
 *
 *   read/     what a bucket holds, for restore and for healing
 *     bucket-reader     states of the manifest and the log, at any moment that is kept
 *     object-reader     objects in parts, checked, counted
 *     object-map        which numbers there are; log-map, state-map: where an LSN lies
 *     log-reader        all of a range, or the commits of one stream; state-rows: rows, merged
 *     bounded           several requests at a time, results in order
 *
 *   fetch/    back from the bucket, while the store is open
 *     chunk-fetcher     parts of chunks; remote-places: where each of them lies
 *
 *   ship/     from this disk to the bucket
 *     flush-controller  carries it out; flush-state is its life, begin-epoch how an epoch begins
 *     wal-pump          the log, object by object; wal-schedule says when the next is due
 *     manifest-shipper  states of the manifest: chain-in-making, remembered, with-rows
 *     chunk-shipping    the chunks that they name; chunk-uploads: one of them
 *     bucket-garbage    what may be deleted there; retention plans it, bucket-view knows what is there
 *     remote-mark       how far the bucket is; shipped-waiters, alarm: who waits
 *     troubles          pauses, and dead-letters for what waiting does not mend
 *     bucket-archive    damaged segments of the log, made again
 *     ports             what it needs of layers that it does not know
 *     flush-stats, bucket-name
 */
export { ChunkFetcher } from "./fetch/chunk-fetcher.ts";
export {
  type BucketIdentity,
  decodeBucketIdentity,
  decodeEpochClaim,
  encodeBucketIdentity,
  encodeEpochClaim,
} from "./format/identity.ts";
export { decodeLogIndex, decodeRuns, LogIndexBuilder } from "./format/index-object.ts";
export { inspectObject, isNumberedObject } from "./format/inspect-object.ts";
export {
  decodeLogTables,
  encodeLogObject,
  readShippedBatch,
  type ShippedBatch,
  type SpilledChunk,
} from "./format/log-object.ts";
export { decodeManifestIndex, encodeManifestObject } from "./format/manifest-object.ts";
export { encodeFence, FENCE_BYTES } from "./format/object-frame.ts";
export { decodeObjectHeader, type LogHeader, type ObjectHeader } from "./format/object-header.ts";
export { decodeBlock, type RowChange } from "./format/row-blocks.ts";
export { Bucket, newPutId, readBucketIdentity } from "./lineage/bucket.ts";
export { claimEpoch } from "./lineage/claim-epoch.ts";
export { compareHistories, type DiskHistory, type EpochRow } from "./lineage/compare.ts";
export type { Lineage, PublishedState } from "./lineage/lineage.ts";
export { NumberedWriter } from "./lineage/numbered-writer.ts";
export { sharedContent } from "./lineage/shared-content.ts";
export { surveyAll, surveyLineage, takeOver } from "./lineage/take-over.ts";
export { BucketReader } from "./read/bucket-reader.ts";
export { BucketArchive } from "./ship/bucket-archive.ts";
export { bucketName } from "./ship/bucket-name.ts";
export { lettersOfRows } from "./ship/dead-letters.ts";
export { FlushController } from "./ship/flush-controller.ts";
export { ManifestShipper } from "./ship/manifest-shipper.ts";
export { keptOf, rememberedOf, waitsFrom } from "./ship/remembered.ts";

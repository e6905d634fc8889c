/**
 * TABLE OF REMOTE CHUNKS: chunks that lie in the bucket, and may be named by what is shipped.
 *
 *   key    chunk u64
 *   value  epoch u64, file bytes u64, born generation u64, named lsn u64
 *
 * (1) A row is written after its object was put. Its key in the bucket is made of chunk and epoch.
 * (2) No state that was shipped before the born generation names it.
 * (3) A chunk has a row here only while it has one among the chunks, or while the commit that spilled
 *     it (at the named LSN) lies above the checkpoint. Then the row turns into one of garbage
 *     (row-indexes.ts).
 */
import { type ChunkId, chunkId, type Lsn, lsn } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

/** A chunk that lies in the bucket. */
export interface RemoteChunkRow {
  readonly chunk: ChunkId;
  /** Of its key. */
  readonly epoch: number;
  readonly fileBytes: number;
  readonly bornGeneration: number;
  /** LSN up to which the log may name it; 0 if only the page map does. */
  readonly namedLsn: Lsn;
}

export const remoteChunks = defineTable({
  name: "remoteChunks",
  version: 1,
  keyOf: ({ chunk }: RemoteChunkRow) => chunk,
  writeKey: (chunk, into) => into.u64(chunk),
  readKey: (from) => chunkId(from.u64()),
  write(row, into) {
    into.u64(row.epoch).u64(row.fileBytes).u64(row.bornGeneration).u64(row.namedLsn);
  },
  read: (from, chunk): RemoteChunkRow => ({
    chunk,
    epoch: from.u64(),
    fileBytes: from.u64(),
    bornGeneration: from.u64(),
    namedLsn: lsn(from.u64()),
  }),
});

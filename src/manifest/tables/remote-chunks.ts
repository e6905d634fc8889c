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
import { chunkId, lsn } from "../../base/units.ts";
import type { RemoteChunkRow } from "../manifest.ts";
import { defineTable } from "../table.ts";

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

/**
 * TABLE OF CHUNKS: the files of checkpointed pages and records, and how much of each is needed.
 *
 *   key    chunk u64
 *   value  kind u8, file bytes u64, page count u32, live pages u32, references u32
 *
 * (1) Persistent: the numbers of kinds are never changed or used again.
 */
import { type ChunkId, chunkId } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

export interface ChunkRow {
  readonly chunk: ChunkId;
  readonly kind: "pages" | "records";
  readonly fileBytes: number;
  readonly pageCount: number;
  /**
   * Locations that the newest versions of page maps name in it; of a chunk of records its entries in
   * use. A hint for what is worth rewriting.
   */
  readonly livePages: number;
  /**
   * Locations that all rows of the page map name in it, of every stream and version: forks and
   * versions may name a page many times. Of a chunk of records 1. At 0 the row goes.
   */
  readonly references: number;
}

const KINDS = { pages: 1, records: 2 } as const;

export const chunks = defineTable({
  name: "chunks",
  version: 2,
  keyOf: ({ chunk }: ChunkRow) => chunk,
  writeKey: (chunk, into) => into.u64(chunk),
  readKey: (from) => chunkId(from.u64()),
  write({ kind, fileBytes, pageCount, livePages, references }, into) {
    into.u8(KINDS[kind]).u64(fileBytes).u32(pageCount).u32(livePages).u32(references);
  },
  read(from, chunk): ChunkRow {
    const kind = from.oneOf(KINDS, "kind of chunk");
    const sizes = { fileBytes: from.u64(), pageCount: from.u32(), livePages: from.u32() };
    return { chunk, kind, ...sizes, references: from.u32() };
  },
});

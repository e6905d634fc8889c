/**
 * A WHOLE CHUNK, checked from end to end: for verification and for rebuilding what the manifest
 * knows. Serving a page needs none of this (see page-record.ts).
 *
 * (1) Every byte of the file is covered by a checksum or must be zero, so a change anywhere is seen.
 * (2) Header, directory, footer and records tell one story: see chunk-parts.ts.
 */
import { assert } from "../base/assert.ts";
import { type ChunkEntry, decodeEntries } from "./chunk-directory.ts";
import type { ChunkHeader } from "./chunk-header.ts";
import { RecordsInOrder, readEnds } from "./chunk-parts.ts";
import { pageSeed, recordClaims, recordImage } from "./page-record.ts";

export interface WholeChunk {
  readonly header: ChunkHeader;
  readonly entries: readonly ChunkEntry[];
  /** The image of an entry of this chunk. A view, unless it was packed. */
  readonly image: (entry: ChunkEntry) => Uint8Array;
}

/** The chunk in `bytes`; a string says why there is none. */
export function decodeChunk(bytes: Uint8Array): WholeChunk | string {
  const ends = readEnds(bytes);
  if (typeof ends === "string") return ends;
  const { header, directory } = ends;
  const entries = decodeEntries(directory);
  if (typeof entries === "string") return entries;
  const records = new RecordsInOrder(bytes, header, recordImage);
  for (const entry of entries) {
    const why = records.next(entry);
    if (why !== undefined) return why;
  }
  const why = records.finish();
  if (why !== undefined) return why;
  const seed = pageSeed(header.storeId, header.chunk);
  return { header, entries, image: (entry) => imageOf(bytes, header, { ...entry, seed }) };
}

function imageOf(
  bytes: Uint8Array,
  { codec }: ChunkHeader,
  { offset, recordBytes, stream, pageNumber, seed }: ChunkEntry & { readonly seed: number },
): Uint8Array {
  const record = bytes.subarray(offset, offset + recordBytes);
  const imageBytes = recordClaims(record, codec)?.imageBytes ?? 0;
  const found = recordImage(record, { stream, pageNumber, imageBytes, seed, codec });
  assert(typeof found !== "string", "a record that was checked has an image");
  return found;
}

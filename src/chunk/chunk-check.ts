/**
 * A CHUNK CHECKED PIECE BY PIECE, before it is passed on: that every byte of it is as it was written,
 * and that it is the chunk that it is said to be.
 *
 * (1) Between two pieces it yields, so that whoever asks can let others run: a chunk has up to 64 MiB.
 * (2) Images that were packed are not unpacked: their checksum is over the packed bytes.
 * (3) Any bytes give an answer. A chunk that `decodeChunk` refuses is refused here, but for what only
 *     unpacking shows.
 */
import type { ChunkId } from "../base/units.ts";
import { DIRECTORY_ENTRY, decodeEntries } from "./chunk-directory.ts";
import { RecordsInOrder, readEnds } from "./chunk-parts.ts";
import { decodeFileHeader } from "./file-header.ts";
import { packedImage, pageSeed, recordImage } from "./page-record.ts";
import { decodeRecordDirectory, decodeRecordHeader, recordBlockBody } from "./record-chunk.ts";

export interface ExpectedChunk {
  readonly storeId: Uint8Array;
  readonly chunk: ChunkId;
}

/** Entries that are looked at in one piece. */
const ENTRIES_AT_ONCE = 512;

/** What is wrong with it; undefined if nothing is. */
export function* checkChunk(
  bytes: Uint8Array,
  expected: ExpectedChunk,
): Generator<void, string | undefined> {
  const answer = decodeFileHeader(bytes);
  if (answer.type === "newer") return `${answer.found}; ${answer.supported} is supported`;
  if (answer.type === "zero") return "zeros: the chunk was never finished";
  if (answer.type === "bad") return answer.why;
  const { storeId, sequence, kind } = answer.header;
  if (Buffer.compare(storeId, expected.storeId) !== 0) return "it belongs to another store";
  if (sequence !== expected.chunk) return `chunk ${sequence} lies in its place`;
  return kind === "records" ? yield* checkRecords(bytes) : yield* checkPages(bytes);
}

function* checkPages(bytes: Uint8Array): Generator<void, string | undefined> {
  const ends = readEnds(bytes);
  if (typeof ends === "string") return ends;
  const { header, directory } = ends;
  const readStored = header.codec === "none" ? recordImage : packedImage;
  const records = new RecordsInOrder(bytes, header, readStored);
  const step = ENTRIES_AT_ONCE * DIRECTORY_ENTRY.sizeBytes;
  for (let at = 0; at < directory.length; at += step) {
    const entries = decodeEntries(directory.subarray(at, at + step));
    if (typeof entries === "string") return entries;
    for (const entry of entries) {
      const why = records.next(entry);
      if (why !== undefined) return why;
      yield;
    }
  }
  return records.finish();
}

function* checkRecords(bytes: Uint8Array): Generator<void, string | undefined> {
  const header = decodeRecordHeader(bytes);
  if (typeof header === "string") return header;
  const blocks = decodeRecordDirectory(bytes.subarray(header.directoryOffset), header);
  if (typeof blocks === "string") return blocks;
  const seed = pageSeed(header.storeId, header.chunk as ChunkId);
  for (const entry of blocks) {
    const body = recordBlockBody(bytes.subarray(entry.offset), { entry, seed });
    if (typeof body === "string") return body;
    yield;
  }
  return undefined;
}

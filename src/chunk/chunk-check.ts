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
import {
  type ChunkEntry,
  DIRECTORY_ENTRY,
  decodeEntries,
  decodeFooter,
  directoryProblem,
  FOOTER,
} from "./chunk-directory.ts";
import { CHUNK_BODY_OFFSET, type ChunkHeader, decodeHeader } from "./chunk-header.ts";
import { decodeFileHeader } from "./file-header.ts";
import {
  imageOffset,
  packedImage,
  pageSeed,
  recordBytes,
  recordClaims,
  recordImage,
  recordLsn,
} from "./page-record.ts";
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
  const answer = decodeHeader(bytes);
  if (answer.type === "newer") return `${answer.found}; ${answer.supported} is supported`;
  if (answer.type === "bad") return answer.why;
  const { header } = answer;
  if (bytes.length < CHUNK_BODY_OFFSET + FOOTER.sizeBytes) return "shorter than a chunk";
  const footerAt = bytes.length - FOOTER.sizeBytes;
  const footer = decodeFooter(bytes.subarray(footerAt));
  if (typeof footer === "string") return footer;
  if (
    footer.chunk !== header.chunk ||
    footer.pageCount !== header.pageCount ||
    footer.directoryOffset !== header.directoryOffset ||
    footer.fileBytes !== bytes.length
  ) {
    return "header and footer disagree";
  }
  const directory = bytes.subarray(Math.min(header.directoryOffset, footerAt), footerAt);
  const why = directoryProblem(directory, footer);
  if (why !== undefined) return why;
  const step = ENTRIES_AT_ONCE * DIRECTORY_ENTRY.sizeBytes;
  const families = new Set<number>();
  let end: number = CHUNK_BODY_OFFSET;
  for (let at = 0; at < directory.length; at += step) {
    const entries = decodeEntries(directory.subarray(at, at + step));
    if (typeof entries === "string") return entries;
    for (const entry of entries) {
      if (entry.offset !== end) return "records do not lie one behind the other";
      end += entry.recordBytes;
      if (end > header.directoryOffset) return "a record reaches into the directory";
      const wrong = pageProblem(bytes.subarray(entry.offset, end), entry, header);
      if (wrong !== undefined) return wrong;
      families.add(entry.stream);
      yield;
    }
  }
  if (families.size !== header.streamCount) return "number of families";
  return end === header.directoryOffset ? undefined : "a gap before the directory";
}

function pageProblem(
  record: Uint8Array,
  entry: ChunkEntry,
  { storeId, chunk, codec, pageBytes, firstLsn, lastLsn }: ChunkHeader,
): string | undefined {
  const claims = recordClaims(record, codec);
  if (claims === undefined) return "length of a record";
  const { imageBytes, storedBytes, crc } = claims;
  if (pageBytes !== 0 && imageBytes !== pageBytes) return "size of a page";
  const { stream, pageNumber } = entry;
  const expected = { stream, pageNumber, imageBytes, seed: pageSeed(storeId, chunk), codec };
  const found = codec === "none" ? recordImage(record, expected) : packedImage(record, expected);
  if (typeof found === "string") return found;
  if (entry.lsn < firstLsn || entry.lsn > lastLsn) return "range of lsns";
  const agrees =
    recordBytes(storedBytes, codec) === entry.recordBytes &&
    entry.isPacked === storedBytes < imageBytes &&
    recordLsn(record) === entry.lsn &&
    crc === entry.crc;
  if (!agrees) return "a record and its entry disagree";
  const padding = record.subarray(imageOffset(codec) + storedBytes);
  return padding.some((byte) => byte !== 0) ? "padding" : undefined;
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

/**
 * A WHOLE CHUNK, checked from end to end: for verification and for rebuilding what the manifest
 * knows. Serving a page needs none of this (see page-record.ts).
 *
 * (1) Every byte of the file is covered by a checksum or must be zero, so a change anywhere is seen.
 * (2) Header, directory, footer and records must tell one story.
 */
import { assert } from "../base/assert.ts";
import { type ChunkEntry, decodeDirectory, decodeFooter, FOOTER } from "./chunk-directory.ts";
import { CHUNK_BODY_OFFSET, type ChunkHeader, decodeHeader } from "./chunk-header.ts";
import {
  imageOffset,
  pageSeed,
  recordBytes,
  recordClaims,
  recordImage,
  recordLsn,
} from "./page-record.ts";

export interface WholeChunk {
  readonly header: ChunkHeader;
  readonly entries: readonly ChunkEntry[];
  /** The image of an entry of this chunk. A view, unless it was packed. */
  readonly image: (entry: ChunkEntry) => Uint8Array;
}

/** The chunk in `bytes`; a string says why there is none. */
export function decodeChunk(bytes: Uint8Array): WholeChunk | string {
  const answer = decodeHeader(bytes);
  if (answer.type === "newer") return `${answer.found}; ${answer.supported} is supported`;
  if (answer.type === "bad") return answer.why;
  const { header } = answer;
  if (bytes.length < CHUNK_BODY_OFFSET + FOOTER.sizeBytes) return "shorter than a chunk";
  const footer = decodeFooter(bytes.subarray(bytes.length - FOOTER.sizeBytes));
  if (typeof footer === "string") return footer;
  if (
    footer.chunk !== header.chunk ||
    footer.pageCount !== header.pageCount ||
    footer.directoryOffset !== header.directoryOffset ||
    footer.fileBytes !== bytes.length
  ) {
    return "header and footer disagree";
  }
  const directory = bytes.subarray(header.directoryOffset, bytes.length - FOOTER.sizeBytes);
  const entries = decodeDirectory(directory, footer);
  if (typeof entries === "string") return entries;
  const why = checkCounts(header, entries) ?? checkRecords({ bytes, header, entries });
  if (why !== undefined) return why;
  const image = (entry: ChunkEntry) => {
    const record = recordOf(bytes, entry);
    const found = imageOf(record, { header, entry, seed: pageSeed(header.storeId, header.chunk) });
    assert(typeof found !== "string", "a record that was checked has an image");
    return found;
  };
  return { header, entries, image };
}

function checkCounts(header: ChunkHeader, entries: readonly ChunkEntry[]): string | undefined {
  const streams = new Set(entries.map(({ stream }) => stream));
  return streams.size === header.streamCount ? undefined : "number of families";
}

/** Undefined if every record is what its entry says, and they lie one behind the other. */
function checkRecords(chunk: {
  readonly bytes: Uint8Array;
  readonly header: ChunkHeader;
  readonly entries: readonly ChunkEntry[];
}): string | undefined {
  const { bytes, header, entries } = chunk;
  const seed = pageSeed(header.storeId, header.chunk);
  let end = CHUNK_BODY_OFFSET;
  for (const entry of entries) {
    if (entry.offset !== end) return "records do not lie one behind the other";
    end += entry.recordBytes;
    if (entry.lsn < header.firstLsn || entry.lsn > header.lastLsn) return "range of lsns";
    if (end > header.directoryOffset) return "a record reaches into the directory";
    const why = checkRecord(recordOf(bytes, entry), { header, entry, seed });
    if (why !== undefined) return why;
  }
  return end === header.directoryOffset ? undefined : "a gap before the directory";
}

interface RecordContext {
  readonly header: ChunkHeader;
  readonly entry: ChunkEntry;
  readonly seed: number;
}

function checkRecord(record: Uint8Array, context: RecordContext): string | undefined {
  const { header, entry } = context;
  const { codec, pageBytes } = header;
  const claims = recordClaims(record, codec);
  if (claims === undefined) return "length of a record";
  const { imageBytes, storedBytes, crc } = claims;
  if (pageBytes !== 0 && imageBytes !== pageBytes) return "size of a page";
  const image = imageOf(record, context);
  if (typeof image === "string") return image;
  if (recordBytes(storedBytes, codec) !== entry.recordBytes) return "length of a record";
  if (entry.isPacked !== storedBytes < imageBytes) return "a record and its entry disagree";
  if (recordLsn(record) !== entry.lsn) return "lsn of a record";
  if (crc !== entry.crc) return "a record and its entry disagree";
  const paddingAt = imageOffset(codec) + storedBytes;
  return record.subarray(paddingAt).some((byte) => byte !== 0) ? "padding" : undefined;
}

function imageOf(record: Uint8Array, { header, entry, seed }: RecordContext): Uint8Array | string {
  const { stream, pageNumber } = entry;
  const { codec } = header;
  const imageBytes = recordClaims(record, codec)?.imageBytes ?? 0;
  return recordImage(record, { stream, pageNumber, imageBytes, seed, codec });
}

function recordOf(bytes: Uint8Array, { offset, recordBytes: size }: ChunkEntry): Uint8Array {
  return bytes.subarray(offset, offset + size);
}

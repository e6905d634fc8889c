/**
 * A WHOLE CHUNK, checked from end to end: for verification and for rebuilding what the manifest
 * knows. Serving a page needs none of this (see page-record.ts).
 *
 * (1) Every byte of the file is covered by a checksum or must be zero, so a change anywhere is seen.
 * (2) Header, directory, footer and records must tell one story.
 */
import { type ChunkEntry, decodeDirectory, decodeFooter, FOOTER } from "./chunk-directory.ts";
import { CHUNK_BODY_OFFSET, type ChunkHeader, decodeHeader } from "./chunk-header.ts";
import { pageSeed, RECORD, recordBytes, recordImage, recordLsn } from "./page-record.ts";

export interface WholeChunk {
  readonly header: ChunkHeader;
  readonly entries: readonly ChunkEntry[];
  /** The image of an entry of this chunk. A view. */
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
  const imageAt = RECORD.sizeBytes;
  const image = ({ offset }: ChunkEntry) =>
    bytes.subarray(offset + imageAt, offset + imageAt + imageBytes(bytes, offset));
  return { header, entries, image };
}

function checkCounts(header: ChunkHeader, entries: readonly ChunkEntry[]): string | undefined {
  const streams = new Set(entries.map(({ stream }) => stream));
  return streams.size === header.streamCount ? undefined : "number of databases";
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
    const record = bytes.subarray(entry.offset, end);
    const { stream, pageNumber } = entry;
    const length = imageBytes(bytes, entry.offset);
    if (header.pageBytes !== 0 && length !== header.pageBytes) return "size of a page";
    const image = recordImage(record, { stream, pageNumber, imageBytes: length, seed });
    if (typeof image === "string") return image;
    if (recordBytes(length) !== entry.recordBytes) return "length of a record";
    if (recordLsn(record) !== entry.lsn) return "lsn of a record";
    if (recordCrc(record) !== entry.crc) return "a record and its entry disagree";
    if (record.subarray(RECORD.sizeBytes + length).some((byte) => byte !== 0)) return "padding";
  }
  return end === header.directoryOffset ? undefined : "a gap before the directory";
}

function imageBytes(bytes: Uint8Array, recordOffset: number): number {
  const at = recordOffset + RECORD.offset.imageBytes;
  if (at + Uint32Array.BYTES_PER_ELEMENT > bytes.length) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0, true);
}

function recordCrc(record: Uint8Array): number {
  return new DataView(record.buffer, record.byteOffset).getUint32(RECORD.offset.crc, true);
}

/**
 * PAGE RECORD: one page as it lies in a chunk. Little-endian.
 *
 *   offset  size  field       meaning
 *        0     4  crc         CRC-32, seeded, of the header behind this field and of the image
 *        4     4  imageBytes  length of the image that follows
 *        8     4  stream      database that the page belongs to
 *       12     4  pageNumber  1 is the first page of a database
 *       16     8  lsn         the commit that wrote this version
 *
 * The image follows, then zeros up to the next multiple of 8.
 *
 * (1) A record proves itself: one read and one checksum serve a page, without the directory.
 * (2) The checksum is seeded with store and chunk, and covers stream and page number: the right
 *     bytes in the wrong place are refused like wrong bytes.
 */
import { crc32 } from "node:zlib";
import { layout, readU64, writeU64 } from "../base/layout.ts";
import type { ChunkId, Lsn } from "../base/units.ts";
import { roundUp } from "../base/units.ts";

export const RECORD = layout(24, [
  ["crc", "u32", "CRC-32, seeded, of the header behind this field and of the image"],
  ["imageBytes", "u32", "length of the image that follows"],
  ["stream", "u32", "database that the page belongs to"],
  ["pageNumber", "u32", "1 is the first page of a database"],
  ["lsn", "u64", "the commit that wrote this version"],
]);

/** Locations count in steps of this many bytes. */
const ALIGN_BYTES = 8;

export interface PageAddress {
  readonly stream: number;
  readonly pageNumber: number;
}

/** Bytes that a page of `imageBytes` takes in a chunk, header and padding included. */
export function recordBytes(imageBytes: number): number {
  return roundUp(RECORD.sizeBytes + imageBytes, ALIGN_BYTES);
}

/** See (2). Computed once for a chunk. */
export function pageSeed(storeId: Uint8Array, chunk: ChunkId): number {
  const id = new DataView(new ArrayBuffer(8));
  writeU64(id, 0, chunk);
  return crc32(new Uint8Array(id.buffer), crc32(storeId));
}

export interface RecordToEncode extends PageAddress {
  readonly lsn: Lsn;
  readonly image: Uint8Array;
  readonly seed: number;
}

/** Writes a record to the beginning of `into`, padding included; returns its crc. */
export function encodeRecord(into: Uint8Array, record: RecordToEncode): number {
  const { offset, sizeBytes } = RECORD;
  const { image } = record;
  const view = new DataView(into.buffer, into.byteOffset, sizeBytes);
  view.setUint32(offset.imageBytes, image.length, true);
  view.setUint32(offset.stream, record.stream, true);
  view.setUint32(offset.pageNumber, record.pageNumber, true);
  writeU64(view, offset.lsn, record.lsn);
  into.set(image, sizeBytes);
  into.fill(0, sizeBytes + image.length, recordBytes(image.length));
  const crc = crc32(into.subarray(offset.imageBytes, sizeBytes + image.length), record.seed);
  view.setUint32(offset.crc, crc, true);
  return crc;
}

export interface RecordExpected extends PageAddress {
  readonly imageBytes: number;
  readonly seed: number;
}

/**
 * The image in the record at the beginning of `from`: a view, not a copy. A string says why there is
 * none.
 */
export function recordImage(from: Uint8Array, expected: RecordExpected): Uint8Array | string {
  const { offset, sizeBytes } = RECORD;
  const end = sizeBytes + expected.imageBytes;
  if (from.length < end) return "the file ends within the page";
  const view = new DataView(from.buffer, from.byteOffset, sizeBytes);
  if (view.getUint32(offset.imageBytes, true) !== expected.imageBytes) return "length of the page";
  const crc = crc32(from.subarray(offset.imageBytes, end), expected.seed);
  if (view.getUint32(offset.crc, true) !== crc) return "checksum of the page";
  if (
    view.getUint32(offset.stream, true) !== expected.stream ||
    view.getUint32(offset.pageNumber, true) !== expected.pageNumber
  ) {
    return "another page lies in its place";
  }
  return from.subarray(sizeBytes, end);
}

/** LSN of a record that `recordImage` accepted; undefined if it is no number of ours. */
export function recordLsn(from: Uint8Array): number | undefined {
  return readU64(new DataView(from.buffer, from.byteOffset, RECORD.sizeBytes), RECORD.offset.lsn);
}

/**
 * PAGE RECORD: one page as it lies in a chunk. Little-endian.
 *
 *   offset  size  field       meaning
 *        0     4  crc         CRC-32, seeded, of all that follows, to the end of the stored image
 *        4     4  imageBytes  length of the page's image
 *        8     4  family      of databases that the page belongs to: the stream of its first
 *       12     4  pageNumber  1 is the first page of a database
 *       16     8  lsn         the commit that wrote this version
 *
 * In a chunk that has a codec, the header of every record goes on:
 *
 *   offset  size  field        meaning
 *        0     4  storedBytes  length of the stored image; less than imageBytes: it is packed
 *        4     4  imageCrc     CRC-32 of the image
 *
 * The stored image follows, then zeros up to the next multiple of 8.
 *
 * (1) A record proves itself: one read and one checksum serve a page, without the directory.
 * (2) The checksum is seeded with store and chunk, and covers family and page number: the right
 *     bytes in the wrong place are refused like wrong bytes.
 * (3) The number is that of the family, and not of the database that wrote the page: whoever was
 *     forked from it reads it too, and checks it as strictly.
 * (4) An image that is packed was made smaller with the chunk's codec, by an eighth or more, and is
 *     checked once more when it is whole again.
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { layout, readU64, writeU64 } from "../base/layout.ts";
import type { ChunkId, Lsn } from "../base/units.ts";
import { roundUp } from "../base/units.ts";
import type { ImageCodec } from "./file-header.ts";
import { type PackedImage, unpackImage } from "./packing.ts";

export const RECORD = layout(24, [
  ["crc", "u32", "CRC-32, seeded, of all that follows, to the end of the stored image"],
  ["imageBytes", "u32", "length of the page's image"],
  ["family", "u32", "of databases that the page belongs to: the stream of its first"],
  ["pageNumber", "u32", "1 is the first page of a database"],
  ["lsn", "u64", "the commit that wrote this version"],
]);

export const PACKING = layout(8, [
  ["storedBytes", "u32", "length of the stored image; less than imageBytes: it is packed"],
  ["imageCrc", "u32", "CRC-32 of the image"],
]);

/** Locations count in steps of this many bytes. */
const ALIGN_BYTES = 8;
/** Of SQLite. What claims to be larger is not inflated to see. */
const IMAGE_BYTES_MAX = 65_536;

export interface PageAddress {
  /** Of the family. */
  readonly stream: number;
  readonly pageNumber: number;
}

/** Where the stored image of a record begins, in bytes from the record's beginning. */
export function imageOffset(codec: ImageCodec): number {
  return codec === "none" ? RECORD.sizeBytes : RECORD.sizeBytes + PACKING.sizeBytes;
}

/** Bytes that a page takes in a chunk, header and padding included. */
export function recordBytes(storedBytes: number, codec: ImageCodec = "none"): number {
  return roundUp(imageOffset(codec) + storedBytes, ALIGN_BYTES);
}

/** See (2). Computed once for a chunk. */
export function pageSeed(storeId: Uint8Array, chunk: ChunkId): number {
  const id = new DataView(new ArrayBuffer(8));
  writeU64(id, 0, chunk);
  return crc32(new Uint8Array(id.buffer), crc32(storeId));
}

interface RecordPlace extends PageAddress {
  readonly lsn: Lsn;
  readonly seed: number;
}

export interface RecordToEncode extends RecordPlace {
  readonly image: Uint8Array;
}

export interface PackedToEncode extends RecordPlace {
  readonly packed: PackedImage;
}

/** Writes a record of a chunk without a codec to the beginning of `into`; returns its crc. */
export function encodeRecord(into: Uint8Array, record: RecordToEncode): number {
  const { image } = record;
  return finishRecord(into, record, { imageBytes: image.length, stored: image, codec: "none" });
}

/** The same for a chunk with one. */
export function encodePackedRecord(into: Uint8Array, record: PackedToEncode): number {
  const { imageBytes, imageCrc, stored } = record.packed;
  assert(stored.length <= imageBytes, "an image is stored in no more bytes than it has");
  const view = new DataView(into.buffer, into.byteOffset + RECORD.sizeBytes, PACKING.sizeBytes);
  view.setUint32(PACKING.offset.storedBytes, stored.length, true);
  view.setUint32(PACKING.offset.imageCrc, imageCrc, true);
  return finishRecord(into, record, { imageBytes, stored, codec: "deflate" });
}

interface Stored {
  readonly imageBytes: number;
  readonly stored: Uint8Array;
  readonly codec: ImageCodec;
}

function finishRecord(into: Uint8Array, place: RecordPlace, content: Stored): number {
  const { offset, sizeBytes } = RECORD;
  const { imageBytes, stored, codec } = content;
  const view = new DataView(into.buffer, into.byteOffset, sizeBytes);
  view.setUint32(offset.imageBytes, imageBytes, true);
  view.setUint32(offset.family, place.stream, true);
  view.setUint32(offset.pageNumber, place.pageNumber, true);
  writeU64(view, offset.lsn, place.lsn);
  const at = imageOffset(codec);
  into.set(stored, at);
  into.fill(0, at + stored.length, recordBytes(stored.length, codec));
  const crc = crc32(into.subarray(offset.imageBytes, at + stored.length), place.seed);
  view.setUint32(offset.crc, crc, true);
  return crc;
}

export interface RecordExpected extends PageAddress {
  readonly imageBytes: number;
  readonly seed: number;
  /** Of the chunk. Absent is "none". */
  readonly codec?: ImageCodec;
}

/**
 * The image in the record at the beginning of `from`: a view, unless it was packed. A string says
 * why there is none.
 */
export function recordImage(from: Uint8Array, expected: RecordExpected): Uint8Array | string {
  if (expected.codec !== undefined && expected.codec !== "none") {
    const packed = packedImage(from, expected);
    return typeof packed === "string" ? packed : unpackImage(packed);
  }
  return storedImage(from, expected, RECORD.sizeBytes + expected.imageBytes);
}

/** The image as it lies in a record of a chunk that has a codec: a view. */
export function packedImage(from: Uint8Array, expected: RecordExpected): PackedImage | string {
  const { imageBytes } = expected;
  const at = imageOffset("deflate");
  if (from.length < at) return "the file ends within the page";
  if (imageBytes > IMAGE_BYTES_MAX) return "length of the page";
  const view = new DataView(from.buffer, from.byteOffset + RECORD.sizeBytes, PACKING.sizeBytes);
  const storedBytes = view.getUint32(PACKING.offset.storedBytes, true);
  if (storedBytes > imageBytes) return "length of the stored page";
  const image = storedImage(from, expected, at + storedBytes);
  if (typeof image === "string") return image;
  const imageCrc = view.getUint32(PACKING.offset.imageCrc, true);
  return { imageBytes, imageCrc, stored: image.subarray(PACKING.sizeBytes) };
}

/** What lies behind the fields of `RECORD` up to `end`, if it is what is expected. */
function storedImage(from: Uint8Array, expected: RecordExpected, end: number): Uint8Array | string {
  const { offset, sizeBytes } = RECORD;
  if (from.length < end) return "the file ends within the page";
  const view = new DataView(from.buffer, from.byteOffset, sizeBytes);
  if (view.getUint32(offset.imageBytes, true) !== expected.imageBytes) return "length of the page";
  const crc = crc32(from.subarray(offset.imageBytes, end), expected.seed);
  if (view.getUint32(offset.crc, true) !== crc) return "checksum of the page";
  if (
    view.getUint32(offset.family, true) !== expected.stream ||
    view.getUint32(offset.pageNumber, true) !== expected.pageNumber
  ) {
    return "another page lies in its place";
  }
  return from.subarray(sizeBytes, end);
}

/** Fields of a record that have not been checked; undefined if there is none. */
export function recordClaims(
  from: Uint8Array,
  codec: ImageCodec,
): { readonly imageBytes: number; readonly storedBytes: number; readonly crc: number } | undefined {
  if (from.length < imageOffset(codec)) return undefined;
  const view = new DataView(from.buffer, from.byteOffset, imageOffset(codec));
  const imageBytes = view.getUint32(RECORD.offset.imageBytes, true);
  const storedAt = RECORD.sizeBytes + PACKING.offset.storedBytes;
  const storedBytes = codec === "none" ? imageBytes : view.getUint32(storedAt, true);
  return { imageBytes, storedBytes, crc: view.getUint32(RECORD.offset.crc, true) };
}

/** LSN of a record that `recordImage` accepted; undefined if it is no number of ours. */
export function recordLsn(from: Uint8Array): number | undefined {
  return readU64(new DataView(from.buffer, from.byteOffset, RECORD.sizeBytes), RECORD.offset.lsn);
}

/**
 * SEGMENT: one preallocated file of the log. A header in its first block, batches behind it, and
 * behind the last of them whatever was there before. Little-endian.
 *
 *   offset  size  field       meaning
 *        0     4  magic       0x43504f42: the bytes B O P C
 *        4     2  version     format version, 1
 *        6     1  kind        1: a segment of the log
 *        7     1  reserved    0
 *        8     4  blockBytes  what batches are padded to, and where the first one begins
 *       12    16  storeId     the store that the segment belongs to
 *       28     8  sequence    names the file; never used twice
 *       36     8  firstLsn    LSN of the first batch
 *       44     8  durableLsn  what was durable when the segment was taken into use
 *       52     8  createdMs   when it was taken into use, milliseconds since 1970
 *       60     4  checksum    CRC-32 of the fields above
 *
 * (1) The file is named by its sequence, which is never used twice. A recycled file gets its new
 *     name long before its new header, so a header of an older sequence, or zeros, is a spare.
 * (2) A segment ends where the next one's `firstLsn` says, whatever lies behind.
 * (3) What lies below `durableLsn` is durable, here or in the segments before. The header is synced
 *     before the first batch is issued, and in a segment that takes over copied batches, after them.
 */
import { crc32 } from "node:zlib";
import { layout, readU64, writeU64 } from "../base/layout.ts";

export const SEGMENT_HEADER = layout(64, [
  ["magic", "u32", "0x43504f42: the bytes B O P C"],
  ["version", "u16", "format version, 1"],
  ["kind", "u8", "1: a segment of the log"],
  ["reserved", "zero[1]", "0"],
  ["blockBytes", "u32", "what batches are padded to, and where the first one begins"],
  ["storeId", "bytes[16]", "the store that the segment belongs to"],
  ["sequence", "u64", "names the file; never used twice"],
  ["firstLsn", "u64", "LSN of the first batch"],
  ["durableLsn", "u64", "what was durable when the segment was taken into use"],
  ["createdMs", "u64", "when it was taken into use, milliseconds since 1970"],
  ["checksum", "u32", "CRC-32 of the fields above"],
]);

/** The physical block of the device: an acknowledged block is never written again. */
export const BLOCK_BYTES = 4096;
export const STORE_ID_BYTES = 16;
const SEGMENT_MAGIC = 0x43504f42;
const SEGMENT_VERSION = 1;
const SEGMENT_KIND = 1;

export interface SegmentHeader {
  readonly storeId: Uint8Array;
  readonly sequence: number;
  readonly firstLsn: number;
  readonly durableLsn: number;
  readonly createdMs: number;
}

export type DecodedSegmentHeader =
  | { readonly type: "header"; readonly header: SegmentHeader }
  | { readonly type: "zero" }
  | { readonly type: "damaged" }
  | { readonly type: "foreign"; readonly found: string };

/** The whole first block. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const { offset } = SEGMENT_HEADER;
  const block = new Uint8Array(BLOCK_BYTES);
  const view = new DataView(block.buffer);
  view.setUint32(offset.magic, SEGMENT_MAGIC, true);
  view.setUint16(offset.version, SEGMENT_VERSION, true);
  view.setUint8(offset.kind, SEGMENT_KIND);
  view.setUint32(offset.blockBytes, BLOCK_BYTES, true);
  block.set(header.storeId, offset.storeId);
  writeU64(view, offset.sequence, header.sequence);
  writeU64(view, offset.firstLsn, header.firstLsn);
  writeU64(view, offset.durableLsn, header.durableLsn);
  writeU64(view, offset.createdMs, header.createdMs);
  view.setUint32(offset.checksum, crc32(block.subarray(0, offset.checksum)), true);
  return block;
}

export function decodeSegmentHeader(block: Uint8Array): DecodedSegmentHeader {
  const { offset, sizeBytes } = SEGMENT_HEADER;
  if (block.length < sizeBytes) return { type: "damaged" };
  if (block.every((byte) => byte === 0)) return { type: "zero" };
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const checksum = view.getUint32(offset.checksum, true);
  if (crc32(block.subarray(0, offset.checksum)) !== checksum) return { type: "damaged" };
  if (view.getUint32(offset.magic, true) !== SEGMENT_MAGIC) return { type: "damaged" };
  const found = `format ${view.getUint16(offset.version, true)}, blocks of ${view.getUint32(
    offset.blockBytes,
    true,
  )} bytes, kind ${view.getUint8(offset.kind)}`;
  if (found !== SUPPORTED) return { type: "foreign", found };
  const [sequence, firstLsn, durableLsn, createdMs] = [
    readU64(view, offset.sequence),
    readU64(view, offset.firstLsn),
    readU64(view, offset.durableLsn),
    readU64(view, offset.createdMs),
  ];
  if (sequence === undefined || firstLsn === undefined) return { type: "damaged" };
  if (durableLsn === undefined || createdMs === undefined) return { type: "damaged" };
  const storeId = block.slice(offset.storeId, offset.storeId + STORE_ID_BYTES);
  return { type: "header", header: { storeId, sequence, firstLsn, durableLsn, createdMs } };
}

/** What this version reads, in the words of `found`. */
export const SUPPORTED = `format ${SEGMENT_VERSION}, blocks of ${BLOCK_BYTES} bytes, kind ${SEGMENT_KIND}`;

export const segmentFileName = (sequence: number): string =>
  `${sequence.toString(16).padStart(16, "0")}.wal`;

/** The sequence in a file's name; undefined for the names of other files. */
export function sequenceInName(name: string): number | undefined {
  const hex = /^([0-9a-f]{16})\.wal$/.exec(name)?.[1];
  const sequence = hex === undefined ? undefined : Number.parseInt(hex, 16);
  return Number.isSafeInteger(sequence) ? sequence : undefined;
}

/**
 * BATCH: what one write hands to the device, header first, frames behind it, zeros up to the next
 * block. Little-endian.
 *
 *   offset  size  field         meaning
 *        0     4  magic         0x42504f42: the bytes B O P B
 *        4     2  version       format version, 1
 *        6     2  flags         1: copied from the segment before; else 0
 *        8     4  payloadBytes  length of the frames that follow the header
 *       12     4  payloadCrc    CRC-32 of the frames, seeded: see (1)
 *       16     8  sequence      sequence of the segment that the batch lies in
 *       24     8  startLsn      LSN of the first byte of this header
 *       32     8  durableLsn    what was durable when the batch was issued
 *       40     8  wallMs        when it was issued, milliseconds since 1970; never falls
 *       48     4  headerCrc     CRC-32 of the fields above, seeded: see (1)
 *
 * (1) Both checksums begin with that of (store id, sequence, startLsn), so bytes of another store,
 *     left over from an earlier use of the file or put in the wrong place never pass.
 * (2) The header has a checksum of its own. The next batch is issued when the one before it is
 *     durable, so a header that landed proves its predecessor even if its own frames did not land.
 * (3) A batch lies in one segment. Batches lie without gaps, so that within a segment offset and
 *     LSN grow alike.
 * (4) After an unclean stop the last batch is copied to a fresh segment, and its copy is flagged: if
 *     that segment has no header, taking over was not completed, and the original counts.
 * (5) A batch without frames proves the one before it and says nothing else.
 */
import { crc32 } from "node:zlib";
import { layout, readU64, writeU64 } from "../base/layout.ts";
import { BLOCK_BYTES } from "./segment.ts";

export const BATCH_HEADER = layout(52, [
  ["magic", "u32", "0x42504f42: the bytes B O P B"],
  ["version", "u16", "format version, 1"],
  ["flags", "u16", "1: copied from the segment before; else 0"],
  ["payloadBytes", "u32", "length of the frames that follow the header"],
  ["payloadCrc", "u32", "CRC-32 of the frames, seeded: see (1)"],
  ["sequence", "u64", "sequence of the segment that the batch lies in"],
  ["startLsn", "u64", "LSN of the first byte of this header"],
  ["durableLsn", "u64", "what was durable when the batch was issued"],
  ["wallMs", "u64", "when it was issued, milliseconds since 1970; never falls"],
  ["headerCrc", "u32", "CRC-32 of the fields above, seeded: see (1)"],
]);

const BATCH_MAGIC = 0x42504f42;
const BATCH_VERSION = 1;
/** The one flag there is. */
const COPIED = 1;

/** Recovery looks at a header for every few KiB of log: none of it allocates. */
const headerCopy = new Uint8Array(BATCH_HEADER.sizeBytes);
const headerView = new DataView(headerCopy.buffer);
const headerSummed = headerCopy.subarray(0, BATCH_HEADER.offset.headerCrc);
const seedBytes = new Uint8Array(16);
const seedView = new DataView(seedBytes.buffer);

export interface BatchSeed {
  readonly storeId: Uint8Array;
  readonly sequence: number;
}

export interface BatchHeader {
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  readonly startLsn: number;
  readonly durableLsn: number;
  readonly wallMs: number;
  readonly copied: boolean;
  /** What the checksum of the frames begins with. */
  readonly seed: number;
}

export interface BatchStamp extends BatchSeed {
  readonly startLsn: number;
  readonly durableLsn: number;
  readonly wallMs: number;
  readonly payloadBytes: number;
  readonly copied: boolean;
}

/** Bytes that a batch takes in the log: header, frames, zeros up to the block. */
export function batchBytes(payloadBytes: number): number {
  return Math.ceil((BATCH_HEADER.sizeBytes + payloadBytes) / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Writes the header of the batch whose frames lie in `bytes` already, and the zeros behind them. */
export function stampBatch(bytes: Uint8Array, stamp: BatchStamp): void {
  const { offset, sizeBytes } = BATCH_HEADER;
  const end = sizeBytes + stamp.payloadBytes;
  const seed = batchSeed(stamp, stamp.startLsn);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(offset.magic, BATCH_MAGIC, true);
  view.setUint16(offset.version, BATCH_VERSION, true);
  view.setUint16(offset.flags, stamp.copied ? COPIED : 0, true);
  view.setUint32(offset.payloadBytes, stamp.payloadBytes, true);
  view.setUint32(offset.payloadCrc, crc32(bytes.subarray(sizeBytes, end), seed), true);
  writeU64(view, offset.sequence, stamp.sequence);
  writeU64(view, offset.startLsn, stamp.startLsn);
  writeU64(view, offset.durableLsn, stamp.durableLsn);
  writeU64(view, offset.wallMs, stamp.wallMs);
  view.setUint32(offset.headerCrc, crc32(bytes.subarray(0, offset.headerCrc), seed), true);
  bytes.fill(0, end, batchBytes(stamp.payloadBytes));
}

/** The header at the beginning of `bytes`; undefined if there is none of this segment. */
export function readBatchHeader(bytes: Uint8Array, segment: BatchSeed): BatchHeader | undefined {
  const { offset, sizeBytes } = BATCH_HEADER;
  if (bytes.length < sizeBytes || bytes[0] !== (BATCH_MAGIC & 255)) return undefined;
  for (let i = 0; i < sizeBytes; i++) headerCopy[i] = bytes[i] as number;
  const view = headerView;
  if (view.getUint32(offset.magic, true) !== BATCH_MAGIC) return undefined;
  const startLsn = readU64(view, offset.startLsn);
  if (startLsn === undefined) return undefined;
  const seed = batchSeed(segment, startLsn);
  const headerCrc = view.getUint32(offset.headerCrc, true);
  if (crc32(headerSummed, seed) !== headerCrc) return undefined;
  return {
    payloadBytes: view.getUint32(offset.payloadBytes, true),
    payloadCrc: view.getUint32(offset.payloadCrc, true),
    startLsn,
    durableLsn: readU64(view, offset.durableLsn) ?? 0,
    wallMs: readU64(view, offset.wallMs) ?? 0,
    copied: view.getUint16(offset.flags, true) === COPIED,
    seed,
  };
}

/** The frames behind a header, if all of them are there and as they were written. */
export function readPayload(bytes: Uint8Array, header: BatchHeader): Uint8Array | undefined {
  const end = BATCH_HEADER.sizeBytes + header.payloadBytes;
  if (bytes.length < end) return undefined;
  const payload = bytes.subarray(BATCH_HEADER.sizeBytes, end);
  return crc32(payload, header.seed) === header.payloadCrc ? payload : undefined;
}

/** What the checksums of whatever lies at this LSN in this segment begin with. */
export function batchSeed({ storeId, sequence }: BatchSeed, startLsn: number): number {
  writeU64(seedView, 0, sequence);
  writeU64(seedView, 8, startLsn);
  return crc32(seedBytes, crc32(storeId));
}

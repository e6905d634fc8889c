/**
 * SEGMENT: one preallocated file of the log. A header in its first block (chunk/file-header.ts: kind
 * `segment`, `pageBytes` the block), batches behind it, and behind the last of them whatever was
 * there before.
 *
 * (1) The file is named by its sequence, which is never used twice. A recycled file gets its new
 *     name long before its new header, so a header of an older sequence, or zeros, is a spare.
 * (2) A segment ends where the next one's `firstLsn` says, whatever lies behind.
 *     Or where it was cut by a repair: `directoryOffset` says then where its batches end, and what
 *     lies between there and the next segment is lost.
 * (3) What lies below `durableLsn` is durable, here or in the segments before. The header is synced
 *     before the first batch is issued, and in a segment that takes over copied batches, after them.
 */
import { decodeFileHeader, encodeFileHeader, FILE_HEADER, FILE_VERSION } from "../chunk/index.ts";

/** The layout at the beginning of a segment, which is that of every file. */
export const SEGMENT_HEADER = FILE_HEADER;
/** The physical block of the device: an acknowledged block is never written again. */
export const BLOCK_BYTES = 4096;
export { STORE_ID_BYTES } from "../chunk/index.ts";

export interface SegmentHeader {
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  readonly sequence: number;
  /** LSN of the first batch. */
  readonly firstLsn: number;
  /** What was durable when the segment was taken into use. */
  readonly durableLsn: number;
  /** When it was taken into use. */
  readonly createdMs: number;
  /** Of the owner that took it into use; 0 if it is not given. */
  readonly epoch?: number;
  /** Where it ends, if a repair has cut it: see (2). */
  readonly cutLsn?: number;
}

export type DecodedSegmentHeader =
  | { readonly type: "header"; readonly header: SegmentHeader }
  | { readonly type: "zero" }
  | { readonly type: "damaged" }
  | { readonly type: "foreign"; readonly found: string };

/** The whole first block. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const { storeId, sequence, firstLsn, durableLsn, createdMs, epoch = 0, cutLsn } = header;
  const block = new Uint8Array(BLOCK_BYTES);
  const encoded = encodeFileHeader({
    kind: "segment",
    pageBytes: BLOCK_BYTES,
    bodyOffset: BLOCK_BYTES,
    storeId,
    sequence,
    firstLsn,
    durableLsn,
    createdMs,
    epoch,
    directoryOffset: cutLsn === undefined ? 0 : BLOCK_BYTES + cutLsn - firstLsn,
  });
  block.set(encoded);
  return block;
}

export function decodeSegmentHeader(block: Uint8Array): DecodedSegmentHeader {
  const answer = decodeFileHeader(block);
  if (answer.type === "zero") return onlyZeros(block) ? answer : { type: "damaged" };
  if (answer.type === "newer") return { type: "foreign", found: answer.found };
  if (answer.type === "bad") return { type: "damaged" };
  const { header } = answer;
  const found = describe(FILE_VERSION, header.kind, header.pageBytes);
  if (found !== SUPPORTED) return { type: "foreign", found };
  const { storeId, sequence, firstLsn, durableLsn, createdMs, epoch, directoryOffset } = header;
  if (header.bodyOffset !== BLOCK_BYTES) return { type: "damaged" };
  const isCut = directoryOffset >= BLOCK_BYTES;
  return {
    type: "header",
    header: {
      ...{ storeId, sequence, firstLsn, durableLsn, createdMs },
      ...(epoch > 0 && { epoch }),
      ...(isCut && { cutLsn: firstLsn + directoryOffset - BLOCK_BYTES }),
    },
  };
}

const describe = (version: number, kind: string, blockBytes: number): string =>
  `version ${version}, kind ${kind}, blocks of ${blockBytes} bytes`;

/** What this version reads, in the words of `found`. */
export const SUPPORTED = describe(FILE_VERSION, "segment", BLOCK_BYTES);

const onlyZeros = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

export const segmentFileName = (sequence: number): string =>
  `${sequence.toString(16).padStart(16, "0")}.wal`;

/** A copy of the batches of a segment, kept as history. */
export const historyFileName = (sequence: number): string =>
  `${sequence.toString(16).padStart(16, "0")}.history`;

/** The sequence in the name of such a copy; undefined for the names of other files. */
export const sequenceInHistoryName = (name: string): number | undefined =>
  name.endsWith(".history") ? sequenceInName(name.replace(/history$/, "wal")) : undefined;

/** The sequence in a file's name; undefined for the names of other files. */
export function sequenceInName(name: string): number | undefined {
  const hex = /^([0-9a-f]{16})\.wal$/.exec(name)?.[1];
  const sequence = hex === undefined ? undefined : Number.parseInt(hex, 16);
  return Number.isSafeInteger(sequence) ? sequence : undefined;
}

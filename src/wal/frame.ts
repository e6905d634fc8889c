/**
 * FRAMES: what a batch is made of, one behind the other without gaps. `v` is a varint (bytes.ts),
 * u16 and u32 are little-endian, ranges are those of delta.ts.
 *
 *   page    = 1  pageNumber:v  bytes:v  image
 *   sparse  = 2  pageNumber:v  pageBytes:v  rangesBytes:u16  ranges      of a page of zeros
 *   delta   = 3  pageNumber:v  baseDistance:v  sum:u32  rangesBytes:u16  ranges
 *   entry   = 4  bytes:v  payload
 *   commit  = 5  stream:v  frameCount:v  span:v  pageCount:v  pageBytes:v  groupId:v  groupCount:v
 *   spill   = 6  chunk:v  fileBytes:v  pageCount:v  directoryCrc:u32
 *   records = 7  bytes:v  part                                           of a record log's commit
 *
 *   LSN of a frame   start of its batch + offset in the batch, header included
 *   baseDistance     LSN of the frame − LSN of the commit that wrote the base
 *   span             LSN of the commit frame − LSN of the commit's first frame
 *   groupId          LSN of the first frame of the group; 0 for a commit that is alone
 *   groupCount       commits of the group, which follow each other; 1 for a commit that is alone
 *   part             the parts of one commit, put together, are operations of a record log
 *
 * (1) A frame lies within one batch. A commit may span batches, and batches segments.
 * (2) The LSN of a commit is the end of its commit frame.
 * (3) The frames of a commit directly precede its commit frame. Frames that no commit frame claims
 *     by its span belong to a commit that was never finished, and are nothing.
 * (4) Every page frame costs less than 20 bytes besides the image or the ranges.
 * (5) The commits of a group are one commit: all of them count, or none does.
 */
import type { ChunkId, Lsn } from "../base/units.ts";
import { type FrameBuffer, putBytes, putU16, putU32, putVarint } from "./bytes.ts";
import { encodeRanges, GAVE_UP, hasWholeGroups, pageSum, UNCHANGED } from "./delta.ts";

/** Persistent: a value is never changed or used again. */
export const FrameKind = {
  page: 1,
  sparse: 2,
  delta: 3,
  entry: 4,
  commit: 5,
  spill: 6,
  records: 7,
} as const;

/** No frame takes more than this besides its image, its payload or its ranges. */
export const FRAME_OVERHEAD_BYTES = 64;

/** A new image of a page, and the one before it. */
export interface PageChange {
  readonly baseLsn: Lsn;
  readonly base: Uint8Array;
  /** What an earlier delta told of the base; without it, it is computed. */
  readonly baseSum?: number | undefined;
  readonly image: Uint8Array;
}

/** A chunk of pages that the transaction wrote itself, durable before this frame is. */
export interface SpillFields {
  readonly chunk: ChunkId;
  readonly fileBytes: number;
  /** Pages in the chunk; some may lie above the end of the database, and count for nothing. */
  readonly pageCount: number;
  /** CRC-32 of the chunk's directory, in which every page has its own. */
  readonly directoryCrc: number;
}

export interface CommitFrame {
  readonly stream: number;
  readonly frameCount: number;
  readonly span: number;
  readonly pageCount: number;
  readonly pageBytes: number;
  /** Both absent for a commit that is alone. */
  readonly groupId?: number;
  readonly groupCount?: number;
}

const ZEROS = new Uint8Array(65536);
const GROUP_ID_NONE = 0;
const GROUP_COUNT_ONE = 1;
const LENGTH_BYTES = 2;
const SUM_BYTES = 4;

/** A whole image; as ranges of a page of zeros where it is mostly that. */
export function encodePage(into: FrameBuffer, pageNumber: number, image: Uint8Array): void {
  const start = into.at;
  if (hasWholeGroups(image)) {
    into.bytes[into.at++] = FrameKind.sparse;
    putVarint(into, pageNumber);
    putVarint(into, image.length);
    const lengthAt = into.at;
    into.at += LENGTH_BYTES;
    if (encodeRanges(into, zeros(image.length), image) !== GAVE_UP) {
      putU16(into.bytes, lengthAt, into.at - lengthAt - LENGTH_BYTES);
      return;
    }
    into.at = start;
  }
  into.bytes[into.at++] = FrameKind.page;
  putVarint(into, pageNumber);
  putVarint(into, image.length);
  putBytes(into, image);
}

/**
 * Returns the sum of the new image; or GAVE_UP where a delta is not clearly smaller, or UNCHANGED,
 * and then the buffer is as it was.
 */
export function encodeDelta(
  into: FrameBuffer & { readonly startLsn: Lsn },
  pageNumber: number,
  { baseLsn, base, baseSum, image }: PageChange,
): number {
  if (base.length !== image.length || !hasWholeGroups(image)) return GAVE_UP;
  const start = into.at;
  into.bytes[into.at++] = FrameKind.delta;
  putVarint(into, pageNumber);
  putVarint(into, into.startLsn + start - baseLsn);
  const sumAt = into.at;
  const lengthAt = sumAt + SUM_BYTES;
  const rangesAt = lengthAt + LENGTH_BYTES;
  into.at = rangesAt;
  const added = encodeRanges(into, base, image);
  if (added === GAVE_UP || added === UNCHANGED) {
    into.at = start;
    return added;
  }
  const sum = ((baseSum ?? pageSum(base)) + added) >>> 0;
  putU32(into.bytes, sumAt, sum);
  putU16(into.bytes, lengthAt, into.at - rangesAt);
  return sum;
}

export function encodeEntry(into: FrameBuffer, payload: Uint8Array): void {
  into.bytes[into.at++] = FrameKind.entry;
  putVarint(into, payload.length);
  putBytes(into, payload);
}

export function encodeSpill(into: FrameBuffer, spill: SpillFields): void {
  into.bytes[into.at++] = FrameKind.spill;
  putVarint(into, spill.chunk);
  putVarint(into, spill.fileBytes);
  putVarint(into, spill.pageCount);
  putU32(into.bytes, into.at, spill.directoryCrc);
  into.at += SUM_BYTES;
}

export function encodeRecords(into: FrameBuffer, part: Uint8Array): void {
  into.bytes[into.at++] = FrameKind.records;
  putVarint(into, part.length);
  putBytes(into, part);
}

/** The same for operations in two pieces: what `head` holds, and what follows it. */
export function encodeRecord(into: FrameBuffer, head: FrameBuffer, payload: Uint8Array): void {
  into.bytes[into.at++] = FrameKind.records;
  putVarint(into, head.at + payload.length);
  for (let at = 0; at < head.at; at++) into.bytes[into.at++] = head.bytes[at] ?? 0;
  putBytes(into, payload);
}

export function encodeCommit(into: FrameBuffer, commit: CommitFrame): void {
  into.bytes[into.at++] = FrameKind.commit;
  putVarint(into, commit.stream);
  putVarint(into, commit.frameCount);
  putVarint(into, commit.span);
  putVarint(into, commit.pageCount);
  putVarint(into, commit.pageBytes);
  putVarint(into, commit.groupId ?? GROUP_ID_NONE);
  putVarint(into, commit.groupCount ?? GROUP_COUNT_ONE);
}

/** Views of zeros by length: there are eight page sizes, and a view is made once for each. */
const zeroPages = new Map<number, Uint8Array>();
function zeros(length: number): Uint8Array {
  let page = zeroPages.get(length);
  if (page === undefined) {
    page = ZEROS.subarray(0, length);
    zeroPages.set(length, page);
  }
  return page;
}

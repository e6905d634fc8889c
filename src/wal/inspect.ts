/**
 * A SEGMENT TAKEN APART, for people and for verification: every batch where it lies, every place
 * where one should lie and does not. Pure: bytes come from a source that never fails.
 *
 *   header  batch batch batch …  [damage  batch …]  [torn | index]  rest
 *
 * (1) Any bytes give an answer; nothing is thrown. What is wrong is an item with its offset.
 * (2) A place is *damage* if a batch that belongs here lies behind it, since a batch is issued when
 *     the one before it is durable. Without one it is *torn* if a header is there whose frames are
 *     not, else the rest of the file: zeros, or bytes of an earlier use that nobody reads.
 * (3) Batches pass only with the seed of their store and sequence. A damaged header does not tell
 *     them, so whoever knows gives them as hints.
 */
import type { StorageError } from "../base/errors.ts";
import { isStorageError } from "../base/errors.ts";
import { roundUp } from "../base/units.ts";
import {
  BATCH_HEADER,
  type BatchHeader,
  batchBytes,
  readBatchHeader,
  readPayload,
} from "./batch.ts";
import { FrameReader } from "./bytes.ts";
import { decodeFrame } from "./frame-decode.ts";
import { BLOCK_BYTES, decodeSegmentHeader, type SegmentHeader } from "./segment.ts";
import {
  decodeSegmentIndex,
  SEGMENT_INDEX,
  type SegmentIndex,
  segmentIndexBytes,
} from "./segment-index.ts";

/** Bytes that can be looked at anywhere. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** Up to `length` bytes from `offset`: fewer where the file ends. Valid until the next call. */
  view(offset: number, length: number): Uint8Array;
}

/** What is known of a segment without its header. */
export interface SegmentHints {
  readonly storeId?: Uint8Array;
  readonly sequence?: number;
}

export type SegmentItem =
  | { readonly type: "header"; readonly header: SegmentHeader }
  /** Where the header should be. */
  | { readonly type: "no-header"; readonly why: string; readonly isSpare: boolean }
  | {
      readonly type: "batch";
      readonly offset: number;
      readonly header: BatchHeader;
      /** Valid until the next item is asked for. */
      readonly payload: Uint8Array;
    }
  | { readonly type: "damage"; readonly offset: number; readonly bytes: number }
  | { readonly type: "torn"; readonly offset: number; readonly header: BatchHeader }
  /** Of a segment that was sealed: see segment-index.ts. */
  | {
      readonly type: "index";
      readonly offset: number;
      readonly bytes: number;
      readonly index: SegmentIndex;
    }
  | {
      readonly type: "rest";
      readonly offset: number;
      readonly bytes: number;
      readonly isZero: boolean;
    };

export function* segmentItems(source: ByteSource, hints: SegmentHints): Generator<SegmentItem> {
  const decoded = decodeSegmentHeader(source.view(0, BLOCK_BYTES));
  const header = decoded.type === "header" ? decoded.header : undefined;
  if (header !== undefined) yield { type: "header", header };
  else if (decoded.type === "zero") {
    yield { type: "no-header", why: "zeros: not in use yet", isSpare: true };
  } else {
    const why = decoded.type === "foreign" ? decoded.found : "the header is damaged";
    yield { type: "no-header", why, isSpare: false };
  }
  const storeId = header?.storeId ?? hints.storeId;
  const sequence = header?.sequence ?? hints.sequence;
  if (storeId === undefined || sequence === undefined) return;
  yield* batchItems(source, { storeId, sequence, lsn: header?.firstLsn });
}

interface Walk {
  readonly storeId: Uint8Array;
  readonly sequence: number;
  /** LSN of the first batch, if the header tells it. */
  readonly lsn: number | undefined;
}

function* batchItems(source: ByteSource, walk: Walk): Generator<SegmentItem> {
  let offset = BLOCK_BYTES;
  /** LSN of offset 0, were there no header: the same for all batches of the file. */
  let origin = walk.lsn === undefined ? undefined : walk.lsn - BLOCK_BYTES;
  while (offset < source.sizeBytes) {
    const header = headerAt(source, { offset, walk, origin });
    const payload = header && payloadAt(source, offset, header);
    if (header !== undefined && payload !== undefined) {
      origin ??= header.startLsn - offset;
      yield { type: "batch", offset, header, payload };
      offset += batchBytes(header.payloadBytes);
      continue;
    }
    const next = nextBatch(source, { offset: offset + BLOCK_BYTES, walk, origin });
    if (next !== undefined) {
      yield { type: "damage", offset, bytes: next - offset };
      offset = next;
      continue;
    }
    if (header !== undefined) yield { type: "torn", offset, header };
    const index = origin === undefined ? undefined : indexAt(source, { offset, walk, origin });
    if (index !== undefined) {
      yield { type: "index", offset, ...index };
      offset += index.bytes;
    }
    const bytes = source.sizeBytes - offset;
    yield { type: "rest", offset, bytes, isZero: isZero(source, offset) };
    return;
  }
}

interface Look {
  readonly offset: number;
  readonly walk: Walk;
  readonly origin: number | undefined;
}

function headerAt(source: ByteSource, { offset, walk, origin }: Look): BatchHeader | undefined {
  const header = readBatchHeader(source.view(offset, BATCH_HEADER.sizeBytes), walk);
  if (header === undefined) return undefined;
  const expected = origin === undefined ? header.startLsn : origin + offset;
  return header.startLsn === expected ? header : undefined;
}

function indexAt(source: ByteSource, { offset, walk, origin = 0 }: Look) {
  const segment = { ...walk, endLsn: origin + offset };
  const length = segmentIndexBytes(source.view(offset, SEGMENT_INDEX.sizeBytes), segment);
  if (length === undefined || length > source.sizeBytes - offset) return undefined;
  const index = decodeSegmentIndex(source.view(offset, length), segment);
  return index && { bytes: roundUp(length, BLOCK_BYTES), index };
}

function payloadAt(source: ByteSource, offset: number, header: BatchHeader) {
  const bytes = BATCH_HEADER.sizeBytes + header.payloadBytes;
  if (bytes > source.sizeBytes - offset) return undefined;
  return readPayload(source.view(offset, bytes), header);
}

/** Where the next batch lies that belongs here; one whose frames are torn counts too. */
function nextBatch(source: ByteSource, { offset, walk, origin }: Look): number | undefined {
  for (let at = offset; at < source.sizeBytes; at += BLOCK_BYTES) {
    if (headerAt(source, { offset: at, walk, origin }) !== undefined) return at;
  }
  return undefined;
}

/** Compared as memory: most of a fresh segment is zeros, and `bop verify` reads all of them. */
const ZEROS = new Uint8Array(BLOCK_BYTES);

function isZero(source: ByteSource, offset: number): boolean {
  for (let at = offset; at < source.sizeBytes; at += BLOCK_BYTES) {
    const block = source.view(at, BLOCK_BYTES);
    if (Buffer.compare(block, ZEROS.subarray(0, block.length)) !== 0) return false;
  }
  return true;
}

/** One frame, as far as it can be told without what lies before it. */
export interface FrameSummary {
  readonly kind: string;
  readonly lsn: number;
  /** Where it begins in the payload. */
  readonly at: number;
  readonly bytes: number;
  /** Its numbers: page, stream, base…, as far as it has such. */
  readonly facts: Readonly<Record<string, number>>;
}

export interface FrameList {
  readonly frames: readonly FrameSummary[];
  /** Why and where the payload stopped making sense; undefined if all of it did. */
  readonly problem: { readonly at: number; readonly why: string } | undefined;
}

/** The frames of a batch's payload, whose first byte has the LSN `firstLsn`. */
export function framesOf(payload: Uint8Array, firstLsn: number): FrameList {
  const reader = new FrameReader(payload, { file: "", offset: 0 });
  const frames: FrameSummary[] = [];
  while (!reader.done) {
    const at = reader.at;
    try {
      const decoded = decodeFrame(reader, firstLsn + at);
      const body = decoded.type === "commit" ? decoded.commit : decoded.change;
      const kind = decoded.type === "change" ? decoded.change.kind : decoded.type;
      frames.push({ kind, lsn: firstLsn + at, at, bytes: reader.at - at, facts: factsOf(body) });
    } catch (error) {
      if (!isStorageError(error, "BOP_CORRUPT")) throw error;
      return { frames, problem: { at, why: whyOf(error) } };
    }
  }
  return { frames, problem: undefined };
}

/** Fields of a decoded frame that are numbers, and the lengths of those that are bytes. */
function factsOf(frame: object): Record<string, number> {
  const facts: Record<string, number> = {};
  for (const [name, value] of Object.entries(frame)) {
    if (typeof value === "number") facts[name] = value;
    if (value instanceof Uint8Array) facts[`${name}Bytes`] = value.length;
  }
  return facts;
}

const whyOf = ({ details }: StorageError<"BOP_CORRUPT">): string => details.why;

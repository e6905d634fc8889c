/**
 * INDEX OF A SEGMENT: which streams have commits in it, and where each of them lies. It begins at
 * the block behind the last batch. Little-endian; `v` is a varint (bytes.ts).
 *
 *   offset  size  field         meaning
 *        0     4  magic         0x49504f42: the bytes B O P I
 *        4     2  version       format version, 1
 *        6     2  reserved      0
 *        8     4  payloadBytes  length of the streams that follow the header
 *       12     4  payloadCrc    CRC-32 of the streams, seeded: see (1)
 *       16     8  sequence      sequence of the segment
 *       24     8  baseLsn       LSN that positions are counted from
 *       32     8  endLsn        where the segment ends
 *       40     4  streamCount   how many streams follow
 *       44     4  commitCount   how many commits they have together
 *       48     4  headerCrc     CRC-32 of the fields above, seeded: see (1)
 *
 *   stream = id:v  commits:v  pageCount:v  pageBytes:v  back:v  bytes:v  commit{commits}
 *   commit = gap:v  length:v
 *
 *   id         less the id of the stream before; streams stand in ascending order
 *   pageCount  of the database after its last commit here, with `pageBytes`; 0 for other streams
 *   back       endLsn − LSN of that commit
 *   bytes      length of what follows of the stream
 *   gap        from the end of the stream's commit before (from baseLsn, for its first)
 *   length     from the first frame of the commit to the end of its commit frame
 *
 * (1) Both checksums begin with that of (store id, sequence, endLsn), as those of batches do, so
 *     an index that a recycled file still holds is nothing.
 * (2) A commit belongs to the segment that its commit frame lies in. It may begin before it.
 * (3) The index says nothing that the batches do not say. Where it is missing or does not parse,
 *     they are read instead, and give the same.
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { isStorageError } from "../base/errors.ts";
import { layout, readU64, writeU64 } from "../base/layout.ts";
import { roundUp } from "../base/units.ts";
import { batchSeed } from "./batch.ts";
import { type FrameBuffer, FrameReader, putVarint } from "./bytes.ts";
import type { CommitPosition } from "./commit-trail.ts";
import { BLOCK_BYTES } from "./segment.ts";

export const SEGMENT_INDEX = layout(52, [
  ["magic", "u32", "0x49504f42: the bytes B O P I"],
  ["version", "u16", "format version, 1"],
  ["reserved", "zero[2]", "0"],
  ["payloadBytes", "u32", "length of the streams that follow the header"],
  ["payloadCrc", "u32", "CRC-32 of the streams, seeded: see (1)"],
  ["sequence", "u64", "sequence of the segment"],
  ["baseLsn", "u64", "LSN that positions are counted from"],
  ["endLsn", "u64", "where the segment ends"],
  ["streamCount", "u32", "how many streams follow"],
  ["commitCount", "u32", "how many commits they have together"],
  ["headerCrc", "u32", "CRC-32 of the fields above, seeded: see (1)"],
]);

const INDEX_MAGIC = 0x49504f42;
const INDEX_VERSION = 1;
/** Longest varint. */
const VARINT_BYTES_MAX = 8;
const STREAM_HEAD_BYTES_MAX = 6 * VARINT_BYTES_MAX;
const COMMIT_BYTES_MAX = 2 * VARINT_BYTES_MAX;
const RUN_BYTES_MIN = 32;

export interface IndexedSegment {
  readonly storeId: Uint8Array;
  readonly sequence: number;
  readonly endLsn: number;
}

/** The commits of one stream in one segment. */
export interface StreamRun {
  readonly stream: number;
  readonly commits: number;
  /** As its last commit here says. */
  readonly pageCount: number;
  readonly pageBytes: number;
  readonly lastLsn: number;
  /** Its commits, for a RunCursor. */
  readonly entries: Uint8Array;
  readonly baseLsn: number;
}

export interface SegmentIndex {
  readonly commits: number;
  /** In ascending order of stream. */
  readonly runs: readonly StreamRun[];
}

interface RunDraft extends FrameBuffer {
  bytes: Uint8Array;
  commits: number;
  last: CommitPosition;
}

/** Takes commits in order of LSN; gives the runs, or the bytes of the index. */
export class SegmentIndexBuilder {
  readonly #drafts = new Map<number, RunDraft>();
  #baseLsn: number;
  #commits = 0;

  constructor(firstLsn: number) {
    this.#baseLsn = firstLsn;
  }

  add(position: CommitPosition): void {
    const { stream, firstLsn, lsn } = position;
    if (this.#commits === 0) this.#baseLsn = Math.min(this.#baseLsn, firstLsn);
    this.#commits += 1;
    let draft = this.#drafts.get(stream);
    const from = draft?.last.lsn ?? this.#baseLsn;
    assert(firstLsn >= from && lsn > firstLsn, "commits are indexed in order of LSN");
    if (draft === undefined) {
      draft = { bytes: new Uint8Array(RUN_BYTES_MIN), at: 0, commits: 0, last: position };
      this.#drafts.set(stream, draft);
    }
    if (draft.at + COMMIT_BYTES_MAX > draft.bytes.length) draft.bytes = doubled(draft.bytes);
    putVarint(draft, firstLsn - from);
    putVarint(draft, lsn - firstLsn);
    draft.commits += 1;
    draft.last = position;
  }

  /** Without a way through bytes, for a segment that has no index. */
  index(): SegmentIndex {
    const baseLsn = this.#baseLsn;
    const runs = this.#sorted().map(([stream, { commits, last, bytes, at }]) => {
      const { pageCount, pageBytes, lsn: lastLsn } = last;
      return {
        stream,
        commits,
        pageCount,
        pageBytes,
        lastLsn,
        entries: bytes.slice(0, at),
        baseLsn,
      };
    });
    return { commits: this.#commits, runs };
  }

  /** Whole blocks. */
  encode({ storeId, sequence, endLsn }: IndexedSegment): Uint8Array {
    const { offset, sizeBytes } = SEGMENT_INDEX;
    const drafts = this.#sorted();
    const boundBytes = drafts.reduce((sum, [, { at }]) => sum + at + STREAM_HEAD_BYTES_MAX, 0);
    const into = { bytes: new Uint8Array(roundUp(sizeBytes + boundBytes, BLOCK_BYTES)), at: 0 };
    into.at = sizeBytes;
    let before = 0;
    for (const [stream, draft] of drafts) {
      const { last } = draft;
      putVarint(into, stream - before);
      putVarint(into, draft.commits);
      putVarint(into, last.pageCount);
      putVarint(into, last.pageBytes);
      putVarint(into, endLsn - last.lsn);
      putVarint(into, draft.at);
      into.bytes.set(draft.bytes.subarray(0, draft.at), into.at);
      into.at += draft.at;
      before = stream;
    }
    const { bytes } = into;
    const seed = batchSeed({ storeId, sequence }, endLsn);
    const view = new DataView(bytes.buffer);
    view.setUint32(offset.magic, INDEX_MAGIC, true);
    view.setUint16(offset.version, INDEX_VERSION, true);
    view.setUint32(offset.payloadBytes, into.at - sizeBytes, true);
    view.setUint32(offset.payloadCrc, crc32(bytes.subarray(sizeBytes, into.at), seed), true);
    writeU64(view, offset.sequence, sequence);
    writeU64(view, offset.baseLsn, this.#baseLsn);
    writeU64(view, offset.endLsn, endLsn);
    view.setUint32(offset.streamCount, drafts.length, true);
    view.setUint32(offset.commitCount, this.#commits, true);
    view.setUint32(offset.headerCrc, crc32(bytes.subarray(0, offset.headerCrc), seed), true);
    return bytes.subarray(0, roundUp(into.at, BLOCK_BYTES));
  }

  #sorted(): [number, RunDraft][] {
    return [...this.#drafts].sort(([a], [b]) => a - b);
  }
}

/** What the header at the beginning of `bytes` says of its length; undefined if there is none. */
export function segmentIndexBytes(bytes: Uint8Array, segment: IndexedSegment): number | undefined {
  const { offset, sizeBytes } = SEGMENT_INDEX;
  if (bytes.length < sizeBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(offset.magic, true) !== INDEX_MAGIC) return undefined;
  const seed = batchSeed(segment, segment.endLsn);
  const headerCrc = view.getUint32(offset.headerCrc, true);
  if (crc32(bytes.subarray(0, offset.headerCrc), seed) !== headerCrc) return undefined;
  if (view.getUint16(offset.version, true) !== INDEX_VERSION) return undefined;
  return sizeBytes + view.getUint32(offset.payloadBytes, true);
}

/** Undefined if these bytes are no whole index of this segment. Keeps views of `bytes`. */
export function decodeSegmentIndex(
  bytes: Uint8Array,
  segment: IndexedSegment,
): SegmentIndex | undefined {
  const { offset, sizeBytes } = SEGMENT_INDEX;
  const length = segmentIndexBytes(bytes, segment);
  if (length === undefined || length > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const payload = bytes.subarray(sizeBytes, length);
  const seed = batchSeed(segment, segment.endLsn);
  if (crc32(payload, seed) !== view.getUint32(offset.payloadCrc, true)) return undefined;
  const baseLsn = readU64(view, offset.baseLsn);
  if (baseLsn === undefined) return undefined;
  const head = {
    baseLsn,
    endLsn: segment.endLsn,
    streamCount: view.getUint32(offset.streamCount, true),
    commitCount: view.getUint32(offset.commitCount, true),
  };
  try {
    return readRuns(payload, head);
  } catch (error) {
    if (isStorageError(error, "BOP_CORRUPT")) return undefined;
    throw error;
  }
}

interface IndexHead {
  readonly baseLsn: number;
  readonly endLsn: number;
  readonly streamCount: number;
  readonly commitCount: number;
}

/** Throws BOP_CORRUPT where it does not parse. */
function readRuns(payload: Uint8Array, head: IndexHead): SegmentIndex | undefined {
  const { baseLsn, endLsn, streamCount, commitCount } = head;
  const from = new FrameReader(payload, { file: "index", offset: 0 });
  const runs: StreamRun[] = [];
  let [stream, total] = [0, 0];
  while (!from.done) {
    stream += from.varint();
    const commits = from.varint();
    const [pageCount, pageBytes] = [from.varint(), from.varint()];
    const lastLsn = endLsn - from.varint();
    const bytes = from.varint();
    const start = from.skip(bytes);
    const entries = payload.subarray(start, start + bytes);
    const run = { stream, commits, pageCount, pageBytes, lastLsn, entries, baseLsn };
    runs.push(run);
    total += commits;
  }
  return runs.length === streamCount && total === commitCount
    ? { commits: commitCount, runs }
    : undefined;
}

/** The commits of a run, oldest first. */
export class RunCursor {
  readonly #reader: FrameReader;
  firstLsn = 0;
  lsn: number;

  constructor({ entries, baseLsn }: Pick<StreamRun, "entries" | "baseLsn">) {
    this.#reader = new FrameReader(entries, { file: "index", offset: 0 });
    this.lsn = baseLsn;
  }

  /** False if there is none left. Throws BOP_CORRUPT if the run does not parse. */
  next(): boolean {
    if (this.#reader.done) return false;
    this.firstLsn = this.lsn + this.#reader.varint();
    this.lsn = this.firstLsn + this.#reader.varint();
    return true;
  }
}

function doubled(bytes: Uint8Array): Uint8Array {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}

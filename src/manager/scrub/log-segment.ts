/**
 * A SEGMENT OF THE LOG THAT IS SEALED, or is history: its header, and every batch up to where the next
 * one begins.
 *
 * (1) It is held while it is read: its file is not used for other log meanwhile, though it may get
 *     another name. One that was let go before is nobody's.
 * (2) What lies behind its last batch (its index, bytes of an earlier use) is not judged: whoever reads
 *     an index that is damaged goes through the batches instead.
 */
import { type Lsn, MIB } from "../../base/units.ts";
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  decodeSegmentHeader,
  readBatchHeader,
  readPayload,
} from "../../wal/index.ts";
import type { HistoryHold } from "../../write/index.ts";
import type { FileBytes, FileRange, PacedReads } from "./paced-reads.ts";

/** One that has ended. */
export interface EndedSegment {
  readonly sequence: number;
  readonly path: string;
  readonly firstLsn: Lsn;
  readonly endLsn: Lsn;
}

export interface SegmentGround {
  readonly storeId: Uint8Array;
  /** Those that there are now, in order. */
  segments(): readonly EndedSegment[];
  hold(lsn: Lsn): HistoryHold | undefined;
}

export interface SegmentDamage {
  readonly offset: number;
  readonly why: string;
}

/** What one read asks for at least. */
const WINDOW_BYTES = MIB;

/** Undefined if it is whole, or gone. */
export async function segmentDamage(
  segment: EndedSegment,
  ground: SegmentGround,
  reads: PacedReads,
): Promise<SegmentDamage | undefined> {
  const hold = ground.hold(segment.firstLsn);
  try {
    if (hold === undefined || pathNow(segment, ground) === undefined) return undefined;
    return await new Walk(segment, ground, reads).damage();
  } finally {
    hold?.release();
  }
}

function pathNow({ sequence, firstLsn }: EndedSegment, ground: SegmentGround): string | undefined {
  const now = ground.segments().find((each) => each.sequence === sequence);
  return now?.firstLsn === firstLsn ? now.path : undefined;
}

class Walk {
  readonly #segment: EndedSegment;
  readonly #ground: SegmentGround;
  readonly #reads: PacedReads;
  #window: { at: number; bytes: Uint8Array } = { at: 0, bytes: new Uint8Array(0) };

  constructor(segment: EndedSegment, ground: SegmentGround, reads: PacedReads) {
    this.#segment = segment;
    this.#ground = ground;
    this.#reads = reads;
  }

  async damage(): Promise<SegmentDamage | undefined> {
    const { firstLsn, endLsn, sequence } = this.#segment;
    const { storeId } = this.#ground;
    const header = await this.#header();
    if (header !== undefined) return { offset: 0, why: header };
    for (let offset = BLOCK_BYTES; offset < BLOCK_BYTES + endLsn - firstLsn; ) {
      const head = await this.#view(offset, BATCH_HEADER.sizeBytes);
      if (typeof head === "string") return { offset, why: head };
      const batch = readBatchHeader(head, { storeId, sequence });
      if (batch?.startLsn !== firstLsn + offset - BLOCK_BYTES) return { offset, why: BAD_BATCH };
      const bytes = await this.#view(offset, BATCH_HEADER.sizeBytes + batch.payloadBytes);
      if (typeof bytes === "string") return { offset, why: bytes };
      if (readPayload(bytes, batch) === undefined) return { offset, why: BAD_BATCH };
      offset += batchBytes(batch.payloadBytes);
    }
    return undefined;
  }

  async #header(): Promise<string | undefined> {
    const block = await this.#view(0, BLOCK_BYTES);
    if (typeof block === "string") return block;
    const decoded = decodeSegmentHeader(block);
    if (decoded.type !== "header") return "its header is damaged";
    const { storeId, sequence, firstLsn } = decoded.header;
    const isIt =
      Buffer.compare(storeId, this.#ground.storeId) === 0 &&
      sequence === this.#segment.sequence &&
      firstLsn === this.#segment.firstLsn;
    return isIt ? undefined : "its header is that of another segment";
  }

  /** Bytes as far as the file reaches, or why there are none. */
  async #view(offset: number, length: number): Promise<Uint8Array | string> {
    const from = offset - this.#window.at;
    if (from < 0 || from + length > this.#window.bytes.length) {
      const read = await this.#read({ offset, bytes: Math.max(length, WINDOW_BYTES) });
      if (read.type === "missing") return "the file is missing";
      if (read.type === "unreadable") return read.why;
      this.#window = { at: offset, bytes: read.bytes };
      await this.#reads.turn();
    }
    return this.#window.bytes.subarray(offset - this.#window.at).subarray(0, length);
  }

  /** See (1). */
  async #read({ offset, bytes }: FileRange): Promise<FileBytes> {
    const { path, firstLsn, endLsn } = this.#segment;
    const usedBytes = BLOCK_BYTES + endLsn - firstLsn;
    const range = { offset, bytes: Math.max(0, Math.min(bytes, usedBytes - offset)) };
    const read = await this.#reads.file(path, range);
    const now = pathNow(this.#segment, this.#ground) ?? path;
    return read.type === "missing" && now !== path ? this.#reads.file(now, range) : read;
  }
}

const BAD_BATCH = "a batch of the log is damaged";

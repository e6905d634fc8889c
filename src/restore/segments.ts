/**
 * SHIPPED BATCHES AS SEGMENTS of a new directory: batch behind batch, each stamped for the segment
 * that it comes to lie in.
 *
 * (1) LSNs stay: a batch lies at its own, and the next one begins where it ends. A batch that does
 *     not follow the one before it is refused, and never put in its place.
 * (2) Sequences are dense from 1. A segment is at most `segmentBytes` long and never empty, but for
 *     the only one of a log without batches.
 * (3) Everything here was durable once, so that each batch says that the one before it is.
 * (4) LSNs that a log goes on behind are filled with batches without frames: no commit is there.
 */
import { assert } from "../base/assert.ts";
import { MIB } from "../base/units.ts";
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  encodeSegmentHeader,
  stampBatch,
} from "../wal/index.ts";
import type { ShippedBatch } from "./bucket.ts";

export interface SegmentShape {
  readonly storeId: Uint8Array;
  readonly segmentBytes: number;
}

/** Bytes that are to be written, and where. */
export interface SegmentWrite {
  readonly sequence: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Of these, what is written at a time. */
const IDLE_BYTES = MIB;

export class SegmentPlanner {
  readonly #shape: SegmentShape;
  #sequence = 0;
  #offset = 0;
  #endLsn: number;

  /** `fromLsn`: where the first batch begins, or the log ends if there is none. */
  constructor(shape: SegmentShape, fromLsn: number) {
    this.#shape = shape;
    this.#endLsn = fromLsn;
  }

  /** The highest that was given out; 0 before the first. */
  get sequence(): number {
    return this.#sequence;
  }

  get endLsn(): number {
    return this.#endLsn;
  }

  /** The header of a new segment, if it takes one, and the batch. */
  add({ startLsn, wallMs, payload }: ShippedBatch): SegmentWrite[] {
    assert(startLsn === this.#endLsn, () => `a batch at ${startLsn}, behind ${this.#endLsn}`);
    const { storeId, segmentBytes } = this.#shape;
    const length = batchBytes(payload.length);
    const isFull = this.#sequence === 0 || this.#offset + length > segmentBytes;
    const writes = isFull ? [this.#begin(wallMs)] : [];
    const bytes = new Uint8Array(length);
    bytes.set(payload, BATCH_HEADER.sizeBytes);
    const sequence = this.#sequence;
    const stamp = { startLsn, durableLsn: startLsn, wallMs, payloadBytes: payload.length };
    stampBatch(bytes, { ...stamp, storeId, sequence, copied: false });
    writes.push({ sequence, offset: this.#offset, bytes });
    this.#offset += length;
    this.#endLsn += length;
    return writes;
  }

  /** Up to an LSN, the start of a block: see (4). */
  *idle(toLsn: number, wallMs: number): Generator<SegmentWrite> {
    const { storeId, segmentBytes } = this.#shape;
    while (this.#endLsn < toLsn) {
      if (this.#sequence === 0 || this.#offset + BLOCK_BYTES > segmentBytes) {
        yield this.#begin(wallMs);
      }
      const sequence = this.#sequence;
      const room = segmentBytes - this.#offset;
      const length = Math.min(toLsn - this.#endLsn, room - (room % BLOCK_BYTES), IDLE_BYTES);
      const bytes = new Uint8Array(length);
      for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
        const startLsn = this.#endLsn + at;
        const stamp = { startLsn, durableLsn: startLsn, wallMs, payloadBytes: 0 };
        stampBatch(bytes.subarray(at), { ...stamp, storeId, sequence, copied: false });
      }
      yield { sequence, offset: this.#offset, bytes };
      this.#offset += length;
      this.#endLsn += length;
    }
  }

  /** What a log without batches consists of; nothing for any other. */
  end(wallMs: number): SegmentWrite[] {
    return this.#sequence === 0 ? [this.#begin(wallMs)] : [];
  }

  #begin(createdMs: number): SegmentWrite {
    this.#sequence += 1;
    this.#offset = BLOCK_BYTES;
    const firstLsn = this.#endLsn;
    const header = { storeId: this.#shape.storeId, sequence: this.#sequence, firstLsn };
    const bytes = encodeSegmentHeader({ ...header, durableLsn: firstLsn, createdMs });
    return { sequence: this.#sequence, offset: 0, bytes };
  }
}

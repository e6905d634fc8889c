/**
 * WHERE THE BATCHES OF A SEGMENT LIE, and what is needed to check any part of one again without
 * reading the rest of it: recovery notes it while it reads all log once.
 *
 *   payload    cell 0   │ cell 1   │ cell 2   │ rest          cells of 16 KiB
 *   checksum   seed ──► sum 0 ───► sum 1 ───► sum 2 ───► sum of the batch, as its header has it
 *
 * (1) A checksum runs over the payload from front to end, so what it is at both ends of a cell
 *     proves the cell: to note it costs nothing, for the batch is being checked anyway.
 */
import { crc32 } from "node:zlib";
import { assert, present } from "../../base/assert.ts";
import { KIB } from "../../base/units.ts";
import { BATCH_HEADER, type BatchHeader, BLOCK_BYTES } from "../../wal/index.ts";

export const CELL_BYTES = 16 * KIB;

export interface BatchPlace {
  /** Of its header, in the file. */
  readonly offset: number;
  readonly startLsn: number;
  readonly payloadBytes: number;
  /** What its checksum begins with. */
  readonly seed: number;
  /** Index of the sum of its first cell. */
  readonly firstSum: number;
}

export class BatchTable {
  readonly #firstLsn: number;
  readonly #offsets: number[] = [];
  readonly #payloads: number[] = [];
  readonly #seeds: number[] = [];
  readonly #firstSums: number[] = [];
  #sums = new Uint32Array(64);
  #sumCount = 0;

  /** `firstLsn` lies at the beginning of the segment's second block. */
  constructor(firstLsn: number) {
    this.#firstLsn = firstLsn;
  }

  get count(): number {
    return this.#offsets.length;
  }

  /** Checks a batch, all of whose payload is given, and notes it; false if it is damaged. */
  add(offset: number, header: BatchHeader, payload: Uint8Array): boolean {
    const firstSum = this.#sumCount;
    let sum = header.seed;
    for (let at = 0; at < payload.length; at += CELL_BYTES) {
      sum = crc32(payload.subarray(at, at + CELL_BYTES), sum);
      this.#push(sum);
    }
    if (sum !== header.payloadCrc && payload.length > 0) {
      this.#sumCount = firstSum;
      return false;
    }
    this.#offsets.push(offset);
    this.#payloads.push(payload.length);
    this.#seeds.push(header.seed);
    this.#firstSums.push(firstSum);
    return true;
  }

  at(index: number): BatchPlace {
    const offset = present(this.#offsets[index], "a batch of the table");
    return {
      offset,
      startLsn: this.#firstLsn + offset - BLOCK_BYTES,
      payloadBytes: this.#payloads[index] ?? 0,
      seed: this.#seeds[index] ?? 0,
      firstSum: this.#firstSums[index] ?? 0,
    };
  }

  /** Index of the last batch that begins at or below the LSN; −1 if there is none. */
  find(lsn: number): number {
    const offset = lsn - this.#firstLsn + BLOCK_BYTES;
    let [low, high] = [0, this.#offsets.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#offsets[middle] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Bytes `from` to `from + bytes.length` of a payload, in whole cells, are as they were. */
  proves(batch: BatchPlace, from: number, bytes: Uint8Array): boolean {
    assert(from % CELL_BYTES === 0, "cells are proven whole");
    for (let at = 0; at < bytes.length; at += CELL_BYTES) {
      const cell = batch.firstSum + (from + at) / CELL_BYTES;
      const before = from + at === 0 ? batch.seed : (this.#sums[cell - 1] as number);
      if (crc32(bytes.subarray(at, at + CELL_BYTES), before) !== this.#sums[cell]) return false;
    }
    return true;
  }

  #push(sum: number): void {
    if (this.#sumCount === this.#sums.length) {
      const larger = new Uint32Array(this.#sums.length * 2);
      larger.set(this.#sums);
      this.#sums = larger;
    }
    this.#sums[this.#sumCount++] = sum;
  }
}

/** Where the payload of a batch lies in its file. */
export function payloadOffset({ offset }: BatchPlace): number {
  return offset + BATCH_HEADER.sizeBytes;
}

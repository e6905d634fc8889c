/**
 * SEGMENTS MADE AGAIN FROM THE BUCKET, for a log that finds one of its own damaged.
 *
 * (1) Only log that this disk remembers to have shipped is taken: beyond that, the bucket may hold what
 *     somebody else has written.
 * (2) Batches are stamped for the segment that they go to, so that it is as good as the lost one. If
 *     any is missing there is no segment.
 * (3) A bucket that does not answer is one that has nothing: the damage is told as it is.
 */
import { StorageError } from "../../base/errors.ts";
import type { ObjectStore } from "../../sink/index.ts";
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  encodeSegmentHeader,
  stampBatch,
} from "../../wal/index.ts";
import type { ShippedBatch } from "../format/log-object.ts";
import { BucketReader } from "../read/bucket-reader.ts";
import { bucketName } from "./bucket-name.ts";

export interface BucketArchiveOptions {
  /** Repeats its calls by itself. */
  readonly store: ObjectStore;
  readonly storeId: Uint8Array;
  /** Which bucket the disk has shipped to, and up to where. See (1). */
  readonly shipped: { readonly bucket: string; readonly shippedLsn: number } | undefined;
}

interface WantedSegment {
  readonly sequence: number;
  readonly firstLsn?: number;
  readonly endLsn?: number;
  /** Without `firstLsn`: it begins with the batch in which this lies. */
  readonly holdsLsn?: number;
}

interface Range {
  readonly fromLsn: number;
  readonly endLsn: number;
  /** The first batch begins at `fromLsn`; otherwise that lies in it. */
  readonly isExact: boolean;
}

export class BucketArchive {
  readonly #options: BucketArchiveOptions;
  #shippedLsn: number;

  constructor(options: BucketArchiveOptions) {
    this.#options = options;
    this.#shippedLsn = options.shipped?.shippedLsn ?? 0;
  }

  /** What this process has shipped since. See (1). */
  shippedTo(lsn: number): void {
    if (this.#options.shipped !== undefined) this.#shippedLsn = Math.max(this.#shippedLsn, lsn);
  }

  /** The file of a segment up to its end; undefined if it cannot be made. */
  async fetch(wanted: WantedSegment): Promise<Uint8Array | undefined> {
    const { sequence, endLsn } = wanted;
    const fromLsn = wanted.firstLsn ?? wanted.holdsLsn;
    if (fromLsn === undefined || endLsn === undefined || fromLsn > endLsn) return undefined;
    if (endLsn > this.#shippedLsn) return undefined;
    try {
      const isExact = wanted.firstLsn !== undefined;
      const batches = await this.#batches({ fromLsn, endLsn, isExact });
      if (batches === undefined) return undefined;
      const firstLsn = batches[0]?.startLsn ?? fromLsn;
      return this.#segment(batches, { sequence, firstLsn, endLsn });
    } catch (error) {
      if (error instanceof StorageError && error.code.startsWith("BOP_SINK_")) return undefined;
      throw error;
    }
  }

  /** Undefined if they are not all there. */
  async #batches({ fromLsn, endLsn, isExact }: Range): Promise<ShippedBatch[] | undefined> {
    const { store, shipped } = this.#options;
    const reader = await BucketReader.open(store);
    if (reader === undefined || bucketName(reader) !== shipped?.bucket) return undefined;
    const batches: ShippedBatch[] = [];
    let at = fromLsn;
    for await (const part of reader.log({ fromLsn, toLsn: endLsn })) {
      for (const batch of part.batches) {
        if (batch.startLsn >= endLsn) break;
        if (!isExact && batches.length === 0 && batch.startLsn < at) at = batch.startLsn;
        if (batch.startLsn !== at) return undefined;
        batches.push({ ...batch, payload: batch.payload.slice() });
        at += batchBytes(batch.payload.length);
      }
    }
    return at === endLsn ? batches : undefined;
  }

  #segment(
    batches: readonly ShippedBatch[],
    { sequence, firstLsn, endLsn }: Required<Omit<WantedSegment, "holdsLsn">>,
  ): Uint8Array {
    const { storeId } = this.#options;
    const bytes = new Uint8Array(BLOCK_BYTES + endLsn - firstLsn);
    const createdMs = batches[0]?.wallMs ?? 0;
    bytes.set(
      encodeSegmentHeader({ storeId, sequence, firstLsn, durableLsn: firstLsn, createdMs }),
    );
    for (const { startLsn, wallMs, payload } of batches) {
      const at = BLOCK_BYTES + startLsn - firstLsn;
      bytes.set(payload, at + BATCH_HEADER.sizeBytes);
      const place = { storeId, sequence, startLsn, durableLsn: startLsn };
      const batch = bytes.subarray(at, at + batchBytes(payload.length));
      stampBatch(batch, { ...place, wallMs, payloadBytes: payload.length, copied: false });
    }
    return bytes;
  }
}

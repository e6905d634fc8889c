/**
 * HOW FAR THE LOG OF THE BUCKET IS THE LOG OF THE DISK, batch by batch: by place, length and checksum
 * of what was shipped, without its bytes.
 *
 * (1) It ends at the first difference, and also where one of the two has nothing more to compare:
 *     what could not be compared is not called shared.
 */
import { crc32 } from "node:zlib";
import { type BatchEntry, endOfBatch, type ShippedBatch } from "../format/log-object.ts";
import type { Bucket } from "./bucket.ts";
import type { DiskHistory, SharedContent } from "./compare.ts";
import type { Lineage } from "./lineage.ts";

/** Whole durable batches of the disk's log from an LSN on; undefined where it has none. */
export type ReadDiskLog = (fromLsn: number) => Promise<readonly ShippedBatch[] | undefined>;

export function sharedContent(of: {
  readonly bucket: Bucket;
  readonly lineage: Lineage;
  readonly disk: DiskHistory;
  readonly log: ReadDiskLog;
  readonly signal?: AbortSignal | undefined;
}): SharedContent {
  return async (fromLsn, toLsn) => {
    const local = new LocalBatches(of.log, fromLsn);
    let sharedLsn = fromLsn;
    for await (const entry of shippedEntries(of)) {
      if (endOfBatch(entry) <= fromLsn) continue;
      if (entry.startLsn !== sharedLsn || entry.startLsn >= toLsn) break;
      const batch = await local.next();
      if (batch === undefined || !isSame(batch, entry)) break;
      sharedLsn = endOfBatch(entry);
    }
    return Math.min(sharedLsn, toLsn);
  };
}

/**
 * Batches in the bucket, in order, from a place on that begins no later than what is unknown. An
 * epoch ends at its fence, or where nothing is.
 */
async function* shippedEntries({
  bucket,
  lineage,
  disk,
  signal,
}: Parameters<typeof sharedContent>[0]): AsyncGenerator<BatchEntry> {
  const { shipped } = disk;
  const lastEpoch = lineage.lastWal?.epoch ?? 0;
  const ends = new Map(lineage.epochs.map(({ epoch, walEnd }) => [epoch, walEnd]));
  let epoch = Math.max(1, shipped?.epoch ?? 0, disk.epochs.at(-1)?.epoch ?? 0);
  let number = epoch === shipped?.epoch ? shipped.number : 0;
  while (epoch <= lastEpoch) {
    const isThere = number < (ends.get(epoch) ?? 0);
    const tables = await bucket.tables({ kind: "wal", epoch, number, isThere }, { signal });
    if (tables === undefined || tables === "fence") {
      epoch += 1;
      number = 0;
      continue;
    }
    if (tables !== "index") yield* tables.batches;
    number += 1;
  }
}

/** The disk's, one at a time. */
class LocalBatches {
  readonly #log: ReadDiskLog;
  #batches: readonly ShippedBatch[] = [];
  #index = 0;
  #nextLsn: number;

  constructor(log: ReadDiskLog, fromLsn: number) {
    this.#log = log;
    this.#nextLsn = fromLsn;
  }

  async next(): Promise<ShippedBatch | undefined> {
    if (this.#index === this.#batches.length) {
      this.#batches = (await this.#log(this.#nextLsn)) ?? [];
      this.#index = 0;
    }
    const batch = this.#batches[this.#index];
    if (batch === undefined) return undefined;
    this.#index += 1;
    const { startLsn, payload } = batch;
    const [payloadBytes, wallMs] = [payload.length, batch.wallMs];
    this.#nextLsn = endOfBatch({ startLsn, payloadBytes, wallMs, payloadCrc: 0, offset: 0 });
    return batch;
  }
}

const isSame = ({ startLsn, payload }: ShippedBatch, entry: BatchEntry): boolean =>
  startLsn === entry.startLsn &&
  payload.length === entry.payloadBytes &&
  crc32(payload) === entry.payloadCrc;

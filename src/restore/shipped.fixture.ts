/**
 * A BUCKET MADE OF A CLOSED STORE, step by step, with the codecs of flush/: what a test wants to be in
 * it and nothing else. What ships a store that is open is not needed for it.
 */
import type { Env } from "../base/env.ts";
import { chunkId, lsn } from "../base/units.ts";
import {
  Bucket,
  claimEpoch,
  encodeLogObject,
  encodeManifestObject,
  NumberedWriter,
  newPutId,
  type ShippedBatch,
} from "../flush/index.ts";
import {
  type KeyValuePair,
  type Manifest,
  type OpenKeyValueStore,
  openManifest,
} from "../manifest/index.ts";
import { chunkPath } from "../page-store/index.ts";
import { bucketKey, type ObjectStore } from "../sink/index.ts";
import { batchBytes, CommitScan, SegmentIndexBuilder, segmentItems } from "../wal/index.ts";

export interface ShippingPlace {
  readonly env: Env;
  readonly directory: string;
  readonly openKeyValueStore: OpenKeyValueStore;
  readonly objects: ObjectStore;
}

/** Tables that are of this disk only: segments, changes, cursors, jobs, journal, watermarks, history. */
const OF_THIS_DISK = new Set([4, 7, 8, 9, 10, 13, 15, 17]);
const META = 1;

export class Shipping {
  readonly #objects: ObjectStore;
  readonly #batchesPerObject: number;
  #epoch = 0;
  #writers: { readonly wal: NumberedWriter; readonly manifest: NumberedWriter } | undefined;
  readonly #number = { wal: 0, manifest: 0 };
  #endLsn = 0;
  #walNumber = 0;
  readonly #chunks = new Set<number>();

  constructor(objects: ObjectStore, batchesPerObject = 3) {
    this.#objects = objects;
    this.#batchesPerObject = batchesPerObject;
  }

  /** All that is new in the store, which is closed: chunks, log, a whole base. */
  async ship(place: ShippingPlace, { state = true } = {}): Promise<void> {
    const { env, directory, openKeyValueStore } = place;
    const manifest = await openManifest({
      openStore: openKeyValueStore,
      directory: `${directory}/manifest`,
      storeIdForNew: new Uint8Array(16),
      clock: env.clock,
    });
    const { storeId } = manifest.opened;
    await this.#begin(env, storeId);
    const batches = await batchesOf(place, storeId);
    const spilled = spilledIn(batches.filter(({ startLsn }) => startLsn >= this.#endLsn));
    await this.#shipChunks(place, manifest, spilled);
    await manifest.close();
    await this.#shipLog(batches, storeId);
    if (state) await this.#shipState(place, storeId);
  }

  async #begin(env: Env, storeId: Uint8Array): Promise<void> {
    if (this.#writers !== undefined) return;
    const bucket = new Bucket(this.#objects, storeId);
    const dice = { random: env.random, wallMs: env.clock.wallMs() };
    await bucket.identify(dice);
    const epoch = await claimEpoch(bucket, dice);
    const { random } = env;
    this.#epoch = epoch;
    this.#writers = {
      wal: new NumberedWriter({ bucket, kind: "wal", epoch, random }),
      manifest: new NumberedWriter({ bucket, kind: "manifest", epoch, random }),
    };
  }

  async #shipChunks(
    { env, directory }: ShippingPlace,
    manifest: Manifest,
    spilled: readonly number[],
  ): Promise<void> {
    const rows = manifest.opened.chunks.map(({ chunk }) => chunk);
    const put: number[] = [];
    for (const chunk of new Set([...rows, ...spilled.map(chunkId)])) {
      if (this.#chunks.has(chunk)) continue;
      this.#chunks.add(chunk);
      const bytes = await readFile(env, chunkPath(directory, chunk));
      const key = bucketKey({ kind: "chunk", id: chunk, epoch: this.#epoch });
      await this.#objects.put(key, bytes, { putId: newPutId(env.random) });
      put.push(chunk);
    }
    const putRemoteChunks = manifest.opened.chunks
      .filter(({ chunk }) => this.#chunks.has(chunk))
      .map(({ chunk, fileBytes }) => {
        const row = { chunk, fileBytes, epoch: this.#epoch, bornGeneration: 0, namedLsn: lsn(0) };
        return row;
      });
    await manifest.publish({ putRemoteChunks });
  }

  async #shipLog(batches: readonly ShippedBatch[], storeId: Uint8Array): Promise<void> {
    const fresh = batches.filter(({ startLsn }) => startLsn >= this.#endLsn);
    for (let at = 0; at < fresh.length; at += this.#batchesPerObject) {
      const some = fresh.slice(at, at + this.#batchesPerObject);
      const streams = new SegmentIndexBuilder(some[0]?.startLsn ?? 0);
      for (const { startLsn, payload } of some) {
        const scan = new CommitScan({ startLsn, payload, place: { file: "log", offset: 0 } });
        for (let next = scan.next(); next !== undefined; next = scan.next()) streams.add(next);
      }
      const number = this.#number.wal++;
      const named = spilledIn(some).map((chunk) => ({ chunk, epoch: this.#epoch }));
      await this.#writers?.wal.append(
        encodeLogObject({
          ...{ storeId, epoch: this.#epoch, number, gap: false },
          ...{ batches: some, streams, spilled: named },
        }),
      );
      const last = some.at(-1) as ShippedBatch;
      this.#endLsn = last.startLsn + batchBytes(last.payload.length);
      this.#walNumber = number;
    }
  }

  async #shipState({ env, directory, openKeyValueStore }: ShippingPlace, storeId: Uint8Array) {
    const manifest = await openManifest({
      openStore: openKeyValueStore,
      directory: `${directory}/manifest`,
      storeIdForNew: new Uint8Array(16),
      clock: env.clock,
    });
    const { generation, opened } = manifest;
    await manifest.close();
    const store = await openKeyValueStore(`${directory}/manifest`);
    const rows = [...store.range(Uint8Array.of(0), Uint8Array.of(255))].filter(isShipped);
    await store.close();
    const baseNumber = this.#number.manifest;
    const fields = {
      ...{ storeId, epoch: this.#epoch, generation, baseNumber, fencedBelow: this.#epoch },
      checkpointLsn: opened.checkpointLsn,
      maxLsn: Math.max(opened.checkpointLsn, opened.catalogueLsn),
      wallMs: env.clock.wallMs(),
      ...{ walEpoch: this.#epoch, walNumber: this.#walNumber, walEndLsn: this.#endLsn, part: 0 },
    };
    const base = { ...fields, kind: "base", number: baseNumber, whole: false, rows } as const;
    await this.#writers?.manifest.append(encodeManifestObject(base));
    const batch = { ...fields, kind: "batch", number: baseNumber + 1, whole: true } as const;
    await this.#writers?.manifest.append(encodeManifestObject({ ...batch, rows: [] }));
    this.#number.manifest += 2;
  }
}

/** The log of a closed store, in order. */
async function batchesOf(
  { env, directory }: ShippingPlace,
  storeId: Uint8Array,
): Promise<ShippedBatch[]> {
  const found = new Map<number, ShippedBatch>();
  for (const name of await env.storage.list(`${directory}/wal`)) {
    const bytes = await readFile(env, `${directory}/wal/${name}`);
    const sequence = Number.parseInt(name, 16);
    const view = (offset: number, length: number) => bytes.subarray(offset, offset + length);
    for (const item of segmentItems({ sizeBytes: bytes.length, view }, { storeId, sequence })) {
      if (item.type !== "batch") continue;
      const { startLsn, wallMs } = item.header;
      found.set(startLsn, { startLsn, wallMs, payload: item.payload.slice() });
    }
  }
  const batches = [...found.values()].sort((a, b) => a.startLsn - b.startLsn);
  while (batches.at(-1)?.payload.length === 0) batches.pop();
  return batches;
}

function spilledIn(batches: readonly ShippedBatch[]): number[] {
  const chunks: number[] = [];
  for (const { startLsn, payload } of batches) {
    const place = { file: "log", offset: 0 };
    const onSpill = ({ chunk }: { chunk: number }) => void chunks.push(chunk);
    const scan = new CommitScan({ startLsn, payload, place, onSpill });
    while (scan.next() !== undefined);
  }
  return chunks;
}

function isShipped({ key }: KeyValuePair): boolean {
  if (key[0] !== META) return !OF_THIS_DISK.has(key[0] ?? 0);
  const name = Buffer.from(key.subarray(1)).toString("latin1");
  return name === "store" || name === "state";
}

async function readFile(env: Env, path: string): Promise<Uint8Array> {
  const file = await env.storage.open(path, "read");
  const bytes = new Uint8Array(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

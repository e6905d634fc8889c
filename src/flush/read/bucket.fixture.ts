/**
 * A BUCKET AND ITS WRITER, for tests: real commits of a log, shipped by the encoders into a simulated
 * store, in objects as large as a test likes.
 */
import { createHash } from "node:crypto";
import { type Lsn, lsn, streamId } from "../../base/units.ts";
import { systemEnv } from "../../io/index.ts";
import { bucketKey, SimulatedStore, simulatedService } from "../../sink/index.ts";
import {
  CommitScan,
  LogCore,
  readBatchHeader,
  readPayload,
  SegmentIndexBuilder,
} from "../../wal/index.ts";
import { encodeBucketIdentity, encodeEpochClaim } from "../format/identity.ts";
import { isIndexNumber, LogIndexBuilder } from "../format/index-object.ts";
import {
  decodeLogTables,
  encodeLogObject,
  type ShippedBatch,
  type SpilledChunk,
} from "../format/log-object.ts";
import { encodeManifestObject, type ManifestObject } from "../format/manifest-object.ts";
import { encodeFence } from "../format/object-frame.ts";
import type { RowChange } from "../format/row-blocks.ts";
import { BucketReader } from "./bucket-reader.ts";
import type { ObjectRef } from "./object-reader.ts";

export const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
const { clock } = systemEnv({ scratchDirectory: "/tmp" });
const NONCE = new Uint8Array(16).fill(7);

/** A commit that a test knows of. */
export interface KnownCommit {
  readonly stream: number;
  readonly lsn: Lsn;
  readonly text: string;
}

export class TestBucket {
  readonly service = simulatedService(1);
  readonly store = new SimulatedStore({ service: this.service, clock });
  readonly commits: KnownCommit[] = [];
  epoch = 0;
  #puts = 0;
  #numbers = { wal: 0, manifest: 0 };
  #index = new LogIndexBuilder();
  #baseNumber = 0;
  #generation = 0;
  #wallMs = 1000;
  #shippedLsn = 0;
  #batches: ShippedBatch[] = [];
  readonly #spilled: SpilledChunk[] = [];
  readonly #core = new LogCore({
    storeId: STORE_ID,
    lsn: lsn(0),
    bufferBytes: 8192,
    memory: { allocate: (bytes: number) => new Uint8Array(bytes), release: () => {} },
    wallMs: 0,
  });

  static async make(): Promise<TestBucket> {
    const bucket = new TestBucket();
    const identity = encodeBucketIdentity({ storeId: STORE_ID, createdAtMs: 5 });
    await bucket.put(bucketKey({ kind: "store" }), identity);
    await bucket.claim();
    return bucket;
  }

  get endLsn(): number {
    return this.#core.durableEnd;
  }

  get wallMs(): number {
    return this.#wallMs;
  }

  async reader(): Promise<BucketReader> {
    const reader = await BucketReader.open(this.store);
    if (reader === undefined) throw new Error("the bucket has no store.json");
    return reader;
  }

  /** The next epoch, which begins its numbers anew. */
  async claim(): Promise<void> {
    this.epoch += 1;
    this.#numbers = { wal: 0, manifest: 0 };
    this.#index = new LogIndexBuilder();
    const claim = { storeId: STORE_ID, epoch: this.epoch, claimedAtMs: 5, nonce: NONCE };
    await this.put(bucketKey({ kind: "epoch", epoch: this.epoch }), encodeEpochClaim(claim));
  }

  /** Ends the numbers of the epoch where they are, or at a given number. */
  async fence(of: ObjectRef["kind"], number = this.#numbers[of]): Promise<void> {
    const identity = { storeId: STORE_ID, epoch: this.epoch, number };
    const body = encodeFence({ ...identity, of, byEpoch: this.epoch + 1, wallMs: 9, nonce: NONCE });
    await this.put(bucketKey({ kind: of, epoch: this.epoch, number }), body);
  }

  /** The next number is left to whatever lies there. */
  skip(kind: ObjectRef["kind"]): void {
    this.#numbers[kind] += 1;
  }

  /** One commit. What is larger than a buffer spans batches. */
  commit(stream: number, text: string): KnownCommit {
    this.#core.begin(streamId(stream));
    this.#core.records(new Uint8Array(Buffer.from(text)));
    const at = this.#core.seal({ pageCount: 0, pageBytes: 0 });
    const commit = { stream, lsn: at, text };
    this.commits.push(commit);
    return commit;
  }

  spill(chunk: SpilledChunk): void {
    this.#spilled.push(chunk);
  }

  /** Makes what was committed durable, as batches that wait to be shipped. */
  write(): void {
    while (this.#core.nextWriteBytes > 0) {
      this.#wallMs += 10;
      const job = this.#core.startWrite({ sequence: 1, wallMs: this.#wallMs });
      const header = readBatchHeader(job.bytes, { storeId: STORE_ID, sequence: 1 });
      const payload = header && readPayload(job.bytes, header)?.slice();
      if (header === undefined || payload === undefined) throw new Error("a batch that is none");
      this.#batches.push({ startLsn: header.startLsn, wallMs: header.wallMs, payload });
      this.#core.finishWrite(job);
      this.#core.finishSync(job);
    }
  }

  /** Writes, and ships all that waits in one object, or so many batches. Returns its number. */
  async ship({ batches = Number.POSITIVE_INFINITY, gap = false } = {}): Promise<number> {
    this.write();
    const shipped = this.#batches.splice(0, batches);
    const streams = new SegmentIndexBuilder(shipped[0]?.startLsn ?? 0);
    for (const { startLsn, payload } of shipped) {
      const scan = new CommitScan({ startLsn, payload, place: { file: "test", offset: 0 } });
      for (let next = scan.next(); next !== undefined; next = scan.next()) streams.add(next);
    }
    if (isIndexNumber(this.#numbers.wal)) await this.#shipIndex();
    const number = this.#numbers.wal++;
    const identity = { storeId: STORE_ID, epoch: this.epoch, number };
    const object = {
      ...identity,
      gap,
      batches: shipped,
      streams,
      spilled: this.#spilled.splice(0),
    };
    const body = encodeLogObject(object);
    await this.put(bucketKey({ kind: "wal", epoch: this.epoch, number }), body);
    const tables = decodeLogTables(body, body.length);
    if (tables.type === "log") {
      this.#index.add(tables.header, tables.streams);
      this.#shippedLsn = tables.header.endLsn;
    }
    return number;
  }

  /** Forgets batches that wait: they are lost. */
  lose(): void {
    this.write();
    this.#batches = [];
  }

  /** A new base of these parts, at the end of the log or at a checkpoint before. */
  async base(parts: readonly (readonly RowChange[])[], checkpointLsn = this.endLsn): Promise<void> {
    this.#baseNumber = this.#numbers.manifest;
    for (const [part, rows] of parts.entries()) {
      await this.#putManifest({ kind: "base", part, whole: false, rows }, checkpointLsn);
    }
  }

  /** Returns what `rows` takes. */
  async batch(
    rows: readonly RowChange[],
    whole = false,
  ): Promise<{ epoch: number; number: number }> {
    const number = await this.#putManifest({ kind: "batch", part: 0, whole, rows });
    return { epoch: this.epoch, number };
  }

  /** At once: what a store makes of a put is tested elsewhere. */
  async put(key: string, body: Uint8Array): Promise<void> {
    this.#puts += 1;
    const metadata = {
      "bop-put-id": this.#puts.toString(16).padStart(32, "0"),
      "bop-sha256": createHash("sha256").update(body).digest("hex"),
    };
    this.service.bucket.put({ key, body, metadata, ifAbsent: false }, 0);
  }

  async #putManifest(
    fields: Pick<ManifestObject, "kind" | "part" | "whole" | "rows">,
    maxLsn = this.endLsn,
  ): Promise<number> {
    const number = this.#numbers.manifest++;
    this.#generation += 1;
    this.#wallMs += 10;
    const place = { storeId: STORE_ID, epoch: this.epoch, number, baseNumber: this.#baseNumber };
    const body = encodeManifestObject({
      ...place,
      ...fields,
      generation: this.#generation,
      checkpointLsn: maxLsn,
      maxLsn,
      wallMs: this.#wallMs,
      fencedBelow: this.epoch,
      walEpoch: this.epoch,
      walNumber: Math.max(0, this.#numbers.wal - 1),
      walEndLsn: this.#shippedLsn,
    });
    await this.put(bucketKey({ kind: "manifest", epoch: this.epoch, number }), body);
    return number;
  }

  async #shipIndex(): Promise<void> {
    const number = this.#numbers.wal++;
    const body = this.#index.finish({ storeId: STORE_ID, epoch: this.epoch, number });
    await this.put(bucketKey({ kind: "wal", epoch: this.epoch, number }), body);
  }
}

export const row = (key: string, value?: string): RowChange => {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text));
  return value === undefined ? { key: bytes(key) } : { key: bytes(key), value: bytes(value) };
};

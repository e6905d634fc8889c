/**
 * A STORE AS FAR AS SHIPPING ITS MANIFEST GOES: a real manifest in a simulated world, chunk files on
 * its disk, a log of empty batches that is shipped by hand, a simulated bucket. What that really holds
 * is for its oracle to say.
 */
import { present } from "../../base/assert.ts";
import type { Env } from "../../base/env.ts";
import { type ChunkId, chunkId, lsn, streamId } from "../../base/units.ts";
import { ChunkEncoder } from "../../chunk/index.ts";
import { type SeededRandom, type SimulatedWorld, seeded, simulatedWorld } from "../../io/index.ts";
import {
  type KeyValuePair,
  type Manifest,
  type MemoryStores,
  manifestOfRows,
  memoryStores,
  type OpenKeyValueStore,
  openManifest,
  RowFeed,
  writeManifest,
} from "../../manifest/index.ts";
import { type SimulatedService, SimulatedStore, simulatedService } from "../../sink/index.ts";
import { SegmentIndexBuilder } from "../../wal/index.ts";
import { ChunkFetcher } from "../fetch/chunk-fetcher.ts";
import { encodeLogObject } from "../format/log-object.ts";
import { Bucket } from "../lineage/bucket.ts";
import { claimEpoch } from "../lineage/claim-epoch.ts";
import { NumberedWriter } from "../lineage/numbered-writer.ts";
import { takeOver } from "../lineage/take-over.ts";
import { BucketOracle } from "./bucket-oracle.fixture.ts";
import { ManifestShipper } from "./manifest-shipper.ts";
import type { WalPosition } from "./ports.ts";
import type { RetentionPolicy } from "./retention.ts";

export const STORE_ID = Uint8Array.from({ length: 16 }, (_, at) => at);
const PAGE_BYTES = 512;
const BATCH_BYTES = 4096;
const MAP_ROWS = 6;
const KEEP: RetentionPolicy = { keepForMs: 24 * 60 * 60 * 1000, daily: 0, weekly: 0 };

export interface WorldOptions {
  readonly retention?: RetentionPolicy;
  readonly feedBytes?: number;
  /** What the manifest lies in, with a trouble of its own. */
  readonly over?: (open: OpenKeyValueStore) => OpenKeyValueStore;
}

export class ShippingWorld {
  readonly world: SimulatedWorld;
  readonly service: SimulatedService;
  readonly random: SeededRandom;
  readonly stores: MemoryStores;
  readonly oracle: BucketOracle;
  readonly #options: WorldOptions;
  env: Env;
  manifest!: Manifest;
  feed!: RowFeed;
  shipper!: ManifestShipper;
  remote!: ChunkFetcher;
  bucket!: Bucket;
  epoch = 0;
  /** Of the log, which nobody writes. */
  durableLsn = BATCH_BYTES;
  shippedLsn = 0;
  wal: WalPosition | undefined;
  #walWriter!: NumberedWriter;
  #walBody: { body: Uint8Array; endLsn: number } | undefined;
  #nextChunk = 1;
  /** The chunk of each row of the page map. */
  readonly #rows: (ChunkId | undefined)[] = [];
  /** Chunks that a commit of the log spilled, not shipped yet. */
  spilled: ChunkId[] = [];
  #dead: { chunk: ChunkId; diedAtLsn: number }[] = [];

  constructor(seed: number, options: WorldOptions = {}) {
    this.world = simulatedWorld({ seed });
    this.service = simulatedService(seed + 1);
    this.random = seeded(seed + 2);
    this.stores = memoryStores(seeded(seed + 3));
    this.#options = options;
    this.env = this.world.start();
    this.oracle = new BucketOracle(this.service, () => this.env.clock.monotonicMs());
  }

  get store(): SimulatedStore {
    const { service, env } = this;
    return new SimulatedStore({ service, clock: env.clock, timeoutMs: 500 });
  }

  chunkPath(chunk: ChunkId): string {
    return `/store/chunks/${chunk}`;
  }

  /** Opens the store, claims an epoch, takes over, begins to ship. */
  async open(): Promise<void> {
    const { env, world, stores } = this;
    const { feedBytes: limitBytes, retention = KEEP, over = (open) => open } = this.#options;
    await env.storage.mkdir("/store/chunks");
    this.feed = new RowFeed({ clock: env.clock, file: "", ...(limitBytes && { limitBytes }) });
    this.manifest = await openManifest({
      openStore: this.feed.over(over(stores.openerFor(env))),
      directory: "/store/manifest",
      storeIdForNew: STORE_ID,
      clock: env.clock,
    });
    const { store } = this;
    const { opened } = this.manifest;
    const remote = new ChunkFetcher({ store, clock: env.clock, opened });
    this.feed.onCommit((rows) => remote.learn(rows));
    this.remote = remote;
    this.shipper = new ManifestShipper({
      env: { ...env, random: world.random.fork() },
      store,
      storeId: STORE_ID,
      manifest: this.manifest,
      feed: this.feed,
      chunkPath: (chunk) => this.chunkPath(chunk),
      remote,
      retention,
    });
    this.#dead = [];
    await this.begin();
  }

  /** The next epoch. */
  async begin(): Promise<void> {
    const { env } = this;
    await this.shipper.settled();
    const random = this.random.fork();
    this.bucket = new Bucket(this.store, STORE_ID);
    const dice = { random, wallMs: Math.floor(env.clock.wallMs()) };
    await this.bucket.identify(dice);
    this.epoch = await claimEpoch(this.bucket, { ...dice, known: this.epoch });
    const lineage = await takeOver(this.bucket, { ...dice, epoch: this.epoch });
    const { lastWal } = lineage;
    this.shippedLsn = lineage.endLsn ?? 0;
    this.wal = lastWal && { ...lastWal, endLsn: lsn(lastWal.endLsn) };
    const startLsn = lsn(this.shippedLsn);
    const row = { epoch: this.epoch, startLsn, claimedAtMs: dice.wallMs };
    await this.manifest.publish({ putEpochs: [row] });
    this.#walWriter = new NumberedWriter({
      bucket: this.bucket,
      kind: "wal",
      epoch: this.epoch,
      random,
    });
    this.#walBody = undefined;
    await this.shipper.start({
      bucket: this.bucket,
      epoch: this.epoch,
      lineage,
      checkpointLsnMin: lsn(0),
      shipped: async (upTo) => {
        while (this.shippedLsn < upTo) await this.shipLog();
      },
      wal: () => this.wal,
      hasNews: () => undefined,
    });
  }

  /** Ships all of the log that is durable, in one object. */
  async shipLog(): Promise<void> {
    if (this.#walBody === undefined && this.shippedLsn < this.durableLsn) {
      const wallMs = Math.floor(this.env.clock.wallMs());
      const batches = [];
      for (let at = this.shippedLsn; at < this.durableLsn; at += BATCH_BYTES) {
        batches.push({ startLsn: at, wallMs, payload: new Uint8Array(0) });
      }
      const endLsn = this.durableLsn;
      const chunks = this.spilled;
      const spilled = await this.shipper.ensureChunks(chunks, lsn(endLsn));
      this.spilled = this.spilled.filter((chunk) => !chunks.includes(chunk));
      const streams = new SegmentIndexBuilder(this.shippedLsn);
      const { epoch } = this;
      const { number } = this.#walWriter;
      const of = { storeId: STORE_ID, epoch, number, gap: false };
      this.#walBody ??= { body: encodeLogObject({ ...of, batches, streams, spilled }), endLsn };
    }
    const unsent = this.#walBody;
    if (unsent === undefined) return;
    const number = await this.#walWriter.append(unsent.body);
    if (this.#walBody !== unsent) return;
    this.#walBody = undefined;
    this.shippedLsn = unsent.endLsn;
    this.wal = { epoch: this.epoch, number, endLsn: lsn(unsent.endLsn) };
  }

  /** A file of one page. */
  async newChunk(damage = false): Promise<ChunkId> {
    const chunk = chunkId(this.#nextChunk++);
    const start = { chunk, generation: 1, storeId: STORE_ID };
    const encoder = new ChunkEncoder(start, new Uint8Array(4096));
    const image = new Uint8Array(PAGE_BYTES).fill(chunk);
    encoder.add({ stream: 1, pageNumber: 1, lsn: lsn(1), image });
    const body = encoder.pending().bytes.slice();
    encoder.drained();
    const { header, end } = encoder.finish();
    const whole = new Uint8Array(Buffer.concat([body, end]));
    whole.set(header, 0);
    if (damage) whole[200] = (whole[200] ?? 0) ^ 1;
    const file = await this.env.storage.open(this.chunkPath(chunk), "create");
    await file.write(whole, 0);
    await file.sync();
    await file.close();
    await this.env.storage.syncDirectory("/store/chunks");
    return chunk;
  }

  /** Time passes in the log. */
  commit(): void {
    this.durableLsn += BATCH_BYTES;
  }

  /** A checkpoint gives some rows of the page map chunks of their own; those of before go. */
  async checkpoint(adopted?: ChunkId): Promise<void> {
    this.commit();
    const checkpointLsn = lsn(this.durableLsn);
    const rows = [...new Set([0, 1].map(() => this.random.below(MAP_ROWS)))];
    const before = [...this.#rows];
    for (const [n, row] of rows.entries()) {
      this.#rows[row] = n === 0 && adopted !== undefined ? adopted : await this.newChunk();
    }
    const gone = rows.flatMap((row) => before[row] ?? []);
    await this.manifest.publish({
      checkpointLsn,
      durableLsn: checkpointLsn,
      nextStreamId: streamId(2),
      nextChunkId: chunkId(this.#nextChunk),
      putDatabases: [DATABASE],
      putMapRows: rows.map((row) => mapRow(row, present(this.#rows[row], "a chunk"))),
      putChunks: rows.map((row) => chunkRow(present(this.#rows[row], "a chunk"))),
      removeChunks: gone,
    });
    for (const chunk of gone) this.#dead.push({ chunk, diedAtLsn: checkpointLsn });
    await this.removeDead();
  }

  /** As the page store does. */
  async removeDead(): Promise<void> {
    const goes = this.#dead.filter(({ diedAtLsn }) => this.shipper.mayForget(lsn(diedAtLsn)));
    this.#dead = this.#dead.filter((each) => !goes.includes(each));
    for (const { chunk } of goes) {
      await this.env.storage.unlink(this.chunkPath(chunk)).catch(() => undefined); // It was let go.
    }
  }

  /** Rounds, however often they fail, until nothing is due. */
  async shipAll(): Promise<void> {
    do {
      await this.shipper.round();
      await this.shipper.settled();
    } while (this.shipper.isDue(0));
  }

  /** The manifest is lost: the next one is made of the rows of the newest state in the bucket. */
  async fromNewestState(): Promise<void> {
    const { rows } = present(this.oracle.states().at(-1), "a state in the bucket");
    const pairs: KeyValuePair[] = [];
    for (const { key, value } of rows.values()) if (value !== undefined) pairs.push({ key, value });
    this.stores.lose("/store/manifest");
    const store = await this.stores.openerFor(this.env)("/store/manifest");
    const facts = { generationFloor: 0, durableLsn: lsn(0), segments: [] };
    await writeManifest(store, manifestOfRows(pairs, "bucket"), facts);
    await store.close();
  }

  /** The process ends; a new one has the disk. */
  crash(): void {
    this.world.kill();
    this.env = this.world.start();
  }
}

const DATABASE = {
  stream: streamId(1),
  state: "live" as const,
  name: "tenant",
  engine: "sqlite" as const,
  pageBytes: PAGE_BYTES,
  pageCount: 1,
  lsn: lsn(0),
  createdAtMs: 0,
  createdLsn: lsn(0),
  family: streamId(1),
  flat: true,
};

function mapRow(rowIndex: number, chunk: ChunkId) {
  const locations = new Float64Array(512).fill(chunk * 2 ** 24 + 16, 0, 1);
  return { stream: streamId(1), rowIndex, fromLsn: lsn(0), locations };
}

function chunkRow(chunk: ChunkId) {
  const counts = { pageCount: 1, livePages: 1, references: 1 };
  return { chunk, kind: "pages" as const, fileBytes: 736, ...counts };
}

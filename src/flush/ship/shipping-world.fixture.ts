/**
 * A STORE AS FAR AS SHIPPING ITS MANIFEST GOES: a real manifest in a simulated world, chunk files on
 * its disk, a log of empty batches that is shipped by hand, a simulated bucket. And the oracle: what
 * the bucket really holds, read from its objects alone. It is over 400 lines because the two have
 * one world in common.
 */
import { present } from "../../base/assert.ts";
import type { Env } from "../../base/env.ts";
import { type ChunkId, chunkId, lsn, streamId } from "../../base/units.ts";
import { ChunkEncoder } from "../../chunk/index.ts";
import { type SeededRandom, type SimulatedWorld, seeded, simulatedWorld } from "../../io/index.ts";
import {
  type KeyValueOperation,
  type Manifest,
  type MemoryStores,
  memoryStores,
  openManifest,
  type RemoteFact,
  RowFeed,
  remoteFactOf,
} from "../../manifest/index.ts";
import {
  bucketKey,
  PREFIXES,
  parseKey,
  type SimulatedService,
  SimulatedStore,
  simulatedService,
} from "../../sink/index.ts";
import { SegmentIndexBuilder } from "../../wal/index.ts";
import { ChunkFetcher } from "../fetch/chunk-fetcher.ts";
import { decodeLogTables, encodeLogObject, type LogTables } from "../format/log-object.ts";
import { decodeManifestIndex } from "../format/manifest-object.ts";
import type { ManifestHeader } from "../format/object-header.ts";
import { decodeBlock } from "../format/row-blocks.ts";
import { Bucket } from "../lineage/bucket.ts";
import { claimEpoch } from "../lineage/claim-epoch.ts";
import { NumberedWriter } from "../lineage/numbered-writer.ts";
import { takeOver } from "../lineage/take-over.ts";
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
}

/** A state of the bucket, and whether it can be restored. */
export interface FoundState {
  readonly header: ManifestHeader;
  readonly rows: ReadonlyMap<string, KeyValueOperation>;
  /** Undefined if everything is there. */
  readonly lacks: string | undefined;
}

interface DecodedObject {
  readonly header: ManifestHeader;
  readonly rows: readonly (readonly [key: string, row: KeyValueOperation])[];
}

export class ShippingWorld {
  readonly world: SimulatedWorld;
  readonly service: SimulatedService;
  readonly random: SeededRandom;
  readonly stores: MemoryStores;
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
  readonly #objects = new Map<string, DecodedObject>();
  readonly #facts = new WeakMap<KeyValueOperation, RemoteFact | undefined>();
  #seen: { readonly calls: number; readonly logs: readonly LogTables[] } | undefined;
  readonly #logs = new Map<string, LogTables | undefined>();
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
    const { feedBytes: limitBytes, retention = KEEP } = this.#options;
    await env.storage.mkdir("/store/chunks");
    this.feed = new RowFeed({ clock: env.clock, file: "", ...(limitBytes && { limitBytes }) });
    this.manifest = await openManifest({
      openStore: this.feed.over(stores.openerFor(env)),
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
    do await this.shipper.round();
    while (this.shipper.isDue(0));
  }

  /** The process ends; a new one has the disk. */
  crash(): void {
    this.world.kill();
    this.env = this.world.start();
  }

  /** The objects of the bucket, as they lie there. */
  object(key: string): Uint8Array | undefined {
    return this.service.bucket.find(key, this.env.clock.monotonicMs())?.body;
  }

  keys(): string[] {
    return this.service.bucket.keys(this.env.clock.monotonicMs());
  }

  /** Every state that a reader would find in the bucket, oldest first. */
  states(): FoundState[] {
    const states: FoundState[] = [];
    const rows = new Map<string, KeyValueOperation>();
    let chain: { epoch: number; baseNumber: number; next: number } | undefined;
    for (const key of this.keys()) {
      const place = parseKey(key);
      if (place?.kind !== "manifest") continue;
      const object = this.#decoded(key);
      if (object === undefined) continue; // A fence.
      const { header } = object;
      if (header.kind === "base" && header.part === 0) {
        rows.clear();
        chain = { epoch: header.epoch, baseNumber: header.number, next: header.number };
      }
      const follows = chain?.epoch === header.epoch && chain.baseNumber === header.baseNumber;
      if (chain === undefined || !follows || chain.next !== header.number) continue;
      chain.next += 1;
      for (const [text, row] of object.rows) {
        if (row.value === undefined) rows.delete(text);
        else rows.set(text, row);
      }
      if (header.kind === "base") continue;
      const state = { header, rows: new Map(rows) };
      states.push({ ...state, lacks: this.lacks(state, header.maxLsn) });
    }
    return states;
  }

  /** Objects never change. */
  #decoded(key: string): DecodedObject | undefined {
    const known = this.#objects.get(key);
    if (known !== undefined) return known;
    const bytes = present(this.object(key), "a key has an object");
    const index = decodeManifestIndex(bytes, bytes.length);
    if (index.type !== "manifest") return undefined;
    const rows = index.blocks.flatMap((entry) => {
      const block = decodeBlock(bytes.subarray(entry.offset, entry.offset + entry.bytes), entry);
      return present(block, "a block is as it was written");
    });
    const named = rows.map((row) => [Buffer.from(row.key).toString("hex"), row] as const);
    const object = { header: index.header, rows: named };
    this.#objects.set(key, object);
    return object;
  }

  /** What a restore of a state and of the log up to an LSN would miss. */
  lacks({ header, rows }: Omit<FoundState, "lacks">, upToLsn: number): string | undefined {
    const facts = [...rows.values()].map((row) => this.#fact(row));
    const epochs = new Map<ChunkId, number>();
    for (const fact of facts) {
      if (fact?.of === "remote chunk" && fact.row) epochs.set(fact.key, fact.row.epoch);
    }
    for (const fact of facts) {
      if (fact?.of !== "chunk") continue;
      const epoch = epochs.get(fact.key);
      if (epoch === undefined) return `chunk ${fact.key} has no row`;
      const key = bucketKey({ kind: "chunk", id: fact.key, epoch });
      if (this.object(key) === undefined) return `${key} is not there`;
    }
    return this.#lacksLog(header.checkpointLsn, upToLsn);
  }

  #fact(row: KeyValueOperation): RemoteFact | undefined {
    if (!this.#facts.has(row)) this.#facts.set(row, remoteFactOf(row, ""));
    return this.#facts.get(row);
  }

  #log(key: string): LogTables | undefined {
    if (this.#logs.has(key)) return this.#logs.get(key);
    const bytes = present(this.object(key), "a key has an object");
    const tables = decodeLogTables(bytes, bytes.length);
    this.#logs.set(key, tables.type === "log" ? tables : undefined);
    return this.#logs.get(key);
  }

  /** Log objects in order; read again when somebody has called the service since. */
  #allLogs(): readonly LogTables[] {
    const { calls } = this.service;
    if (this.#seen?.calls !== calls) {
      const keys = this.keys().filter((key) => key.startsWith(PREFIXES.wal));
      this.#seen = { calls, logs: keys.flatMap((key) => this.#log(key) ?? []) };
    }
    return this.#seen.logs;
  }

  #lacksLog(fromLsn: number, upToLsn: number): string | undefined {
    let at = fromLsn;
    for (const tables of this.#allLogs()) {
      if (at >= upToLsn) break;
      const { firstLsn, endLsn } = tables.header;
      if (firstLsn > at || endLsn <= at) continue;
      for (const { chunk, epoch } of tables.spilled) {
        const name = bucketKey({ kind: "chunk", id: chunk, epoch });
        if (this.object(name) === undefined) return `${name}, which the log names, is not there`;
      }
      at = endLsn;
    }
    return at >= upToLsn ? undefined : `the log ends at ${at} of ${upToLsn}`;
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

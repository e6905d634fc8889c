/**
 * A STORE THAT IS NOTHING BUT WHAT IS SHIPPED: the log, the manifest and the controller on a simulated
 * machine, before a simulated bucket. Commits are entries that carry their own number.
 */
import type { Env } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { type ChunkId, LSN_ZERO, type Lsn, streamId } from "../../base/units.ts";
import { DeadProcessError, type SimulatedWorld, seeded, simulatedWorld } from "../../io/index.ts";
import {
  type Manifest,
  type ManifestState,
  type MemoryStores,
  memoryStores,
  openManifest,
  RowFeed,
} from "../../manifest/index.ts";
import {
  bucketKey,
  CountedStore,
  Retrier,
  RetryingStore,
  type SimulatedService,
  SimulatedStore,
  simulatedService,
} from "../../sink/index.ts";
import { batchBytes, CommitAssembler } from "../../wal/index.ts";
import { type LogLimits, recoverLog, type StoredLog } from "../../write/index.ts";
import { ChunkFetcher } from "../fetch/chunk-fetcher.ts";
import { decodeLogTables, readShippedBatch, type ShippedBatch } from "../format/log-object.ts";
import { decodeObjectHeader } from "../format/object-header.ts";
import { BucketArchive } from "./bucket-archive.ts";
import { FlushController } from "./flush-controller.ts";
import { ManifestShipper } from "./manifest-shipper.ts";
import type { FlushControllerOptions, ManifestPump } from "./ports.ts";
import { waitsFrom } from "./remembered.ts";

export const STORE_ID = Uint8Array.from({ length: 16 }, (_, at) => 16 - at);
export const STREAM = streamId(5);
const KEEP = { keepForMs: 7 * 24 * 3600 * 1000, daily: 0, weekly: 0 };

export interface Commit {
  readonly lsn: number;
  readonly id: number;
}

/** A machine: its disk outlives its processes. Several may share one bucket. */
export class Machine {
  readonly world: SimulatedWorld;
  readonly service: SimulatedService;
  #stores: MemoryStores;
  /** All that were sealed; those that a crash has lost are struck when it is opened again. */
  commits: Commit[] = [];
  #nextId = 1;

  constructor(seed: number, service = simulatedService(seed)) {
    this.world = simulatedWorld({ seed });
    this.service = service;
    this.#stores = memoryStores(seeded(seed + 1));
  }

  async open(env: Env, options: OpenOptions = {}): Promise<RunningStore> {
    const { clock, storage, random } = env;
    await storage.mkdir("/store/wal");
    await storage.syncDirectory("/");
    const feed = new RowFeed({ clock, file: "/store/manifest" });
    const openStore = feed.over(this.#stores.openerFor(env));
    const place = { directory: "/store/manifest", storeIdForNew: STORE_ID, clock };
    const manifest = await openManifest({ openStore, ...place });
    const log = await this.#openLog(env, { manifest, limits: options.limits });
    const bare = new SimulatedStore({
      service: this.service,
      clock,
      latencyMsMax: 20,
      timeoutMs: 5000,
    });
    const retrier = new Retrier({ clock, random }, { what: "bucket" });
    const store = new CountedStore(new RetryingStore(bare, retrier));
    const remote = new ChunkFetcher({ store, clock, opened: manifest.opened });
    feed.onCommit((rows) => remote.learn(rows));
    const chunkPath = (chunk: number) => `/store/chunks/${chunk}`;
    const parts = { env, store, storeId: STORE_ID, manifest, feed, chunkPath, remote };
    const shipper = new ManifestShipper({ ...parts, retention: KEEP });
    const marks = { checkpointLsn: manifest.opened.checkpointLsn };
    const pump = options.pump?.(shipper) ?? shipper;
    const shipping = {
      ...{ clock, random, store, storeId: STORE_ID, log, manifest, pump },
      requests: () => store.counts,
      retries: () => retrier.stats,
      checkpointLsn: () => marks.checkpointLsn,
      ...{ flushBytes: 64 * 1024, flushIntervalMs: 1000, epochMs: 3_600_000 },
      ...options.shipping,
    };
    return new RunningStore({ machine: this, env, log, manifest, marks, store, shipping });
  }

  async #openLog(
    env: Env,
    { manifest, limits }: { readonly manifest: Manifest; limits: Partial<LogLimits> | undefined },
  ): Promise<StoredLog> {
    const { opened } = manifest;
    const found: number[] = [];
    const recovered = await recoverLog(
      {
        env,
        driver: await env.storage.driver({ directory: "/store/wal", io: "auto" }),
        directory: "/store/wal",
        storeId: STORE_ID,
        registered: opened.segments,
        register: async (sequence) => void (await manifest.publish({ addSegments: [sequence] })),
        unregister: async (removeSegments) => void (await manifest.publish({ removeSegments })),
        checkpointLsn: opened.checkpointLsn,
        durableFloorLsn: opened.durableLsn,
        archive: new BucketArchive({
          store: new SimulatedStore({ service: this.service, clock: env.clock }),
          storeId: STORE_ID,
          shipped: opened.shipping,
        }),
        archivedLsn: opened.shipping?.shippedLsn ?? opened.checkpointLsn,
        shippedLsn: waitsFrom(opened),
        limits: { segmentBytes: 256 * 1024, bufferBytes: 128 * 1024, ...limits },
      },
      (commit) => found.push(commit.lsn),
    );
    const newest = found.at(-1) ?? opened.checkpointLsn;
    this.commits = this.commits.filter((each) => each.lsn <= newest);
    return await recovered.start();
  }

  /** What its manifest says, read by a process of its own. */
  async manifestState(): Promise<ManifestState> {
    const env = this.world.start();
    const openStore = this.#stores.openerFor(env);
    const place = { directory: "/store/manifest", storeIdForNew: STORE_ID, clock: env.clock };
    const manifest = await this.world.run(() => openManifest({ openStore, ...place }));
    this.world.kill();
    return manifest.opened;
  }

  /** Makes its manifest what it is now, later, when no process has it: an older copy was put back. */
  backup(): () => void {
    const then = this.#stores.copy(seeded(this.world.seed + 2));
    return () => {
      this.#stores = then;
    };
  }

  nextId(): number {
    return this.#nextId++;
  }

  /** A process of it, until it is done or dead. Of the dead, only failed checks are heard. */
  async live(life: (env: Env) => Promise<void>): Promise<void> {
    const env = this.world.start();
    try {
      await this.world.run(() => life(env));
    } catch (error) {
      const died = error instanceof DeadProcessError || error instanceof StorageError;
      if (!died || this.world.alive) throw error;
    }
  }
}

export interface OpenOptions {
  readonly limits?: Partial<LogLimits>;
  readonly shipping?: Partial<FlushControllerOptions>;
  readonly pump?: (real: ManifestPump) => ManifestPump;
}

/** A pump that does some things in another way. */
export function pumpOver(real: ManifestPump, other: Partial<ManifestPump>): ManifestPump {
  return {
    start: (begin, signal) => real.start(begin, signal),
    isDue: (nowMs) => real.isDue(nowMs),
    get nextDueMs() {
      return real.nextDueMs;
    },
    newBase: () => real.newBase(),
    round: (signal) => real.round(signal),
    settled: () => real.settled(),
    isSafe: (chunk) => real.isSafe(chunk),
    onlyRemote: () => real.onlyRemote(),
    ensureChunks: (chunks, upToLsn, signal) => real.ensureChunks(chunks, upToLsn, signal),
    ...other,
  };
}

/** Opened, and begun to ship. */
export async function shipping(
  machine: Machine,
  env: Env,
  options: OpenOptions = {},
): Promise<RunningStore> {
  const store = await machine.open(env, options);
  await store.controller.start();
  return store;
}

interface WhileShipping {
  readonly machine: Machine;
  readonly env: Env;
  readonly store: RunningStore;
  /** Before it was opened. */
  readonly startedMs: number;
}

/** A machine of its own, a store that ships there, and its end. */
export async function whileShipping(
  { seed, ...options }: OpenOptions & { readonly seed: number },
  work: (it: WhileShipping) => Promise<void>,
): Promise<void> {
  const machine = new Machine(seed);
  await machine.live(async (env) => {
    const startedMs = env.clock.monotonicMs();
    const store = await shipping(machine, env, options);
    await work({ machine, env, store, startedMs });
    await store.close();
  });
}

interface RunningParts {
  readonly machine: Machine;
  readonly env: Env;
  readonly log: StoredLog;
  readonly manifest: Manifest;
  readonly marks: { checkpointLsn: Lsn };
  readonly store: CountedStore;
  readonly shipping: FlushControllerOptions;
}

/** A process that has the store open. */
export class RunningStore {
  readonly controller: FlushController;
  readonly log: StoredLog;
  readonly env: Env;
  readonly #parts: RunningParts;

  constructor(parts: RunningParts) {
    this.#parts = parts;
    this.log = parts.log;
    this.env = parts.env;
    this.controller = new FlushController(parts.shipping);
  }

  /** Durable on return. */
  async commit(bytes: number, { spilled }: { readonly spilled?: ChunkId } = {}): Promise<Lsn> {
    const { machine, log } = this.#parts;
    const staged = log.stage(STREAM);
    const entry = new Uint8Array(8 + bytes);
    const id = machine.nextId();
    new DataView(entry.buffer).setFloat64(0, id);
    staged.entry(entry);
    if (spilled !== undefined) {
      staged.spill({ chunk: spilled, fileBytes: 8192, pageCount: 1, directoryCrc: 7 });
    }
    const commitLsn = staged.seal({ pageCount: 0, pageBytes: 0 });
    machine.commits.push({ lsn: commitLsn, id });
    await log.durable(commitLsn);
    return commitLsn;
  }

  /** Resolves when the bucket has it. */
  async remote(upToLsn: Lsn): Promise<void> {
    const { controller } = this;
    while (controller.remoteLsn < upToLsn) {
      controller.wanted(upToLsn);
      await this.env.clock.sleep(5);
    }
  }

  async checkpoint(): Promise<void> {
    const { log, manifest, marks } = this.#parts;
    const checkpointLsn = log.durableLsn;
    await manifest.publish({
      checkpointLsn,
      durableLsn: checkpointLsn,
      catalogueLsn: checkpointLsn,
    });
    marks.checkpointLsn = checkpointLsn;
    await log.release(checkpointLsn);
    this.controller.checkpointed();
  }

  /** Changes the manifest, and not the log. */
  async snapshot(name: string): Promise<void> {
    const { log, manifest } = this.#parts;
    const row = { stream: streamId(0), name, lsn: log.durableLsn, createdAtMs: 0 };
    await manifest.publish({ putSnapshots: [row] });
    this.controller.checkpointed();
  }

  async close(timeoutMs = 60_000): Promise<void> {
    const { log, manifest, store } = this.#parts;
    await this.controller.close({ timeoutMs });
    await log.close();
    await manifest.close();
    await store.close();
  }
}

/** What a reader who knows nothing but the formats finds: each epoch up to its first fence. */
export function batchesInBucket({ bucket }: SimulatedService): readonly ShippedBatch[] {
  const nowMs = Number.MAX_SAFE_INTEGER;
  const batches: ShippedBatch[] = [];
  for (let epoch = 1; bucket.find(bucketKey({ kind: "epoch", epoch }), nowMs); epoch++) {
    for (let number = 0; ; number++) {
      const body = bucket.find(bucketKey({ kind: "wal", epoch, number }), nowMs)?.body;
      const answer = body && decodeObjectHeader(body);
      if (body === undefined || answer?.type !== "header" || answer.header.kind === "fence") break;
      if (answer.header.kind === "index") continue;
      const tables = decodeLogTables(body, body.length);
      if (tables.type !== "log") throw new Error(`log object ${number} of ${epoch}`);
      for (const entry of tables.batches) {
        const payload = readShippedBatch(body.subarray(entry.offset), entry);
        if (payload === undefined) throw new Error(`a batch of ${number} of ${epoch}`);
        batches.push({ ...entry, payload });
      }
    }
  }
  return batches;
}

/** Those that can be put together from the beginning on. */
export function commitsInBucket(service: SimulatedService): readonly number[] {
  const found: number[] = [];
  let nextLsn: number | undefined;
  const assembler = new CommitAssembler(LSN_ZERO, ({ lsn, stream }) => {
    if (stream === STREAM) found.push(lsn);
  });
  for (const { startLsn, payload } of batchesInBucket(service)) {
    if (startLsn !== (nextLsn ?? startLsn)) throw new Error(`a gap before ${startLsn}`);
    assembler.take({ startLsn, payload, place: { file: "bucket", offset: 0 } });
    nextLsn = startLsn + batchBytes(payload.length);
  }
  return found;
}

/** A store that has shipped some checkpoints, each in a state of its own. */
export async function withShippedCheckpoints(machine: Machine): Promise<RunningStore> {
  const { world } = machine;
  const env = world.start();
  const store = await world.run(() => shipping(machine, env));
  await world.run(async () => {
    for (let i = 0; i < 5; i++) {
      await store.remote(await store.commit(1000));
      await store.checkpoint();
      await env.clock.sleep(2000);
    }
  });
  return store;
}

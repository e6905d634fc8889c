/**
 * A RIG FOR TESTS OF THE PAGE STORE: a page store over a simulated disk, a real manifest and a log in
 * memory, which can be ended at any moment and opened again.
 *
 * (1) What is on the disk, in the manifest and durable in the log outlives a process; nothing else.
 */
import type { Env } from "../base/env.ts";
import { CATALOGUE_STREAM, LSN_ZERO, type Lsn, type StreamId, streamId } from "../base/units.ts";
import { type SimulatedWorld, simulatedWorld } from "../io/index.ts";
import { type Manifest, type MemoryStores, memoryStores, openManifest } from "../manifest/index.ts";
import { CatalogueRig } from "./catalogue.fixture.ts";
import type { CheckpointResult } from "./checkpoint/checkpoint-request.ts";
import type { PageStoreLimits } from "./limits.ts";
import type { CatalogueDatabaseRow } from "./maintenance.ts";
import { MemoryLog } from "./memory-log.fixture.ts";
import type { PageSpace } from "./page-space.ts";
import { openPageStore, type PageStore } from "./page-store.ts";
import type { HealedChunk, RemoteChunks } from "./residency/remote-chunks.ts";

export const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
export const DIRECTORY = "/data";

interface Outlived {
  readonly world: SimulatedWorld;
  readonly stores: MemoryStores;
  readonly log: MemoryLog;
}

export interface RigOptions {
  readonly seed: number;
  readonly limits?: PageStoreLimits;
  /** Chunks that are not on the disk: one for each process. */
  readonly remote?: (env: Env) => RemoteChunks;
}

interface RunningProcess {
  readonly env: Env;
  readonly manifest: Manifest;
  readonly store: PageStore;
}

export class Rig {
  readonly world: SimulatedWorld;
  readonly log: MemoryLog;
  readonly stores;
  readonly live = new Set<StreamId>();
  /** Databases that are made by entries in the log. */
  readonly catalogue: CatalogueRig;
  /** See PageStoreOptions. */
  historyLsn: (() => Lsn) | undefined;
  settle: () => Promise<void> = () => Promise.resolve();
  #published = new Set<StreamId>();
  /** Of the processes that are started from now on. */
  limits: PageStoreLimits;
  /** What was healed, in all processes. */
  readonly healed: HealedChunk[] = [];
  readonly #remote: ((env: Env) => RemoteChunks) | undefined;
  #process: RunningProcess | undefined;
  readonly #removed: StreamId[] = [];

  private constructor({ seed, limits = {}, remote }: RigOptions, echo?: Outlived) {
    this.#remote = remote;
    this.world = echo?.world ?? simulatedWorld({ seed });
    this.stores = echo?.stores.copy(this.world.random) ?? memoryStores(this.world.random);
    this.log = echo?.log ?? new MemoryLog();
    this.catalogue = new CatalogueRig(this.log, () => this.store);
    this.limits = limits;
  }

  /** What is left of it in another world that a crash could have led to. Start it. */
  echo(world: SimulatedWorld, durableLsn: Lsn): Rig {
    const { stores, limits } = this;
    const remote = this.#remote;
    const log = this.log.echo(durableLsn);
    const options = { seed: world.seed, limits, ...(remote && { remote }) };
    const echo = new Rig(options, { world, stores, log });
    echo.historyLsn = this.historyLsn;
    echo.catalogue.after(this.catalogue);
    return echo;
  }

  static async open(options: RigOptions): Promise<Rig> {
    const rig = new Rig(options);
    await rig.start();
    return rig;
  }

  get store(): PageStore {
    return this.#running().store;
  }

  get manifest(): Manifest {
    return this.#running().manifest;
  }

  /** The database of a number; made at the first call. */
  space(stream: number): PageSpace {
    this.live.add(streamId(stream));
    return this.store.space(streamId(stream));
  }

  /** Of the newest process. What is done with it when that is dead fails, as it would. */
  get env(): Env {
    return this.#running().env;
  }

  /** Starts a process: opens, and replays the log. */
  start(): Promise<void> {
    return this.world.run(async () => {
      const env = this.world.start();
      const manifest = await openManifest({
        openStore: this.stores.openerFor(env),
        directory: `${DIRECTORY}/manifest`,
        storeIdForNew: STORE_ID,
        clock: env.clock,
      });
      const { storeId, checkpointLsn, databases } = manifest.opened;
      this.#published = new Set(databases.map(({ stream }) => stream));
      const { limits } = this;
      await env.storage.mkdir(DIRECTORY);
      await env.storage.syncDirectory("/");
      const history = () => this.historyLsn?.() ?? (Number.MAX_SAFE_INTEGER as Lsn);
      const remote = this.#remote?.(env);
      const onHealed = (healed: HealedChunk) => this.healed.push(healed);
      const store = await openPageStore({
        ...{ env, directory: DIRECTORY, storeId, manifest, limits },
        historyLsn: history,
        settle: () => this.settle(),
        onHealed,
        ...(remote && { remote }),
      });
      this.#process = { env, manifest, store };
      const commits = this.log.restart(checkpointLsn);
      this.catalogue.restart(manifest.opened, commits);
      for (const commit of commits) {
        if (commit.stream !== CATALOGUE_STREAM) store.replay(commit);
      }
      store.attach(this.log);
    });
  }

  async restart(how: "kill" | "power" | "close"): Promise<void> {
    if (how === "close") {
      this.log.makeDurable();
      await this.world.run(async () => {
        await this.store.close();
        await this.manifest.close();
      });
    }
    if (how === "power") this.world.powerCut();
    else this.world.kill();
    await this.start();
  }

  /** Drops a database. The frame that says so is taken to be durable. */
  drop(stream: number): void {
    const id = streamId(stream);
    this.live.delete(id);
    this.#removed.push(id);
    this.store.forget(id, this.log.newestLsn);
  }

  /** Begins a checkpoint: the world must go on for it to end. */
  beginCheckpoint(
    superblock: () => Promise<void> = () => Promise.resolve(),
  ): Promise<CheckpointResult> {
    const removed = [...this.#removed];
    const removable = (lsn: Lsn) => [...removed, ...this.catalogue.removable(lsn)];
    const beforePublish = async (lsn: Lsn) => {
      await this.publishCatalogue();
      await this.catalogue.publish(lsn);
    };
    return this.store.checkpoint({ removable, beforePublish, superblock });
  }

  checkpoint(): Promise<CheckpointResult> {
    this.log.makeDurable();
    return this.world.run(this.beginCheckpoint());
  }

  /** Databases that the manifest does not know of. */
  async publishCatalogue(): Promise<void> {
    const databases = [...this.live].filter((stream) => !this.#published.has(stream));
    if (databases.length === 0) return;
    await this.store.publishCatalogue({
      catalogueLsn: this.log.durableLsn,
      databases: databases.map(databaseRow),
      nextStreamId: streamId(1000),
      facts: [],
    });
    for (const stream of databases) this.#published.add(stream);
  }

  /** Names of chunk files on the disk. */
  chunkFiles(): Promise<readonly string[]> {
    return this.world.run(async () => {
      const { storage } = this.world.alive ? this.env : this.world.start();
      const names: string[] = [];
      for (const folder of await storage.list(`${DIRECTORY}/chunks`)) {
        for (const name of await storage.list(`${DIRECTORY}/chunks/${folder}`)) {
          names.push(`${DIRECTORY}/chunks/${folder}/${name}`);
        }
      }
      return names;
    });
  }

  #running(): RunningProcess {
    if (this.#process === undefined) throw new Error("no process is running");
    return this.#process;
  }
}

function databaseRow(stream: StreamId): CatalogueDatabaseRow {
  return {
    stream,
    state: "live",
    name: `tenant-${stream}`,
    engine: "sqlite",
    pageBytes: 512,
    createdAtMs: 0,
    createdLsn: LSN_ZERO,
    family: stream,
  };
}

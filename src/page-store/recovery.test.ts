import { describe, expect, test } from "vitest";
import type { Env } from "../base/env.ts";
import { LSN_ZERO, type Lsn, pageNumber, streamId } from "../base/units.ts";
import { type SeededRandom, type SimulatedWorld, simulatedWorld } from "../io/index.ts";
import { type MemoryStores, memoryStores, openManifest } from "../manifest/index.ts";
import { type Log, recoverLog } from "../write/index.ts";
import type { PageSpace } from "./page-space.ts";
import { openPageStore, type PageStore } from "./page-store.ts";
import { STORE_ID } from "./rig.fixture.ts";

const SEEDS = 20;
const COMMITS = 40;
const PAGE_BYTES = 512;
const DIRECTORY = "/store";
const STREAMS = [1, 2].map(streamId);

/** All pages of both databases after a commit. */
interface Moment {
  readonly lsn: Lsn;
  readonly pages: readonly (readonly Uint8Array[])[];
}

interface Opened {
  readonly store: PageStore;
  readonly log: Log;
}

/** The real log, the real page store, the manifest over its simulated device. */
async function open(env: Env, stores: MemoryStores): Promise<Opened> {
  await env.storage.mkdir(DIRECTORY);
  await env.storage.syncDirectory("/");
  const manifest = await openManifest({
    openStore: stores.openerFor(env),
    directory: `${DIRECTORY}/manifest`,
    storeIdForNew: STORE_ID,
    clock: env.clock,
  });
  const { storeId, checkpointLsn, durableLsn, segments } = manifest.opened;
  const store = await openPageStore({ env, directory: DIRECTORY, storeId, manifest });
  const driver = await env.storage.driver({ directory: DIRECTORY, io: "auto" });
  const recovered = await recoverLog(
    {
      env,
      driver,
      directory: `${DIRECTORY}/wal`,
      storeId,
      registered: segments,
      register: async (sequence) => void (await manifest.publish({ addSegments: [sequence] })),
      unregister: async (gone) => void (await manifest.publish({ removeSegments: gone })),
      checkpointLsn,
      durableFloorLsn: durableLsn,
      limits: { segmentBytes: 256 * 1024, bufferBytes: 128 * 1024 },
    },
    (commit) => store.replay(commit),
  );
  const log = await recovered.start();
  store.attach(log);
  return { store, log };
}

function checkpoint({ store, log }: Opened): Promise<void> {
  const databases = STREAMS.map((stream) => ({
    stream,
    state: "live" as const,
    name: `tenant-${stream}`,
    engine: "sqlite" as const,
    pageBytes: PAGE_BYTES,
    createdAtMs: 0,
    createdLsn: LSN_ZERO,
    family: stream,
  }));
  const beforePublish = (catalogueLsn: Lsn) =>
    store.publishCatalogue({ catalogueLsn, databases, nextStreamId: streamId(3), facts: [] });
  const superblock = () => Promise.resolve();
  const done = store.checkpoint({ removable: () => [], beforePublish, superblock });
  return done.then(({ releaseLsn }) => log.release(releaseLsn));
}

function commit(space: PageSpace, random: SeededRandom): Lsn {
  const base = space.pin(space.newestLsn);
  const pageCount = random.chance(0.1)
    ? 1 + random.below(6)
    : Math.max(1, Math.min(9, base.pageCount + random.below(2)));
  const pages = new Map<number, Uint8Array>();
  for (let change = 0; change <= random.below(3); change += 1) {
    const page = 1 + random.below(pageCount);
    const image =
      page <= base.pageCount
        ? space.read(base, pageNumber(page)).slice()
        : new Uint8Array(PAGE_BYTES);
    image.set(random.bytes(1 + random.below(40)), random.below(400));
    pages.set(page, image);
  }
  const lsn = space.stage({ base, pageCount, pageBytes: PAGE_BYTES, pages }).seal();
  space.unpin(base);
  return lsn;
}

function pagesOf(space: PageSpace): Uint8Array[] {
  const snapshot = space.pin(space.newestLsn);
  const pages = Array.from({ length: snapshot.pageCount }, (_, index) =>
    space.read(snapshot, pageNumber(index + 1)).slice(),
  );
  space.unpin(snapshot);
  return pages;
}

function momentOf(store: PageStore, lsn: Lsn): Moment {
  return { lsn, pages: STREAMS.map((stream) => pagesOf(store.space(stream))) };
}

/** Commits until it is done or dies; remembers what it sealed and what it was promised. */
class Workload {
  readonly moments: Moment[] = [];
  acknowledgedLsn: Lsn = LSN_ZERO;
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  async run(opened: Opened): Promise<void> {
    const { store, log } = opened;
    const background: Promise<unknown>[] = [];
    for (let count = 0; count < COMMITS; count += 1) {
      const lsn = commit(store.space(this.#random.pick(STREAMS)), this.#random);
      this.moments.push(momentOf(store, lsn));
      const durable = log.durable(lsn).then(() => {
        this.acknowledgedLsn = lsn;
      });
      background.push(durable.catch(() => undefined));
      if (this.#random.chance(0.5)) await durable;
      if (this.#random.chance(0.1)) background.push(checkpoint(opened).catch(() => undefined));
    }
    await Promise.all(background);
  }

  /** What was found is a moment that was sealed, and not one before the last acknowledged. */
  check(found: Moment, hint: string): void {
    const newest = this.moments.findLast(({ lsn }) => lsn <= found.lsn);
    expect(found.lsn, hint).toBeGreaterThanOrEqual(this.acknowledgedLsn);
    expect(text(found), hint).toEqual(text(newest ?? { pages: [[], []] }));
    this.moments.splice(0, Number.POSITIVE_INFINITY, found);
    this.acknowledgedLsn = found.lsn;
  }
}

function text({ pages }: Pick<Moment, "pages">): string[][] {
  return pages.map((each) => each.map((bytes) => Buffer.from(bytes).toString("base64")));
}

async function survive(world: SimulatedWorld, hint: string): Promise<void> {
  const stores = memoryStores(world.random);
  const workload = new Workload(world.random.fork());
  for (let life = 0; life < 3; life += 1) {
    const how = world.random.pick(["kill", "power"] as const);
    world.disk.crashAt(5 + world.random.below(150), how);
    const env = world.start();
    const live = async () => workload.run(await open(env, stores));
    await world.run(live).catch((error) => {
      if (world.alive) throw error;
    });
    if (how === "power") world.powerCut();
    else world.kill();
    const next = world.start();
    const { store, log } = await world.run(() => open(next, stores));
    workload.check(momentOf(store, log.newestLsn), `${hint}, life ${life}`);
    world.kill();
  }
}

describe("pages over the real log", () => {
  // evidence: G1
  test("are, after any crash, those of one moment, which no acknowledged commit is missing from", async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      await survive(simulatedWorld({ seed }), `seed ${seed}`);
    }
  });
});

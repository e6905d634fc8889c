import { describe, expect, test } from "vitest";
import type { Lsn, StreamId } from "../base/units.ts";
import type { SeededRandom } from "../io/index.ts";
import {
  expectFrozen,
  expectNewest,
  expectUnmoved,
  Oracle,
  type Reader,
  type View,
} from "./oracle.fixture.ts";
import type { PageSpace, Snapshot } from "./page-space.ts";
import { Rig } from "./rig.fixture.ts";

const SEEDS = 16;
const STEPS = 150;
const PAGE_SIZES = [512, 1024];
/** More than one row of a page map. */
const PAGES_MAX = 1400;

class Life {
  readonly rig: Rig;
  readonly #random: SeededRandom;
  readonly #oracle = new Oracle();
  #readers: Reader[] = [];
  #views: View[] = [];
  #held: { release(): void }[] = [];
  #names = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(rig: Rig) {
    this.rig = rig;
    this.#random = rig.world.random.fork();
  }

  create(): void {
    const stream = this.rig.catalogue.create();
    this.#oracle.create(stream, this.rig.log.newestLsn);
  }

  step(): void | Promise<void> {
    const dice = this.#random.below(100);
    const { rig } = this;
    if (dice < 40) return this.#commit();
    if (dice < 48) return this.#fork();
    if (dice < 54) return this.#snapshot();
    if (dice < 57) return this.#dropSnapshot();
    if (dice < 59) return this.#drop();
    if (dice < 61) return this.create();
    if (dice < 65) return this.#read();
    if (dice < 69) return this.#unread();
    if (dice < 72) return this.#hold();
    if (dice < 76) return this.check();
    if (dice < 82) {
      return rig.log.makeDurable(this.#random.pick([rig.log.durableLsn, ...rig.log.undurable]));
    }
    if (dice < 91) return rig.world.pass(this.#random.below(4));
    if (dice < 97) return this.#begin();
    return this.restart(this.#random.pick(["kill", "power", "close"]));
  }

  /** A checkpoint, or a collection, beside all that follows. */
  #begin(): void {
    const { rig } = this;
    const isDry = this.#random.chance(0.5);
    const isCollection = this.#random.chance(0.3);
    const before = this.#running;
    this.#running = isCollection
      ? rig.store.collect({ dryRun: isDry })
      : before.then(() => rig.beginCheckpoint());
    this.#running.catch(() => undefined);
  }

  async settle(): Promise<void> {
    this.rig.log.makeDurable();
    await this.rig.world.run(this.#running);
  }

  async restart(how: "kill" | "power" | "close"): Promise<void> {
    await this.rig.restart(how);
    this.#running = Promise.resolve();
    this.#readers = [];
    this.#views = [];
    this.#held = [];
    this.#oracle.cut(this.rig.log.durableLsn);
  }

  /** Everything that anybody may look at is as it was. */
  check(): void {
    const { store, catalogue } = this.rig;
    expectUnmoved(this.#readers, this.#views);
    for (const stream of catalogue.live) {
      expectNewest(store.space(stream), this.#oracle.newest(stream), stream);
      this.#checkVersions(stream);
    }
    for (const [stream, lsn] of this.rig.catalogue.moments) {
      const space = store.view(stream, lsn);
      expectFrozen(space, this.#oracle.at(stream, lsn), `stream ${stream} at ${lsn}`);
      space.close();
    }
  }

  async end(): Promise<void> {
    const { rig } = this;
    await this.settle();
    this.check();
    await rig.checkpoint();
    this.check();
    await this.restart("power");
    this.check();
    await this.#expectNothingLeft();
  }

  /** Without snapshots, forks and readers only the newest states are left, and nothing else. */
  async #expectNothingLeft(): Promise<void> {
    const { rig } = this;
    const { catalogue } = rig;
    rig.historyLsn = undefined;
    for (const { stream, name } of [...catalogue.snapshots.values()]) {
      catalogue.dropSnapshot(stream, name);
    }
    for (const stream of catalogue.live) {
      if (this.#random.chance(0.5)) catalogue.drop(stream);
    }
    // Forks of what was dropped are flattened, one behind the other.
    for (let round = 0; round < 4; round += 1) await rig.checkpoint();
    await rig.world.run(rig.store.collect({ dryRun: false }));
    this.check();
    await rig.restart("close");
    this.check();
    const { opened } = rig.manifest;
    expect(opened.databases.every(({ state }) => state === "live")).toBe(true);
    const forks = opened.databases.filter(({ flat }) => !flat);
    if (forks.length === 0) expect(opened.mapVersions).toEqual([]);
    expect(await rig.chunkFiles()).toHaveLength(opened.chunks.length);
    for (const chunk of opened.chunks) expect(chunk.references).toBeGreaterThan(0);
  }

  #commit(): void {
    const stream = this.#pickLive();
    if (stream === undefined) return;
    const random = this.#random;
    const space = this.rig.store.space(stream);
    const before = this.#oracle.newest(stream);
    const resized = before.pageBytes === 0 || random.chance(0.03);
    const pageBytes = resized ? random.pick(PAGE_SIZES) : before.pageBytes;
    const whole = pageBytes !== before.pageBytes;
    const pageCount = this.#pageCount(before.pageCount);
    const pages = new Map<number, Uint8Array>();
    for (let n = random.below(12); n > 0; n -= 1) {
      if (pageCount > 0) pages.set(1 + random.below(pageCount), random.bytes(pageBytes));
    }
    const base = space.pin(space.newestLsn);
    const copies = new Map([...pages].map(([page, image]) => [page, image.slice()]));
    const lsn = random.chance(0.15)
      ? this.#spill(space, base, { pageCount, pageBytes, pages: copies })
      : space.stage({ base, pageCount, pageBytes, pages: copies }).seal();
    space.unpin(base);
    const kept = whole ? [] : [...before.pages].filter(([page]) => page <= pageCount);
    this.#oracle.commit(stream, {
      lsn,
      pageCount,
      pageBytes,
      pages: new Map([...kept, ...pages]),
    });
  }

  #spill(
    space: PageSpace,
    base: Snapshot,
    change: { pageCount: number; pageBytes: number; pages: Map<number, Uint8Array> },
  ): Lsn {
    const spill = space.spill(base, change.pageBytes);
    const pages = new Map<number, Uint8Array>();
    for (const [page, image] of change.pages) {
      if (this.#random.chance(0.5)) pages.set(page, image);
      else spill.put(new Map([[page, image]]));
    }
    const lsn = space.stage({ ...change, base, pages, spill }).seal();
    spill.close();
    return lsn;
  }

  #pageCount(before: number): number {
    const random = this.#random;
    if (random.chance(0.1)) return random.below(Math.max(1, before));
    const growth = random.chance(0.1) ? random.below(700) : random.below(6);
    return Math.min(PAGES_MAX, before + growth);
  }

  #fork(): void {
    const random = this.#random;
    const { rig } = this;
    const stream = this.#pickLive();
    if (stream === undefined || rig.catalogue.live.length > 12) return;
    let lsn = rig.log.newestLsn;
    const own = this.rig.catalogue.moments.filter(([of]) => of === stream);
    if (own.length > 0 && random.chance(0.4)) lsn = random.pick(own)[1];
    else if (random.chance(0.2)) {
      const moments = rig.store.versions(stream);
      const moment = moments.length > 0 ? random.pick(moments) : undefined;
      if (moment !== undefined) lsn = random.pick([moment.lsn, moment.upToLsn]);
    }
    const child = rig.catalogue.fork(stream, lsn);
    this.#oracle.fork(child, rig.log.newestLsn, { stream, lsn });
  }

  #snapshot(): void {
    const stream = this.#random.chance(0.3) ? 0 : this.#pickLive();
    if (stream === undefined) return;
    this.#names += 1;
    this.rig.catalogue.snapshot(stream, `snapshot-${this.#names}`);
  }

  #dropSnapshot(): void {
    const snapshots = [...this.rig.catalogue.snapshots.values()];
    if (snapshots.length === 0) return;
    const { stream, name } = this.#random.pick(snapshots);
    this.rig.catalogue.dropSnapshot(stream, name);
  }

  #drop(): void {
    const stream = this.#pickLive();
    if (stream === undefined) return;
    for (const reader of this.#readers.filter((each) => each.stream === stream)) {
      reader.space.unpin(reader.snapshot);
    }
    this.#readers = this.#readers.filter((each) => each.stream !== stream);
    this.rig.catalogue.drop(stream);
  }

  #read(): void {
    const random = this.#random;
    const { rig } = this;
    const snapshots = this.rig.catalogue.moments;
    if (snapshots.length > 0 && random.chance(0.5)) {
      const [stream, lsn] = random.pick(snapshots);
      const space = rig.store.view(stream, lsn);
      this.#views.push({ stream, space, state: this.#oracle.at(stream, lsn) });
      return;
    }
    const stream = this.#pickLive();
    if (stream === undefined) return;
    const space = rig.store.space(stream);
    const snapshot = space.pin(random.pick([rig.log.durableLsn, ...rig.log.undurable]));
    const state = this.#oracle.at(stream, snapshot.lsn);
    this.#readers.push({ stream, space, snapshot, state });
  }

  #unread(): void {
    const [reader] = this.#readers.splice(this.#random.below(this.#readers.length), 1);
    reader?.space.unpin(reader.snapshot);
    const [view] = this.#views.splice(this.#random.below(this.#views.length), 1);
    view?.space.close();
    const [held] = this.#held.splice(0, 1);
    held?.release();
  }

  #hold(): void {
    const stream = this.#pickLive();
    if (stream === undefined) return;
    const moments = this.rig.store.versions(stream);
    if (moments.length === 0) return;
    const { lsn, upToLsn } = this.#random.pick(moments);
    this.#held.push(this.rig.store.holdVersion(stream, this.#random.pick([lsn, upToLsn])));
  }

  #checkVersions(stream: StreamId): void {
    for (const { lsn, upToLsn } of this.rig.store.versions(stream)) {
      for (const at of [lsn, upToLsn]) {
        const space = this.rig.store.view(stream, at);
        expectFrozen(space, this.#oracle.at(stream, at), `stream ${stream} at version ${at}`);
        space.close();
      }
    }
  }

  #pickLive(): StreamId | undefined {
    const { live } = this.rig.catalogue;
    return live.length === 0 ? undefined : this.#random.pick(live);
  }
}

async function live(seed: number): Promise<void> {
  const limits = { cacheBytes: 16 * 1024, openChunks: 2, chunkBytes: 128 * 1024, mapBytes: 32_768 };
  const rig = await Rig.open({ seed, limits });
  const life = new Life(rig);
  const { random } = rig.world;
  const withHistory = seed % 3 === 0;
  let horizonLsn = 0 as Lsn;
  if (withHistory) rig.historyLsn = () => horizonLsn;
  for (let n = 0; n < 2; n += 1) life.create();
  for (let step = 0; step < STEPS; step += 1) {
    await life.step();
    const { checkpointLsn } = rig.store.stats;
    if (withHistory && random.chance(0.05)) {
      horizonLsn = (horizonLsn + random.below(checkpointLsn - horizonLsn + 1)) as Lsn;
    }
  }
  await life.end();
}

describe("families of databases and the model", () => {
  // evidence: G18, G19
  test("agree on every page of every fork, snapshot and version, whatever happens meanwhile", async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      await live(seed).catch((error) => {
        throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
      });
    }
  });
});

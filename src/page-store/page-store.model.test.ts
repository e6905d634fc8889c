import { describe, expect, test } from "vitest";
import type { Lsn, PageNumber } from "../base/units.ts";
import { pageNumber } from "../base/units.ts";
import type { SeededRandom } from "../io/index.ts";
import { MemoryPageSpace } from "./memory-page-space.ts";
import type { PageSetChange, Snapshot } from "./page-space.ts";
import { Rig } from "./rig.fixture.ts";

const SEEDS = 30;
const STEPS = 120;
const DATABASES = 3;
const PAGE_SIZES = [512, 1024, 4096];

type Change = Omit<PageSetChange, "base">;

interface Commit {
  readonly lsn: Lsn;
  readonly modelLsn: Lsn;
  readonly change: Change;
}

interface Pair {
  readonly real: Snapshot;
  readonly model: Snapshot;
}

/** One database twice: in the page store, and in the model that is easy to see through. */
class Twin {
  readonly #rig: Rig;
  readonly #stream: number;
  readonly #random: SeededRandom;
  #model = new MemoryPageSpace();
  #commits: Commit[] = [];
  #pins: Pair[] = [];

  constructor(rig: Rig, stream: number) {
    this.#rig = rig;
    this.#stream = stream;
    this.#random = rig.world.random.fork();
  }

  get #space() {
    return this.#rig.space(this.#stream);
  }

  commit(): void {
    const base = this.#space.pin(this.#space.newestLsn);
    const change = this.#change(base);
    const modelBase = this.#model.pin(this.#model.newestLsn);
    const lsn = this.#random.chance(0.2) ? this.#spill(base, change) : this.#stage(base, change);
    const modelLsn = this.#model.stage({ base: modelBase, ...change }).seal();
    this.#space.unpin(base);
    this.#model.unpin(modelBase);
    this.#commits.push({ lsn, modelLsn, change });
  }

  #stage(base: Snapshot, change: Change): Lsn {
    return this.#space.stage({ base, ...copyOf(change) }).seal();
  }

  /** As a transaction does that has outgrown its memory, or that wanted more once than in the end. */
  #spill(base: Snapshot, change: Change): Lsn {
    const random = this.#random;
    const { pageCount, pageBytes } = change;
    const spill = this.#space.spill(base, pageBytes);
    const pages = new Map<number, Uint8Array>();
    for (const [page, image] of copyOf(change).pages) {
      if (random.chance(0.2)) spill.put(new Map([[page, random.bytes(pageBytes)]]));
      if (random.chance(0.5)) pages.set(page, image);
      else spill.put(new Map([[page, image]]));
    }
    if (random.chance(0.2)) spill.put(new Map([[pageCount + 1, random.bytes(pageBytes)]]));
    if (random.chance(0.2)) this.#space.stage({ base, ...change, pages, spill }).discard();
    const lsn = this.#space.stage({ base, ...change, pages, spill }).seal();
    spill.close();
    return lsn;
  }

  pin(): void {
    const { durableLsn } = this.#rig.log;
    const above = this.#commits.filter(({ lsn }) => lsn > durableLsn);
    const lsn = this.#random.pick([durableLsn, ...above.map((commit) => commit.lsn)]);
    const model = this.#commits.findLast((commit) => commit.lsn <= lsn);
    this.#pins.push({
      real: this.#space.pin(lsn),
      model: this.#model.pin(model?.modelLsn ?? (0 as Lsn)),
    });
  }

  unpin(): void {
    const [pair] = this.#pins.splice(this.#random.below(this.#pins.length), 1);
    if (pair === undefined) return;
    this.#space.unpin(pair.real);
    this.#model.unpin(pair.model);
  }

  /** Every page that any snapshot can see is what the model says. */
  check(): void {
    for (const { real, model } of this.#pins) this.#checkPair(real, model);
    const real = this.#space.pin(this.#space.newestLsn);
    const model = this.#model.pin(this.#model.newestLsn);
    this.#checkPair(real, model);
    this.#space.unpin(real);
    this.#model.unpin(model);
  }

  /** The process ended: pins are gone, and so is what was not durable. */
  restarted(): void {
    const { durableLsn } = this.#rig.log;
    const kept = this.#commits.filter(({ lsn }) => lsn <= durableLsn);
    this.#pins = [];
    this.#model = new MemoryPageSpace();
    this.#commits = kept.map(({ lsn, change }) => {
      const base = this.#model.pin(this.#model.newestLsn);
      const modelLsn = this.#model.stage({ base, ...change }).seal();
      this.#model.unpin(base);
      return { lsn, modelLsn, change };
    });
  }

  #checkPair(real: Snapshot, model: Snapshot): void {
    const { pageCount, pageBytes } = real;
    expect({ pageCount, pageBytes }).toEqual({
      pageCount: model.pageCount,
      pageBytes: model.pageBytes,
    });
    for (let page = 1; page <= pageCount; page += 1) {
      const number: PageNumber = pageNumber(page);
      const same = Buffer.compare(this.#space.read(real, number), this.#model.read(model, number));
      expect(same, `page ${page} of stream ${this.#stream} at ${real.lsn}`).toBe(0);
    }
  }

  #change(base: Snapshot): Change {
    const random = this.#random;
    const first = base.pageCount === 0;
    const resized = first || random.chance(0.03);
    const pageBytes = resized ? random.pick(PAGE_SIZES) : base.pageBytes;
    const whole = pageBytes !== base.pageBytes;
    const pageCount = this.#newCount(base.pageCount);
    const pages = new Map<number, Uint8Array>();
    const touched = whole ? pageCount : 1 + random.below(4);
    for (let step = 0; step < touched; step += 1) {
      const page = whole ? step + 1 : 1 + random.below(pageCount);
      const old = page <= base.pageCount && !whole;
      const image = old
        ? this.#space.read(base, pageNumber(page)).slice()
        : new Uint8Array(pageBytes).fill(random.below(256));
      // Now and then a page is written as it was.
      if (!random.chance(0.1)) image.set(random.bytes(8), random.below(pageBytes - 8));
      pages.set(page, image);
    }
    return { pageCount, pageBytes, pages };
  }

  #newCount(pageCount: number): number {
    const random = this.#random;
    if (pageCount === 0) return 1 + random.below(20);
    if (random.chance(0.1)) return 1 + random.below(pageCount);
    if (random.chance(0.02)) return pageCount + 600;
    return Math.min(1400, pageCount + random.below(3));
  }
}

function copyOf(change: Change): Change {
  const pages = new Map([...change.pages].map(([page, image]) => [page, image.slice()]));
  return { ...change, pages };
}

async function live(seed: number): Promise<void> {
  const limits = { cacheBytes: 16 * 1024, openChunks: 2, chunkBytes: 128 * 1024 };
  const rig = await Rig.open({ seed, limits });
  const { random } = rig.world;
  const twins = Array.from({ length: DATABASES }, (_, index) => new Twin(rig, index + 1));
  let running: Promise<unknown> | undefined;
  for (let step = 0; step < STEPS; step += 1) {
    const twin = random.pick(twins);
    const dice = random.below(100);
    if (dice < 50) twin.commit();
    else if (dice < 60) twin.pin();
    else if (dice < 68) twin.unpin();
    else if (dice < 74) twin.check();
    else if (dice < 82)
      rig.log.makeDurable(random.pick([rig.log.durableLsn, ...rig.log.undurable]));
    else if (dice < 94) await rig.world.pass(random.below(4));
    else if (dice < 98) {
      running = running?.then(() => rig.beginCheckpoint()) ?? rig.beginCheckpoint();
      running.catch(() => undefined);
    } else {
      await rig.restart(random.pick(["kill", "power", "close"]));
      running = undefined;
      for (const each of twins) each.restarted();
    }
  }
  rig.log.makeDurable();
  if (running !== undefined) await rig.world.run(running);
  for (const each of twins) each.check();
  await rig.checkpoint();
  for (const each of twins) each.check();
  await rig.restart("power");
  for (const each of twins) {
    each.restarted();
    each.check();
  }
}

describe("the page store and the model", () => {
  // evidence: G6
  test("see the same pages through every snapshot, whatever happens meanwhile", async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      await live(seed).catch((error) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
    }
  });
});

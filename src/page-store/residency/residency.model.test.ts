import { describe, expect, test } from "vitest";
import { StorageError } from "../../base/errors.ts";
import { chunkAt, evict, flipAt, type RemoteRig, readPages, remoteRig } from "./bucket.fixture.ts";

const PAGE_BYTES = 4096;
const SEEDS = 5;
const STEPS = 60;

/** What the pages of two databases are, and everything that may happen to their chunks. */
class Life {
  readonly #remote: RemoteRig;
  readonly #pages = [1, 2].map(() => [] as Uint8Array[]);
  #isDown = false;

  constructor(remote: RemoteRig) {
    this.#remote = remote;
  }

  async step(): Promise<void> {
    const { rig } = this.#remote;
    const { random } = rig.world;
    const dice = random.below(100);
    if (dice < 20) this.commit(random.below(2), 1 + random.below(6));
    else if (dice < 45) await this.read(random.below(2), 1 + random.below(12));
    else if (dice < 55) await rig.checkpoint();
    else if (dice < 63) await this.#ship();
    else if (dice < 73) await evict(rig);
    else if (dice < 83) await this.#damage();
    else if (dice < 88) this.#turn(!this.#isDown);
    else if (dice < 95) await rig.world.pass(random.below(300));
    else {
      rig.log.makeDurable();
      rig.limits = { ...rig.limits, diskBytes: random.pick([undefined, 1, 800_000]) };
      await rig.restart(random.pick(["kill", "power", "close"]));
    }
  }

  commit(index: number, count: number): void {
    const { rig } = this.#remote;
    const { random } = rig.world;
    const space = rig.space(index + 1);
    const base = space.pin(space.newestLsn);
    const model = this.#pages[index] ?? [];
    const pages = new Map<number, Uint8Array>();
    for (let step = 0; step < count; step += 1) {
      const page = count > model.length ? step + 1 : 1 + random.below(model.length + 1);
      const image = random.bytes(PAGE_BYTES);
      pages.set(page, image.slice());
      model[page - 1] = image;
    }
    space.stage({ base, pageCount: model.length, pageBytes: PAGE_BYTES, pages }).seal();
    space.unpin(base);
    rig.log.makeDurable();
  }

  /** The pages are what they are, or a typed error says why they cannot be had. */
  async read(index: number, count: number): Promise<void> {
    const { rig } = this.#remote;
    const model = this.#pages[index] ?? [];
    if (model.length === 0) return;
    const wanted = Array.from({ length: count }, () => 1 + rig.world.random.below(model.length));
    try {
      const { images } = await readPages(rig, index + 1, wanted);
      const isRight = images.every((image, at) => {
        const page = wanted[at] ?? 0;
        return Buffer.compare(image, model[page - 1] ?? new Uint8Array()) === 0;
      });
      expect(isRight).toBe(true);
    } catch (error) {
      if (!(error instanceof StorageError) || !this.#isDown) throw error;
      expect(error.code).toBe("BOP_SINK_UNAVAILABLE");
    }
  }

  /** The bucket answers: everything is there. */
  async end(): Promise<void> {
    this.#turn(false);
    for (const [index, model] of this.#pages.entries()) {
      if (model.length > 0) await this.read(index, model.length);
    }
  }

  #turn(isDown: boolean): void {
    this.#isDown = isDown;
    this.#remote.bucket.service.faults.state.down = isDown;
  }

  async #ship(): Promise<void> {
    if (!this.#isDown) await this.#remote.bucket.ship(this.#remote.rig);
  }

  /** Of a chunk that the bucket has. */
  async #damage(): Promise<void> {
    const { rig, bucket } = this.#remote;
    const { random, disk } = rig.world;
    const files = (await rig.chunkFiles()).filter((path) => bucket.put.has(chunkAt(path)));
    if (files.length === 0) return;
    const path = random.pick(files);
    const bytes = disk.contents(path) ?? new Uint8Array();
    const dice = random.below(4);
    if (dice === 0) await rig.world.run(rig.world.start().storage.unlink(path));
    else if (dice === 1) disk.replace(path, bytes.subarray(0, random.below(bytes.length)));
    else flipAt(rig, path, random.below(bytes.length));
  }
}

async function live(seed: number): Promise<void> {
  const limits = { cacheBytes: 32 * 1024, openChunks: 2, diskBytes: 1, mapBytes: 8192 };
  const remote = await remoteRig(seed, limits);
  const life = new Life(remote);
  life.commit(0, 300);
  life.commit(1, 20);
  await remote.rig.checkpoint();
  for (let step = 0; step < STEPS; step += 1) await life.step();
  await life.end();
}

describe("pages whose chunks go, come, and are damaged", () => {
  // evidence: G38
  // evidence: G39
  test("are what was committed, or a typed error while the bucket does not answer", async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      await live(seed).catch((error) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
    }
  });
});

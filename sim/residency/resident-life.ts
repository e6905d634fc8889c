/**
 * A PAGE STORE WHOSE CHUNKS GO AND COME, and what it must hold: databases and forks of random pages over
 * a bucket that has some of the chunks, on a disk with less room than they take. Nothing of SQL.
 *
 * (1) A commit is durable when its step is over, so what is written here is what must be read.
 * (2) A chunk is damaged here only while the bucket has it, and what is damaged on its way is damaged
 *     once: so there is always a way to the right bytes.
 * (3) Who reads gets on: it begins anew after each page that was brought, as statements of SQL do, and
 *     yet a page is brought a few times at most.
 * (4) Keys of the real bucket name the process that put them. This one forgets what no row names any
 *     more when a process ends, since the next may give the id to another chunk.
 */
import { systemCode } from "../../src/base/errors.ts";
import { type ChunkId, type PageNumber, pageNumber, type StreamId } from "../../src/base/units.ts";
import { isStorageError } from "../../src/index.ts";
import { chunkAt, type RemoteRig } from "../../src/page-store/residency/bucket.fixture.ts";
import { PagesAway } from "../../src/page-store/residency/pages-away.ts";
import { bucketKey } from "../../src/sink/index.ts";
import { promise } from "../failure.ts";
import type { Simulation } from "../simulation.ts";

const PAGE_BYTES = 4096;
const DATABASES_MAX = 5;
const PAGES_MAX = 400;
const CHANGED_MAX = 8;
const READ_MAX = 12;
/** See (3). */
const MISSES_MAX = 24;
/** Of TestBucket. */
const EPOCH = 1;
const ON_THE_WAY = ["damaged", "truncated", "reset", "timeout-before", "missing"] as const;

type Pages = readonly Uint8Array[];

export class ResidentLife {
  readonly remote: RemoteRig;
  readonly #simulation: Simulation;
  readonly #pages = new Map<StreamId, Pages>();
  /** Bytes that were to be damaged on their way. */
  #ordered = 0;
  /** Chunks whose files are not what they were, as far as anybody has looked. */
  readonly #damaged = new Set<ChunkId>();
  #healed = 0;
  #stamp = 0;

  constructor(remote: RemoteRig, simulation: Simulation) {
    this.remote = remote;
    this.#simulation = simulation;
  }

  create(pageCount: number): void {
    if (this.#pages.size >= DATABASES_MAX) return;
    const stream = this.remote.rig.catalogue.create();
    this.#pages.set(stream, []);
    this.#write(stream, { count: pageCount, first: 1 });
  }

  commit(): void {
    const { random } = this.#simulation;
    const stream = this.#pick();
    if (stream === undefined) return;
    const { length } = this.#pages.get(stream) ?? [];
    const grows = length === 0 || (length < PAGES_MAX && random.chance(0.2));
    const first = grows ? length + 1 : 1 + random.below(length);
    this.#write(stream, { first, count: 1 + random.below(CHANGED_MAX) });
  }

  fork(): void {
    const origin = this.#pick();
    if (origin === undefined || this.#pages.size >= DATABASES_MAX) return;
    const { rig } = this.remote;
    const child = rig.catalogue.fork(origin);
    rig.log.makeDurable();
    this.#pages.set(child, this.#pages.get(origin) ?? []);
  }

  drop(): void {
    const stream = this.#pick();
    if (stream === undefined || this.#pages.size === 1) return;
    const { rig } = this.remote;
    this.#pages.delete(stream);
    rig.catalogue.drop(stream);
    rig.log.makeDurable();
  }

  /** Pages are what they are, or a typed error says that the bucket does not answer. */
  async read(): Promise<void> {
    const { random, tally } = this.#simulation;
    const stream = this.#pick();
    const { length } = (stream && this.#pages.get(stream)) ?? [];
    if (stream === undefined || length === 0) return;
    const wanted = Array.from(
      { length: 1 + random.below(READ_MAX) },
      () => 1 + random.below(length),
    );
    try {
      await this.#readAll(stream, wanted);
    } catch (error) {
      if (!isStorageError(error, "BOP_SINK_UNAVAILABLE")) throw error;
      tally.add("reads refused");
    }
  }

  async checkAll(): Promise<void> {
    for (const [stream, pages] of this.#pages) {
      await this.#readAll(
        stream,
        pages.map((_, at) => at + 1),
      );
    }
    this.#simulation.tally.add("checks");
  }

  async checkpoint(): Promise<void> {
    await this.remote.rig.checkpoint();
  }

  /** The bucket has what is here by now. */
  async ship(): Promise<void> {
    const { rig, bucket } = this.remote;
    if (!bucket.service.faults.state.down) await bucket.ship(rig);
  }

  async evict(): Promise<void> {
    const { rig } = this.remote;
    await rig.world.run(rig.store.residency.evict());
  }

  async pass(): Promise<void> {
    await this.remote.rig.world.pass(this.#simulation.random.below(300));
  }

  turn(): void {
    const { state } = this.remote.bucket.service.faults;
    state.down = !state.down;
  }

  /** See (2). */
  trouble(): void {
    const { random } = this.#simulation;
    const { faults } = this.remote.bucket.service;
    const order = { fault: random.pick(ON_THE_WAY), skip: random.below(3) };
    if (order.fault === "damaged") {
      if (this.#ordered > (faults.injected.get("damaged") ?? 0)) return; // It is still to come.
      this.#ordered += 1;
    }
    faults.failNext({ ...order, operation: "get" });
  }

  /** See (2). */
  async damage(): Promise<void> {
    const { rig } = this.remote;
    const { random, tally } = this.#simulation;
    const paths = (await rig.chunkFiles()).filter((path) => this.#original(path) !== undefined);
    if (paths.length === 0) return;
    const path = random.pick(this.#hurtAgain(paths));
    const found = rig.world.disk.contents(path);
    if (found === undefined) return; // It was evicted meanwhile.
    const bytes = found.slice();
    const kind = random.pick(["bit", "bit", "bit", "short", "gone"] as const);
    tally.add(`injected: chunk ${kind}`);
    this.#damaged.add(chunkAt(path));
    if (kind === "gone") await this.#unlink(path);
    else if (kind === "short") rig.world.disk.replace(path, bytes.subarray(0, bytes.length / 2));
    else {
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      rig.world.disk.replace(path, bytes);
    }
  }

  /** Half of the time one whose file is damaged already: some of it may have been fetched since. */
  #hurtAgain(paths: readonly string[]): readonly string[] {
    const isAgain = this.#simulation.random.chance(0.5);
    const damaged = paths.filter((path) => this.#damaged.has(chunkAt(path)));
    return isAgain && damaged.length > 0 ? damaged : paths;
  }

  async #unlink(path: string): Promise<void> {
    const { rig } = this.remote;
    const { storage } = rig.env;
    await rig.world.run(storage.unlink(path)).catch((error: unknown) => {
      if (systemCode(error) !== "ENOENT") throw error; // It was evicted meanwhile.
    });
  }

  /** What is said to be healed had been damaged, and nothing else is. */
  checkHealed(): void {
    const { rig } = this.remote;
    for (const { chunk, why } of rig.healed.slice(this.#healed)) {
      promise(this.#damaged.has(chunk), () => `${chunk} was well, and is healed: ${why}`);
      this.#simulation.tally.add("chunks healed");
    }
    this.#healed = rig.healed.length;
  }

  /** Another process has opened what was left, and gives ids anew that no row names: see (4). */
  async reopened(how: "kill" | "power"): Promise<void> {
    const { rig, bucket } = this.remote;
    this.checkHealed(); // By the process that is no more.
    const named = new Set(rig.manifest.opened.chunks.map(({ chunk }) => chunk));
    for (const chunk of [...bucket.put.keys()]) {
      if (named.has(chunk)) continue;
      bucket.put.delete(chunk);
      bucket.safe.delete(chunk);
    }
    await this.#checkFiles(how);
  }

  /**
   * Files that nobody has damaged are as they were written, whatever crash came between. What was damaged
   * is over when a power cut has left it whole or gone: after a kill it may only seem so, where the names
   * in its directory are not synced, and the next power cut brings the damaged file back.
   */
  async #checkFiles(how: "kill" | "power"): Promise<void> {
    const { rig } = this.remote;
    const there = new Set<ChunkId>();
    for (const path of await rig.chunkFiles()) {
      const [chunk, original] = [chunkAt(path), this.#original(path)];
      there.add(chunk);
      if (original === undefined) continue;
      const now = rig.world.disk.contents(path) ?? new Uint8Array();
      const isWhole = Buffer.compare(now, original) === 0;
      promise(
        isWhole || this.#damaged.has(chunk),
        () => `${path} was well, and is not what it was`,
      );
      if (isWhole && how === "power") this.#damaged.delete(chunk);
    }
    if (how === "kill") return;
    for (const chunk of this.#damaged) if (!there.has(chunk)) this.#damaged.delete(chunk);
  }

  /** As it was put into the bucket; undefined if it was not. */
  #original(path: string): Uint8Array | undefined {
    const { rig, bucket } = this.remote;
    const id = chunkAt(path);
    if (!bucket.put.has(id)) return undefined;
    const key = bucketKey({ kind: "chunk", id, epoch: EPOCH });
    return bucket.service.bucket.find(key, rig.world.nowMs)?.body;
  }

  #pick(): StreamId | undefined {
    const streams = [...this.#pages.keys()];
    return streams.length === 0 ? undefined : this.#simulation.random.pick(streams);
  }

  #write(stream: StreamId, { first, count }: { first: number; count: number }): void {
    const { rig } = this.remote;
    const model = [...(this.#pages.get(stream) ?? [])];
    const pages = new Map<number, Uint8Array>();
    for (let page = first; page < first + count; page += 1) {
      const image = this.#image();
      pages.set(page, image.slice());
      model[page - 1] = image;
    }
    const space = rig.store.space(stream);
    const base = space.pin(space.newestLsn);
    space.stage({ base, pageCount: model.length, pageBytes: PAGE_BYTES, pages }).seal();
    space.unpin(base);
    rig.log.makeDurable();
    this.#pages.set(stream, model);
  }

  /** Half of it does not compress, and no two are the same. */
  #image(): Uint8Array {
    this.#stamp += 1;
    const image = new Uint8Array(PAGE_BYTES).fill(this.#stamp & 255);
    image.set(this.#simulation.random.bytes(PAGE_BYTES / 2));
    new DataView(image.buffer).setUint32(PAGE_BYTES / 2, this.#stamp);
    return image;
  }

  /** As one statement: where a page is away it is brought, and everything is read again. See (3). */
  async #readAll(stream: StreamId, wanted: readonly number[]): Promise<void> {
    const { rig } = this.remote;
    const space = rig.store.space(stream);
    const snapshot = space.pin(space.newestLsn);
    const visit = rig.store.residency.visit();
    const misses = new Map<number, number>();
    const read = (page: PageNumber) => space.read(snapshot, page);
    try {
      for (;;) {
        const away = this.#readUntilAway(read, { stream, wanted });
        if (away === undefined) return;
        const { pageNumber: page } = away;
        const count = (misses.get(page) ?? 0) + 1;
        misses.set(page, count);
        promise(count < MISSES_MAX, () => `page ${page} was brought ${count} times, and is away`);
        await rig.world.run(away.bring(visit));
      }
    } finally {
      visit.end();
      if (rig.world.alive) space.unpin(snapshot);
    }
  }

  #readUntilAway(
    read: (page: PageNumber) => Uint8Array,
    { stream, wanted }: { readonly stream: StreamId; readonly wanted: readonly number[] },
  ): PagesAway | undefined {
    const model = this.#pages.get(stream) ?? [];
    try {
      for (const page of wanted) {
        const image = read(pageNumber(page));
        const isRight = Buffer.compare(image, model[page - 1] ?? new Uint8Array()) === 0;
        promise(isRight, () => `page ${page} of ${stream} is not what was written`);
      }
      return undefined;
    } catch (error) {
      if (error instanceof PagesAway) return error;
      throw error;
    }
  }
}

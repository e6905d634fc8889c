import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { type Lsn, pageNumber } from "../../base/units.ts";
import { RECORD, recordBytes } from "../../chunk/index.ts";
import type { PageStoreLimits } from "../limits.ts";
import type { PageSpace, Snapshot } from "../page-space.ts";
import { Rig } from "../rig.fixture.ts";

const PAGE_BYTES = 512;

function image(page: number, round = 0): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES).fill(page % 251);
  bytes[1] = round;
  return bytes;
}

function commit(space: PageSpace, pages: ReadonlyMap<number, Uint8Array>): Lsn {
  const base = space.pin(space.newestLsn);
  const pageCount = Math.max(base.pageCount, ...pages.keys());
  const lsn = space.stage({ base, pageCount, pageBytes: PAGE_BYTES, pages }).seal();
  space.unpin(base);
  return lsn;
}

/** A store with one database of so many pages, checkpointed, and nothing of it in memory. */
async function loaded(count: number, limits: PageStoreLimits = {}): Promise<Rig> {
  const rig = await Rig.open({ seed: 11, limits: { cacheBytes: 1024 * 1024, ...limits } });
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  commit(rig.space(1), new Map(numbers.map((page) => [page, image(page)])));
  await rig.checkpoint();
  await rig.restart("power");
  return rig;
}

/** Compared much faster than bytes are. */
function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function read(space: PageSpace, snapshot: Snapshot, page: number): unknown {
  try {
    return text(space.read(snapshot, pageNumber(page)));
  } catch (error) {
    return error;
  }
}

function scanned(rig: Rig, from: number, upTo: number): unknown[] {
  const space = rig.space(1);
  const snapshot = space.pin(space.newestLsn);
  const found: unknown[] = [];
  for (let page = from; page <= upTo; page += 1) found.push(read(space, snapshot, page));
  space.unpin(snapshot);
  return found;
}

function images(from: number, upTo: number): string[] {
  return Array.from({ length: upTo - from + 1 }, (_, index) => text(image(from + index)));
}

async function damage(rig: Rig, page: number): Promise<{ path: string; offset: number }> {
  const [path = ""] = await rig.chunkFiles();
  const offset = 128 + (page - 1) * recordBytes(PAGE_BYTES);
  const bytes = rig.world.disk.contents(path) ?? new Uint8Array();
  const at = offset + RECORD.sizeBytes + 9;
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  rig.world.disk.replace(path, bytes);
  return { path, offset };
}

describe("a scan", () => {
  test("of a thousand pages reads the file a few dozen times, and every page is right", async () => {
    const rig = await loaded(1000);
    const before = rig.world.disk.calls.read ?? 0;
    expect(scanned(rig, 1, 1000)).toEqual(images(1, 1000));
    const { cache } = rig.store.stats;
    const reads = (rig.world.disk.calls.read ?? 0) - before;
    expect(reads).toBeLessThan(30);
    expect(cache.misses).toBeLessThan(30);
    expect(cache.readAhead.used).toBe(cache.readAhead.issued);
    expect(cache.readAhead.issued + cache.misses).toBe(1000);
  });

  test("of packed pages reads as little, and unpacks what lies between them", async () => {
    const rig = await loaded(600, { compression: "deflate" });
    expect(scanned(rig, 1, 600)).toEqual(images(1, 600));
    const { cache } = rig.store.stats;
    expect(cache.misses).toBeLessThan(20);
    expect(cache.readAhead.used).toBe(cache.readAhead.issued);
  });

  test("goes through what a large transaction wrote and no checkpoint has taken over", async () => {
    const rig = await Rig.open({ seed: 11 });
    const space = rig.space(1);
    const base = space.pin(space.newestLsn);
    const spill = space.spill(base, PAGE_BYTES);
    for (let page = 1; page <= 400; page += 1) spill.put(new Map([[page, image(page)]]));
    const pages = new Map<number, Uint8Array>();
    space.stage({ base, pageCount: 400, pageBytes: PAGE_BYTES, pages, spill }).seal();
    space.unpin(base);
    expect(scanned(rig, 1, 400)).toEqual(images(1, 400));
    expect(rig.store.stats.cache.misses).toBeLessThan(25);
  });

  test("with a cache of three pages reads nothing ahead and every page right", async () => {
    const rig = await loaded(100, { cacheBytes: 3000 });
    expect(scanned(rig, 1, 100)).toEqual(images(1, 100));
    const { cache } = rig.store.stats;
    expect(cache).toMatchObject({ misses: 100, frames: 3 });
    expect(cache.readAhead.issued).toBe(0);
  });

  test("never fills more than a quarter of the cache at once", async () => {
    const budgetBytes = 32 * 1024;
    const rig = await loaded(1000, { cacheBytes: budgetBytes });
    const space = rig.space(1);
    const snapshot = space.pin(space.newestLsn);
    let most = 0;
    for (let page = 1; page <= 1000; page += 1) {
      const before = rig.store.stats.cache.insertions;
      space.read(snapshot, pageNumber(page));
      most = Math.max(most, rig.store.stats.cache.insertions - before);
    }
    expect(most).toBeGreaterThan(8);
    expect(most * PAGE_BYTES).toBeLessThanOrEqual(budgetBytes / 4);
  });

  test("does not push out what others use", async () => {
    const rig = await loaded(3000);
    const space = rig.space(1);
    const snapshot = space.pin(space.newestLsn);
    const hot = Array.from({ length: 100 }, (_, index) => pageNumber(2901 + index));
    for (let round = 0; round < 2; round += 1) for (const page of hot) space.read(snapshot, page);
    const { misses: warm } = rig.store.stats.cache;
    for (let page = 1; page <= 2800; page += 1) {
      space.read(snapshot, pageNumber(page));
      if (page % 50 === 0) for (const one of hot) space.read(snapshot, one);
    }
    const { cache } = rig.store.stats;
    expect(cache.evictions).toBeGreaterThan(2000);
    // 2,800 pages, most of them read ahead: the hot ones, 5,600 times asked for, missed no more.
    expect(cache.misses - warm).toBeLessThan(120);
    expect(hot.map((page) => read(space, snapshot, page))).toEqual(images(2901, 3000));
  });
});

describe("a damaged page", () => {
  // evidence: G24
  test("does not fail its neighbours, and is reported when it is itself read", async () => {
    const rig = await loaded(200);
    const { path, offset } = await damage(rig, 100);
    const found = scanned(rig, 1, 200);
    const error = found[99];
    expect(isStorageError(error, "BOP_CORRUPT") && error.details).toEqual({
      file: path,
      offset,
      why: "checksum of the page",
      database: "tenant-1",
      page: 100,
    });
    expect(found.slice(0, 99)).toEqual(images(1, 99));
    expect(found.slice(100)).toEqual(images(101, 200));
    expect(isStorageError(scanned(rig, 100, 100)[0], "BOP_CORRUPT")).toBe(true);
  });

  test("that is the first of a run is reported, and those behind it are read", async () => {
    const rig = await loaded(40);
    await damage(rig, 2);
    const found = scanned(rig, 1, 40);
    expect(isStorageError(found[1], "BOP_CORRUPT")).toBe(true);
    expect(found.slice(2)).toEqual(images(3, 40));
  });

  test("behind which the file ends leaves the pages before it readable", async () => {
    const rig = await loaded(60);
    const [path = ""] = await rig.chunkFiles();
    const bytes = rig.world.disk.contents(path) ?? new Uint8Array();
    rig.world.disk.replace(path, bytes.slice(0, 128 + 29 * recordBytes(PAGE_BYTES) + 100));
    const found = scanned(rig, 1, 60);
    expect(found.slice(0, 29)).toEqual(images(1, 29));
    const rest = found.slice(29).map((error) => isStorageError(error, "BOP_CORRUPT"));
    expect(rest).toEqual(rest.map(() => true));
  });
});

describe("a read error", () => {
  test("of a run is not one of the page that was asked for: it is read alone", async () => {
    const rig = await loaded(40);
    const found = scanned(rig, 1, 1);
    rig.world.disk.failNext({ operation: "read" });
    found.push(...scanned(rig, 2, 40));
    expect(found).toEqual(images(1, 40));
    // It failed once, so for a while nothing more was read ahead.
    expect(rig.store.stats.cache.misses).toBeGreaterThan(15);
  });

  // evidence: G24
  test("of a page fails who reads it, with its file, and nobody else", async () => {
    const rig = await loaded(40);
    rig.world.disk.failNext({ operation: "read", pathPattern: /chunk$/, skip: 1 });
    const found = scanned(rig, 1, 40);
    expect(isStorageError(found[0], "BOP_IO") && found[0].details).toMatchObject({
      file: "/data/chunks/01/0000000000000001.chunk",
    });
    expect(found.slice(1)).toEqual(images(2, 40));
    expect(scanned(rig, 1, 2)).toEqual(images(1, 2));
  });
});

/** A database, and by snapshot what each page must be. */
async function differential(seed: number): Promise<void> {
  const budgets = [0, 3000, 8 * 1024, 64 * 1024, 1024 * 1024];
  const cacheBytes = budgets[seed % budgets.length] ?? 0;
  const compression = seed % 2 === 0 ? "none" : "deflate";
  const rig = await Rig.open({ seed, limits: { cacheBytes, compression } });
  const { random } = rig.world;
  const now = [new Map<number, Uint8Array>(), new Map<number, Uint8Array>()];
  const readers: { stream: number; snapshot: Snapshot; pages: Map<number, Uint8Array> }[] = [];
  for (let step = 0; step < 25; step += 1) {
    const stream = random.below(2);
    const space = rig.space(stream + 1);
    const pages = new Map<number, Uint8Array>();
    const first = 1 + random.below(150);
    const count = 1 + random.below(random.pick([3, 100]));
    for (let page = first; page < first + count; page += 1) {
      if (random.chance(0.7)) pages.set(page, image(page * 7 + stream, step));
    }
    commit(space, pages);
    const known = new Map([...(now[stream] ?? []), ...pages]);
    now[stream] = known;
    if (random.chance(0.4)) rig.log.makeDurable();
    if (random.chance(0.3)) await rig.checkpoint();
    if (random.chance(0.3)) {
      readers.push({ stream, snapshot: space.pin(space.newestLsn), pages: known });
    }
    if (random.chance(0.1)) {
      const [gone] = readers.splice(random.below(readers.length), 1);
      if (gone !== undefined) rig.space(gone.stream + 1).unpin(gone.snapshot);
    }
    for (const reader of readers) {
      const from = 1 + random.below(200);
      for (let page = from; page < from + random.below(120); page += 1) {
        const found = rig.space(reader.stream + 1).read(reader.snapshot, pageNumber(page));
        const expected = reader.pages.get(page) ?? new Uint8Array(PAGE_BYTES);
        if (Buffer.compare(found, expected) === 0) continue;
        throw new Error(`page ${page} of ${reader.stream} at ${reader.snapshot.lsn}`);
      }
    }
  }
}

// evidence: G24
test("readers at different moments never see each other's pages, however small the cache", async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    await differential(seed).catch((cause) => {
      throw new Error(`seed ${seed}`, { cause });
    });
  }
});

/**
 * THE PAGE CACHE ALONE, beside `lru-cache`: pages of 4 KiB in 64 MiB of memory, keyed by where they lie in
 * chunk files. Both hold a copy of what they are given; lru-cache hands out the buffers of pages that
 * it evicted again, which makes it twice as fast as letting the collector have them. It counts pages,
 * and is given as many as ours has room for.
 *
 * The last word of every page that is found is compared with its key while the time runs.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Metric, Scenario, Side } from "../harness.ts";
import { counted } from "../metrics.ts";
import { scramble } from "../workload.ts";

const BENCH = join(import.meta.dirname, "..");
const BUDGET_BYTES = 64 * 1024 * 1024;
const PAGE_BYTES = 4096;
const NUMBER_AT = PAGE_BYTES - 4;
const OPERATIONS = 1_000_000;
/** Pages that are asked for in the mixed workload, besides those of the scans. */
const DATABASE_PAGES = 60_000;
const SCAN_EVERY = 40_000;
const SCAN_PAGES = 20_000;

type Caches = typeof import("../../src/page-cache/index.ts");
type Worlds = typeof import("../../src/io/index.ts");

interface Cache {
  get(location: number): Uint8Array | undefined;
  insert(location: number, image: Uint8Array): void;
}

interface LruCache {
  get(key: number): Uint8Array | undefined;
  set(key: number, value: Uint8Array): void;
}

type LruConstructor = new (options: {
  max: number;
  dispose: (value: Uint8Array) => void;
}) => LruCache;

/** Where page `n` of a bulk-loaded store lies: records one behind the other, chunks of 64 MiB. */
const perChunk = 16_288;
const locationOf = (n: number): number =>
  (1 + Math.floor(n / perChunk)) * 2 ** 24 + 16 + (n % perChunk) * 515;

/** The page that a look-up asks for: that of rank r is wanted 1/r as often as the first (Zipf). */
function zipf(n: number): number {
  const share = (scramble(n) + 1) / 2 ** 32;
  return scramble(Math.floor(DATABASE_PAGES ** share)) % DATABASE_PAGES;
}

/** Byte by byte: to make a view would take as long as a look-up. */
function numberIn(image: Uint8Array): number {
  const low = (image[NUMBER_AT] ?? 0) | ((image[NUMBER_AT + 1] ?? 0) << 8);
  const high = (image[NUMBER_AT + 2] ?? 0) | ((image[NUMBER_AT + 3] ?? 0) << 8);
  return low + high * 65_536;
}

function timed(count: number, operation: (n: number) => void): number {
  const began = performance.now();
  for (let n = 0; n < count; n++) operation(n);
  return count / ((performance.now() - began) / 1000);
}

class Workload {
  readonly #cache: Cache;
  readonly #pages: number;
  readonly #page = new Uint8Array(PAGE_BYTES);
  readonly #mark = new DataView(this.#page.buffer);
  #found = 0;

  constructor(cache: Cache, pages: number) {
    this.#cache = cache;
    this.#pages = pages;
  }

  round(index: number, operations: number): Readonly<Record<string, number>> {
    const pages = this.#pages;
    const first = 10_000_000 + index * 2 * operations;
    for (let n = 0; n < pages; n++) this.#read(n);
    for (let n = 0; n < pages; n++) this.#read(n);
    const hits = timed(operations, (n) => this.#read(scramble(n) % pages));
    const misses = timed(operations, (n) => this.#expectNone(first + n));
    const scan = timed(operations / 4, (n) => this.#read(first + n));
    const mixed = this.#mixed(first + operations, operations);
    return { hits, misses, scan, ...mixed };
  }

  /** Look-ups of which some pages are much more wanted than others, and now and then a scan. */
  #mixed(firstScanned: number, operations: number): Readonly<Record<string, number>> {
    for (let n = 0; n < operations / 4; n++) this.#read(zipf(n));
    let scanned = firstScanned;
    let hits = 0;
    const began = performance.now();
    for (let n = 0; n < operations; n++) {
      this.#found = 0;
      this.#read(zipf(n));
      hits += this.#found;
      if (n % SCAN_EVERY !== 0) continue;
      for (let page = 0; page < SCAN_PAGES; page++) this.#read(scanned++);
    }
    const total = operations + scanned - firstScanned;
    const mixed = total / ((performance.now() - began) / 1000);
    return { mixed, mixedHits: (100 * hits) / operations };
  }

  /** A page as the store reads it: from the cache, or made up and put there. */
  #read(n: number): void {
    const location = locationOf(n);
    const image = this.#cache.get(location);
    if (image !== undefined) {
      this.#found += 1;
      if (numberIn(image) !== n) assert.fail(`page ${n} is another`);
      return;
    }
    this.#mark.setUint32(NUMBER_AT, n, true);
    this.#cache.insert(location, this.#page);
  }

  #expectNone(n: number): void {
    assert(this.#cache.get(locationOf(n)) === undefined);
  }
}

function sideOf(name: string, workload: Workload, scale: number): Side {
  const operations = Math.ceil(OPERATIONS * scale);
  return {
    name,
    async round(index) {
      const began = performance.now();
      const counts = workload.round(index, operations);
      return { operations, seconds: (performance.now() - began) / 1000, counts };
    },
    verify: () => Promise.resolve(), // Every page was compared as it was read.
    close: () => Promise.resolve(),
  };
}

async function ours(directory: string) {
  const dist = (path: string): Promise<unknown> =>
    import(pathToFileURL(join(BENCH, "../dist", path)).href);
  const { PageCache } = (await dist("page-cache/index.js")) as Caches;
  const { systemEnv } = (await dist("io/index.js")) as Worlds;
  const { clock } = systemEnv({ scratchDirectory: directory });
  return new PageCache({ budgetBytes: BUDGET_BYTES, clock });
}

function lruCacheOf(pages: number): Cache {
  const { LRUCache } = createRequire(join(BENCH, "package.json"))("lru-cache") as {
    LRUCache: LruConstructor;
  };
  const spare: Uint8Array[] = [];
  const cache = new LRUCache({ max: pages, dispose: (image) => spare.push(image) });
  return {
    get: (location) => cache.get(location),
    insert(location, image) {
      const copy = spare.pop() ?? new Uint8Array(PAGE_BYTES);
      copy.set(image);
      cache.set(location, copy);
    },
  };
}

/** How many pages of 4 KiB ours takes before one has to go. */
function capacityOf(cache: Awaited<ReturnType<typeof ours>>): number {
  const page = new Uint8Array(PAGE_BYTES);
  let location = 2 ** 50;
  while (cache.stats.evictions === 0) cache.insert(location++, page);
  return cache.stats.frames;
}

const rate = (name: string, count: string): Metric =>
  counted(name, { count, unit: "/s", better: "more" });

export const pageCache: Scenario = {
  name: "page-cache",
  what: "a page of 4 KiB looked up in 64 MiB, and put there if it is not found",
  metrics: [
    rate("hits", "hits"),
    rate("misses", "misses"),
    rate("scan: miss and insert", "scan"),
    rate("zipf and scans", "mixed"),
    { ...rate("found of the zipf", "mixedHits"), unit: "%" },
  ],
  async open({ directory, scale }) {
    const pages = capacityOf(await ours(directory));
    return [
      sideOf("bop-storage", new Workload(await ours(directory), pages), scale),
      sideOf("lru-cache", new Workload(lruCacheOf(pages), pages), scale),
    ];
  },
};

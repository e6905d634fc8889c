import assert from "node:assert/strict";
import { describe, expect, test } from "vitest";
import { seeded, simulatedWorld } from "../io/index.ts";
import { PageCache } from "./page-cache.ts";

const PAGE_BYTES = 512;
/** What a page of 512 bytes costs in a cache so small that each has a block of its own. */
const PAGE_COST = 1000;

function cacheOf(budgetBytes: number): PageCache {
  return new PageCache({ budgetBytes, clock: simulatedWorld({ seed: 1 }).start().clock });
}

function image(location: number, bytes = PAGE_BYTES): Uint8Array {
  return new Uint8Array(bytes).fill(location % 251);
}

function fill(cache: PageCache, from: number, count: number): void {
  for (let location = from; location < from + count; location += 1) {
    cache.insert(location, image(location));
  }
}

function known(cache: PageCache, upTo: number): number[] {
  const all = Array.from({ length: upTo }, (_, index) => index + 1);
  return all.filter((location) => cache.peek(location) !== undefined);
}

describe("the page cache", () => {
  test("gives back a copy of what was inserted, and counts what it had and had not", () => {
    const cache = cacheOf(64 * 1024);
    const mine = image(1);
    expect(cache.get(1)).toBeUndefined();
    expect(cache.insert(1, mine)).toEqual(image(1));
    mine.fill(99);
    expect(cache.get(1)).toEqual(image(1));
    expect(cache.peek(1)).toEqual(image(1));
    expect(cache.peek(2)).toBeUndefined();
    expect(cache.stats).toMatchObject({ hits: 1, misses: 1, insertions: 1, evictions: 0 });
    expect(cache.stats).toMatchObject({ bytes: PAGE_BYTES, frames: 1, pinned: 0 });
  });

  test("has a page once: inserted again, it is the one that is there", () => {
    const cache = cacheOf(64 * 1024);
    const first = cache.insert(1, image(1));
    expect(cache.insert(1, image(1))).toBe(first);
    expect(cache.stats).toMatchObject({ insertions: 1, frames: 1 });
  });

  test("keeps what is used while a scan of a thousand pages goes through", () => {
    const cache = cacheOf(100 * PAGE_COST);
    const hot = Array.from({ length: 50 }, (_, index) => index + 1);
    fill(cache, 1, 50);
    for (const location of hot) cache.get(location);
    for (let scanned = 1000; scanned < 2000; scanned += 1) {
      fill(cache, scanned, 1);
      if (scanned % 20 === 0) for (const location of hot) cache.get(location);
    }
    expect(cache.stats.evictions).toBeGreaterThan(800);
    expect(known(cache, 50)).toEqual(hot);
  });

  test("makes room though every page was used: the walk ends", () => {
    const cache = cacheOf(2 ** 20);
    let count = 0;
    while (cache.stats.evictions === 0) {
      count += 1;
      fill(cache, count, 1);
      cache.get(count);
    }
    // 256 were spared; the walk ended at the next, used or not.
    expect(count).toBeGreaterThan(400);
    expect(cache.stats.evictionAttempts).toBe(257);
    expect(cache.peek(257)).toBeUndefined();
  });

  test("does not keep what is larger than a block, and says so", () => {
    const cache = cacheOf(4 * PAGE_COST);
    fill(cache, 1, 1);
    expect(cache.insert(2, image(2, 4096))).toBeUndefined();
    expect(cache.get(1)).toEqual(image(1));
    expect(cache.stats).toMatchObject({ refused: 1, frames: 1 });
  });

  test("with no budget keeps nothing and still answers", () => {
    const cache = cacheOf(0);
    expect(cache.insert(1, image(1))).toBeUndefined();
    expect(cache.get(1)).toBeUndefined();
    expect(cache.stats).toMatchObject({ memoryBytes: 0, frames: 0, misses: 1, pressure: 0 });
  });

  test("says how much of it is in use: that grows with use and falls as the hand passes", () => {
    const cache = cacheOf(100 * PAGE_COST);
    fill(cache, 1, 80);
    expect(cache.stats.pressure).toBe(0);
    for (let location = 1; location <= 40; location += 1) cache.get(location);
    expect(cache.stats.pressure).toBeCloseTo((40 * PAGE_BYTES) / (100 * PAGE_COST), 10);
    fill(cache, 1000, 200);
    expect(cache.stats.pressure).toBe(0);
  });
});

describe("pages of several sizes", () => {
  test("share the budget: one size takes over what another does not use", () => {
    const cache = cacheOf(2 ** 20);
    fill(cache, 1, 5000);
    const small = cache.stats;
    expect(small.memoryBytes).toBeGreaterThan(0.99 * 2 ** 20 - 65_536);
    for (let location = 10_000; location < 11_000; location += 1) {
      const kept = cache.insert(location, image(location, 4096)) ?? new Uint8Array();
      expect(Buffer.compare(kept, image(location, 4096))).toBe(0);
    }
    expect(cache.stats.bytes).toBeGreaterThan(0.85 * 2 ** 20);
    for (let location = 20_000; location < 20_100; location += 1) {
      expect(cache.insert(location, image(location, 65_536))?.length).toBe(65_536);
    }
    expect(cache.stats.frames).toBeLessThan(100);
    expect(cache.stats.memoryBytes).toBeLessThanOrEqual(2 ** 20);
  });

  test("do not push out a block with a pinned page in it", () => {
    const cache = cacheOf(2 ** 20);
    fill(cache, 1, 5000);
    const pinned = known(cache, 5000)[0] ?? 0;
    expect(cache.pin(pinned)).toBe(true);
    for (let location = 10_000; location < 11_000; location += 1) {
      expect(cache.insert(location, image(location, 4096))).toBeDefined();
    }
    expect(cache.peek(pinned)).toEqual(image(pinned));
    expect(cache.stats.pinned).toBe(1);
  });
});

describe("a pinned page", () => {
  test("stays where it is until it has been unpinned as often", () => {
    const cache = cacheOf(3 * PAGE_COST);
    const mine = cache.insert(1, image(1));
    expect(cache.pin(1) && cache.pin(1)).toBe(true);
    fill(cache, 10, 100);
    cache.unpin(1);
    fill(cache, 200, 100);
    expect(mine).toEqual(image(1));
    expect(cache.get(1)).toBe(mine);
    cache.unpin(1);
    expect(cache.stats.pinned).toBe(0);
    for (let location = 400; location < 410; location += 1) {
      fill(cache, location, 1);
      cache.get(location); // Or the hand would stay with what is new.
    }
    expect(cache.peek(1)).toBeUndefined();
  });

  test("can be everything: then a page is not kept, and the walk ends", () => {
    const cache = cacheOf(3 * PAGE_COST);
    fill(cache, 1, 3);
    expect([1, 2, 3].map((location) => cache.pin(location))).toEqual([true, true, true]);
    expect(cache.insert(4, image(4))).toBeUndefined();
    expect(cache.stats).toMatchObject({ refused: 1, pinned: 3, evictions: 0 });
    cache.unpin(2);
    expect(cache.insert(4, image(4))).toEqual(image(4));
    expect(known(cache, 4)).toEqual([1, 3, 4]);
  });

  test("has to be there, and to be unpinned no more often than it was pinned", () => {
    const cache = cacheOf(3 * PAGE_COST);
    expect(cache.pin(1)).toBe(false);
    expect(() => cache.unpin(1)).toThrow("not there");
    fill(cache, 1, 1);
    expect(() => cache.unpin(1)).toThrow("not pinned");
  });
});

describe("a page that was read ahead", () => {
  test("is counted as used when it is asked for, and only then becomes like any other", () => {
    const cache = cacheOf(64 * 1024);
    cache.insertAhead(1, image(1));
    expect(cache.isAhead(1)).toBe(true);
    expect(cache.stats.readAhead).toEqual({ issued: 1, used: 0, wasted: 0 });
    expect(cache.get(1)).toEqual(image(1));
    expect(cache.isAhead(1)).toBe(false);
    expect(cache.stats.readAhead).toEqual({ issued: 1, used: 1, wasted: 0 });
    expect(cache.stats.pressure).toBe(0);
    cache.get(1);
    expect(cache.stats.pressure).toBeGreaterThan(0);
  });

  test("is spared once, and wasted if nobody asks for it by then", () => {
    const cache = cacheOf(3 * PAGE_COST);
    cache.insertAhead(1, image(1));
    fill(cache, 2, 3);
    expect(known(cache, 4)).toEqual([1, 3, 4]);
    expect(cache.get(3) && cache.get(4)).toBeDefined();
    fill(cache, 5, 1); // The hand spares 3 and 4, and is back at 1.
    expect(known(cache, 5)).toEqual([3, 4, 5]);
    expect(cache.stats.readAhead).toEqual({ issued: 1, used: 0, wasted: 1 });
  });
});

describe("an image that changes in memory", () => {
  // evidence: G24
  test("is noticed when it is used again, not served, and mended by the next insertion", () => {
    const cache = cacheOf(64 * 1024);
    const first = cache.insert(1, image(1));
    if (first === undefined) throw new Error("not kept");
    first[7] = 0xff;
    expect(cache.get(1)).toBeUndefined();
    expect(cache.peek(1)).toBeUndefined();
    expect(cache.pin(1)).toBe(false);
    expect(cache.stats).toMatchObject({ damaged: 1, misses: 1 });
    expect(cache.insert(1, image(1))).toEqual(image(1));
    expect(cache.get(1)).toEqual(image(1));
    expect(cache.stats).toMatchObject({ damaged: 1, hits: 1 });
  });

  test("is noticed when it goes", () => {
    const cache = cacheOf(3 * PAGE_COST);
    cache.insert(1, image(1))?.fill(0);
    fill(cache, 2, 3);
    expect(cache.stats).toMatchObject({ damaged: 1, evictions: 1 });
  });
});

/** Everything that was ever inserted has one right content, and the model knows what is pinned. */
class Twin {
  readonly #random;
  readonly #cache: PageCache;
  readonly #pins = new Map<number, number>();

  constructor(seed: number) {
    this.#random = seeded(seed);
    const pages = this.#random.pick([0, 3, 3, 10, 100, 400]);
    this.#cache = cacheOf(pages * this.#random.pick([700, 1000, 5000]));
  }

  step(): void {
    const random = this.#random;
    const cache = this.#cache;
    const location = 1 + random.below(random.pick([5, 50, 1000])) + random.below(3) * 2 ** 33;
    const dice = random.below(10);
    if (dice < 4 && this.#isRight(location, cache.get(location))) this.#insert(location);
    else if (dice < 6) this.#insert(location);
    else if (dice < 7) this.#isRight(location, cache.peek(location));
    else if (dice < 9 && this.#pins.size < 40) this.#pin(location);
    else this.#unpin();
    this.#check();
  }

  #imageOf(location: number): Uint8Array {
    return image(location, [512, 1024, 4096][location % 3]);
  }

  #isRight(location: number, found: Uint8Array | undefined): boolean {
    if (found === undefined) return true;
    assert(Buffer.compare(found, this.#imageOf(location)) === 0, `page ${location} is another`);
    return false;
  }

  #insert(location: number): void {
    const cache = this.#cache;
    const given = this.#imageOf(location);
    const isAhead = this.#random.chance(0.3);
    const kept = isAhead ? cache.insertAhead(location, given) : cache.insert(location, given);
    const isThere = !this.#isRight(location, cache.peek(location));
    assert(isThere === (kept !== undefined), `page ${location} is there if it was kept`);
  }

  #pin(location: number): void {
    if (!this.#cache.pin(location)) return;
    this.#pins.set(location, (this.#pins.get(location) ?? 0) + 1);
  }

  #unpin(): void {
    const [location] = this.#pins.keys();
    if (location === undefined) return;
    const pins = this.#pins.get(location) ?? 0;
    this.#cache.unpin(location);
    if (pins === 1) this.#pins.delete(location);
    else this.#pins.set(location, pins - 1);
  }

  #check(): void {
    const { stats } = this.#cache;
    assert(stats.memoryBytes <= stats.budgetBytes, "more memory than the budget");
    assert(stats.bytes <= stats.memoryBytes, "more pages than memory");
    assert(stats.frames === stats.insertions - stats.evictions, "a frame was lost");
    assert(stats.pinned === this.#pins.size, "a pin was lost");
    assert(stats.pressure >= 0 && stats.pressure <= 1, "pressure is a share");
    assert(stats.damaged === 0, "a page changed in memory");
    const { issued, used, wasted } = stats.readAhead;
    assert(used + wasted <= issued, "more pages used than read ahead");
    for (const location of this.#pins.keys()) {
      assert(!this.#isRight(location, this.#cache.peek(location)), "a pinned page is gone");
    }
  }
}

// evidence: G24
test("whatever is asked of it, a page is right or not there, memory is bounded, pins hold", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const twin = new Twin(seed);
    try {
      for (let step = 0; step < 400; step += 1) twin.step();
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    }
  }
});

import { describe, expect, test } from "vitest";
import { seeded } from "../io/index.ts";
import { PageCache } from "./page-cache.ts";

const PAGE_BYTES = 512;

function cacheOf(pages: number) {
  const evicted: Uint8Array[] = [];
  const cache = new PageCache({
    budgetBytes: pages * PAGE_BYTES,
    onEvict: (image) => evicted.push(image),
  });
  return { cache, evicted };
}

function image(location: number, bytes = PAGE_BYTES): Uint8Array {
  return new Uint8Array(bytes).fill(location % 251);
}

describe("the page cache", () => {
  test("gives back what was inserted, and counts what it had and had not", () => {
    const { cache } = cacheOf(4);
    expect(cache.get(1)).toBeUndefined();
    expect(cache.insert(1, image(1))).toBe(true);
    expect(cache.get(1)).toEqual(image(1));
    expect(cache.peek(1)).toEqual(image(1));
    expect(cache.stats).toEqual({
      hits: 1,
      misses: 1,
      evictions: 0,
      bytes: PAGE_BYTES,
      frames: 1,
    });
  });

  test("never holds more than its budget, whatever sizes come, and loses no buffer", () => {
    const random = seeded(3);
    const { cache, evicted } = cacheOf(20);
    let inserted = 0;
    for (let step = 0; step < 5000; step += 1) {
      const location = random.below(200);
      const known = cache.get(location);
      if (known !== undefined) {
        expect(known[0]).toBe(location % 251);
        continue;
      }
      if (cache.insert(location, image(location, 512 << random.below(3)))) inserted += 1;
      expect(cache.stats.bytes).toBeLessThanOrEqual(20 * PAGE_BYTES);
      expect(cache.stats.frames + evicted.length).toBe(inserted);
    }
    expect(cache.stats.evictions).toBe(evicted.length);
  });

  test("keeps what is used while a scan of a thousand pages goes through", () => {
    const { cache } = cacheOf(100);
    const hot = Array.from({ length: 50 }, (_, index) => index + 1);
    for (const location of hot) cache.insert(location, image(location));
    for (const location of hot) cache.get(location);
    for (let scanned = 1000; scanned < 2000; scanned += 1) {
      cache.insert(scanned, image(scanned));
      if (scanned % 20 === 0) for (const location of hot) cache.get(location);
    }
    expect(hot.filter((location) => cache.peek(location) !== undefined)).toEqual(hot);
  });

  test("makes room though every page was used: the walk ends", () => {
    const { cache, evicted } = cacheOf(1000);
    for (let location = 1; location <= 1000; location += 1) {
      cache.insert(location, image(location));
      cache.get(location);
    }
    expect(cache.insert(5000, image(5000))).toBe(true);
    // 256 were spared; the walk ended at the next, used or not.
    expect(evicted).toEqual([image(257)]);
  });

  test("does not keep what is larger than all it may hold", () => {
    const { cache, evicted } = cacheOf(2);
    cache.insert(1, image(1));
    expect(cache.insert(2, image(2, 4096))).toBe(false);
    expect(cache.peek(1)).toBeDefined();
    expect(evicted).toHaveLength(0);
  });

  test("does not take a page twice: the second buffer stays with who brought it", () => {
    const { cache } = cacheOf(4);
    const first = image(1);
    cache.insert(1, first);
    expect(cache.insert(1, image(1))).toBe(false);
    expect(cache.get(1)).toBe(first);
  });

  test("with no budget keeps nothing and still answers", () => {
    const { cache } = cacheOf(0);
    expect(cache.insert(1, image(1))).toBe(false);
    expect(cache.get(1)).toBeUndefined();
  });
});

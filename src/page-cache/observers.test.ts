import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { simulatedWorld } from "../io/index.ts";
import type { PageObserver } from "./observers.ts";
import { PageCache } from "./page-cache.ts";

function image(location: number): Uint8Array {
  return new Uint8Array(512).fill(location % 251);
}

function cacheOf(pages: number): PageCache {
  const { clock } = simulatedWorld({ seed: 1 }).start();
  return new PageCache({ budgetBytes: pages * 1000, clock });
}

describe("an observer", () => {
  test("hears of every page that comes and goes, when it has come and is gone", () => {
    const cache = cacheOf(3);
    const heard: string[] = [];
    const observer: PageObserver = {
      onInsert: ({ location, bytes }) => {
        heard.push(`+${location} ${bytes} ${cache.peek(location) !== undefined}`);
      },
      onEvict: ({ location, bytes }) => {
        heard.push(`-${location} ${bytes} ${cache.peek(location) !== undefined}`);
      },
    };
    const observing = cache.observe(observer);
    for (const location of [1, 2, 3, 4]) cache.insert(location, image(location));
    observing.dispose();
    cache.insert(5, image(5));
    const came = ["+1 512 true", "+2 512 true", "+3 512 true"];
    expect(heard).toEqual([...came, "-1 512 false", "+4 512 true"]);
  });

  test("may call everything while it is told, and what is returned outside is right", () => {
    const cache = cacheOf(3);
    let calls = 0;
    const again = (location: number): void => {
      calls += 1;
      const next = 1 + ((location * 7 + calls) % 50);
      cache.get(next);
      cache.peek(next);
      cache.isAhead(next);
      cache.insert(next, image(next));
      cache.insertAhead(next + 100, image(next + 100));
      if (cache.pin(next)) cache.unpin(next);
      cache.observe({ onEvict: () => undefined }).dispose();
      const { frames, insertions, evictions } = cache.stats;
      if (frames !== insertions - evictions) throw new Error("a frame was lost");
    };
    const observer: PageObserver = {
      onInsert: ({ location }) => again(location),
      onEvict: ({ location }) => again(location),
    };
    const observing = cache.observe(observer);
    for (let location = 1; location < 8; location += 1) {
      const kept = cache.insert(location, image(location));
      if (kept !== undefined) expect(Buffer.compare(kept, image(location))).toBe(0);
    }
    const { observers, pinned, frames } = cache.stats;
    expect(calls).toBeGreaterThan(1000);
    // It inserted for each page that it heard of, for ever; each time it was stopped.
    expect(observers.dropped).toBeGreaterThan(0);
    expect(observers).toMatchObject({ errors: 0, count: 1 });
    expect([pinned, frames]).toEqual([0, 3]);
    observing.dispose();
  });

  test("that throws disturbs neither the cache nor the next one, and is kept for who asks", () => {
    const cache = cacheOf(3);
    const heard: number[] = [];
    const bad: PageObserver = {
      onInsert: () => {
        throw new Error("a bad observer");
      },
    };
    const good: PageObserver = { onInsert: ({ location }) => heard.push(location) };
    cache.observe(bad);
    cache.observe(good);
    expect(cache.insert(1, image(1))).toEqual(image(1));
    expect(cache.insert(2, image(2))).toEqual(image(2));
    expect(heard).toEqual([1, 2]);
    const { observers } = cache.stats;
    expect(observers).toMatchObject({ errors: 2, lastError: "a bad observer" });
  });

  test("is timed", () => {
    const world = simulatedWorld({ seed: 1 });
    const { clock } = world.start();
    let nowMs = 0;
    const ticking = { ...clock, monotonicMs: () => nowMs };
    const cache = new PageCache({ budgetBytes: 64 * 1024, clock: ticking });
    const slow: PageObserver = {
      onInsert: () => {
        nowMs += 7;
      },
    };
    cache.observe(slow);
    cache.insert(1, image(1));
    cache.insert(2, image(2));
    expect(cache.stats.observers.totalMs).toBe(14);
  });

  test("that nobody else holds is forgotten", async () => {
    setFlagsFromString("--expose-gc");
    const gc: () => void = runInNewContext("gc");
    const cache = cacheOf(3);
    const kept: PageObserver = {};
    cache.observe(kept);
    (() => cache.observe({ onInsert: () => undefined }))();
    // What a weak reference was made for stays until the turn has ended.
    for (let turn = 0; turn < 3; turn += 1) await new Promise((done) => setImmediate(done));
    gc();
    cache.insert(1, image(1));
    expect(cache.stats.observers.count).toBe(1);
    expect(Object.keys(kept)).toEqual([]);
  });
});

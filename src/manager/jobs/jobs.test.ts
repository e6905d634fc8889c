import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { streamId } from "../../base/units.ts";
import { seeded, simulatedWorld } from "../../io/index.ts";
import { memoryStores, openManifest } from "../../manifest/index.ts";
import { type JobHandler, Jobs } from "./jobs.ts";

const SHOP = streamId(7);
const CAFE = streamId(8);

function makeWorld(seed: number) {
  const world = simulatedWorld({ seed });
  const stores = memoryStores(seeded(seed));
  const failures: unknown[] = [];
  /** A process: its jobs, begun. */
  const open = async (handler: JobHandler, env: Env = world.start()) => {
    const manifest = await openManifest({
      openStore: stores.openerFor(env),
      directory: "/store/manifest",
      storeIdForNew: Uint8Array.of(1),
      clock: env.clock,
    });
    const jobs = new Jobs({
      manifest,
      clock: env.clock,
      random: env.random,
      handlers: { "integrity-check": handler },
      nameOf: (stream) => `database-${stream}`,
      onFailure: (error) => failures.push(error),
    });
    jobs.start();
    return { jobs, env, manifest };
  };
  return { world, stores, failures, open };
}

const busy = () =>
  new StorageError("BOP_BACKPRESSURE", "busy", { details: { full: "log", retryAfterMs: 1 } });

describe("jobs of a store", () => {
  test("a failure that waiting may mend is tried again, later each time, until it goes well", async () => {
    const { world, open } = makeWorld(1);
    const startedMs: number[] = [];
    const over = await world.run(async () => {
      const { jobs, env } = await open(async () => {
        startedMs.push(env.clock.monotonicMs());
        if (startedMs.length < 4) throw busy();
        return "ok";
      });
      const { id } = await jobs.submit("integrity-check", SHOP);
      return jobs.finished(id);
    });
    expect(over).toMatchObject({ state: "done", result: "ok", attempts: 4 });
    expect(startedMs).toHaveLength(4);
  });

  test("a wall clock that is set back by hours holds up neither a retry nor what was submitted", async () => {
    const { world, open } = makeWorld(1);
    let attempts = 0;
    const states = await world.run(async () => {
      const { jobs, env } = await open(async () => {
        attempts += 1;
        if (attempts === 1) throw busy();
        return "ok";
      });
      const { id } = await jobs.submit("integrity-check", SHOP);
      while (jobs.list()[0]?.state !== "waiting") await env.clock.sleep(1);
      world.jumpWall(-5 * 3_600_000);
      const other = await jobs.submit("integrity-check", CAFE);
      await env.clock.sleep(10 * 60_000);
      return [id, other.id].map((each) => jobs.list().find((job) => job.id === each)?.state);
    });
    expect(states).toEqual(["done", "done"]);
  });

  test("a job that fails for good keeps its reason over a restart, and can be retried then", async () => {
    const { world, open } = makeWorld(2);
    let attempts = 0;
    await world.run(async () => {
      const { jobs, manifest } = await open(async () => {
        attempts += 1;
        throw busy();
      });
      const { id } = await jobs.submit("integrity-check", SHOP);
      expect(await jobs.finished(id)).toMatchObject({ state: "failed", reason: "busy" });
      await jobs.stop();
      await manifest.close();
    });
    expect(attempts).toBe(5);
    world.kill();
    await world.run(async () => {
      const { jobs } = await open(async () => "ok");
      const [found] = jobs.list();
      expect(found).toMatchObject({ state: "failed", reason: "busy", attempts: 5 });
      await jobs.retry(found?.id ?? 0);
      expect(await jobs.finished(found?.id ?? 0)).toMatchObject({ state: "done", attempts: 1 });
    });
  });

  test("what no waiting mends fails at its first attempt", async () => {
    const { world, open } = makeWorld(3);
    const over = await world.run(async () => {
      const { jobs } = await open(async () => {
        throw new StorageError("BOP_DROPPED", "it was dropped", { details: { database: "x" } });
      });
      const { id } = await jobs.submit("integrity-check", SHOP);
      return jobs.finished(id);
    });
    expect(over).toMatchObject({ state: "failed", attempts: 1, reason: "it was dropped" });
  });

  // evidence: G14
  test("one that was discarded stays away, though the power is cut at once", async () => {
    for (let seed = 10; seed < 20; seed += 1) {
      const { world, open, failures } = makeWorld(seed);
      await world.run(async () => {
        const { jobs } = await open(async () => "ok");
        const [kept, gone] = [SHOP, CAFE].map((at) => jobs.submit("integrity-check", at));
        const ids = (await Promise.all([kept, gone])).map((job) => job?.id ?? 0);
        for (const id of ids) await jobs.finished(id);
        await jobs.discard(ids[1] ?? 0);
        expect(jobs.list()).toMatchObject([{ id: ids[0] }]);
      });
      world.powerCut();
      await world.run(async () => {
        const { jobs } = await open(async () => "ok");
        expect(jobs.list()).toMatchObject([{ database: `database-${SHOP}`, state: "done" }]);
      });
      expect(failures).toEqual([]);
    }
  });

  test("of those that went well the newest 200 are kept, also over a restart", async () => {
    const { world, open, failures } = makeWorld(21);
    const count = 210;
    const newest = Array.from({ length: 200 }, (_, n) => count - 199 + n);
    const ids = (jobs: Jobs) => jobs.list().map(({ id }) => id);
    await world.run(async () => {
      const { jobs, manifest } = await open(async () => "ok");
      for (let n = 0; n < count; n += 1) {
        await jobs.finished((await jobs.submit("integrity-check", SHOP)).id);
      }
      await jobs.submit("integrity-check", CAFE);
      await jobs.stop();
      expect(ids(jobs)).toEqual([...newest, count + 1]);
      await manifest.close();
    });
    await world.run(async () => {
      const { jobs } = await open(async () => "ok");
      expect(ids(jobs)).toEqual([...newest, count + 1]);
    });
    expect(failures).toEqual([]);
  });

  // evidence: G14
  test("a job whose process was killed is run again by the next, from its start", async () => {
    const { world, open } = makeWorld(4);
    const first = await world.run(async () => {
      const { jobs } = await open(() => new Promise(() => {}));
      const { id } = await jobs.submit("integrity-check", SHOP);
      while (jobs.list()[0]?.state !== "leased") await jobs.submit("integrity-check", SHOP);
      return id;
    });
    world.powerCut();
    const over = await world.run(async () => {
      const { jobs } = await open(async () => "ok");
      return jobs.finished(first);
    });
    expect(over).toMatchObject({ state: "done", attempts: 2 });
  });

  // evidence: G14
  test("a job that takes every process with it fails in the end, and does not keep the store down", async () => {
    const { world, open } = makeWorld(5);
    for (let life = 0; life < 5; life++) {
      await world.run(async () => {
        const { jobs, env } = await open(() => new Promise(() => {}));
        if (life === 0) await jobs.submit("integrity-check", SHOP);
        while (jobs.list()[0]?.attempts !== life + 1) await env.clock.sleep(1);
      });
      world.kill();
    }
    const over = await world.run(async () => {
      const { jobs } = await open(async () => "never run");
      return jobs.finished(1);
    });
    expect(over).toMatchObject({ state: "failed", attempts: 5, reason: "its process ended" });
  });

  test("a job that hangs loses its lease, and makes room for the next", async () => {
    const { world, open } = makeWorld(6);
    let hangs = true;
    const [stuck, next] = await world.run(async () => {
      const { jobs } = await open(async ({ stream }) => {
        if (stream === SHOP && hangs) {
          hangs = false;
          return new Promise(() => {});
        }
        return "ok";
      });
      const a = await jobs.submit("integrity-check", SHOP);
      const b = await jobs.submit("integrity-check", CAFE);
      return [await jobs.finished(a.id), await jobs.finished(b.id)];
    });
    expect(stuck).toMatchObject({ state: "done", attempts: 2 });
    expect(next).toMatchObject({ state: "done", attempts: 1 });
  });

  test("a job that shows progress keeps its lease for as long as it takes", async () => {
    const { world, open } = makeWorld(7);
    const over = await world.run(async () => {
      const { jobs, env } = await open(async ({ progress, signal }) => {
        for (let done = 1; done <= 20; done++) {
          await env.clock.sleep(30_000, signal);
          progress(done, 20);
        }
        return "ok";
      });
      const { id } = await jobs.submit("integrity-check", SHOP);
      return jobs.finished(id);
    });
    expect(over).toMatchObject({ state: "done", attempts: 1, progress: { done: 20, total: 20 } });
  });

  test("a job that is cancelled while it runs is told so, and what it still answers is not heard", async () => {
    const { world, open } = makeWorld(8);
    const told: unknown[] = [];
    const over = await world.run(async () => {
      const { jobs, env } = await open(async ({ signal }) => {
        signal.addEventListener("abort", () => told.push(signal.reason));
        await env.clock.sleep(100);
        return "too late";
      });
      const { id } = await jobs.submit("integrity-check", SHOP);
      while (jobs.list()[0]?.state !== "leased") await env.clock.sleep(1);
      const waiting = jobs.finished(id);
      await jobs.cancel(id);
      await env.clock.sleep(1000);
      return waiting;
    });
    expect(over).toMatchObject({ state: "cancelled", result: undefined });
    expect(told).toHaveLength(1);
  });

  test("of a job that is retried while its like is submitted, one is pending", async () => {
    for (const isRetriedFirst of [false, true]) {
      const { world, open } = makeWorld(12);
      const [listed, chosen] = await world.run(async () => {
        const { jobs } = await open(() => new Promise(() => {}));
        const { id } = await jobs.submit("integrity-check", SHOP);
        await jobs.cancel(id);
        const retry = () => jobs.retry(id);
        const submit = () => jobs.submit("integrity-check", SHOP);
        const calls = isRetriedFirst ? [retry, submit] : [submit, retry];
        const both = await Promise.all(calls.map((call) => call()));
        return [jobs.list(), both.map((job) => job.id)];
      });
      expect(new Set(chosen).size).toBe(1);
      expect(listed.filter(({ state }) => state !== "cancelled")).toHaveLength(1);
    }
  });

  test("on a full disk a job waits for room: nothing is said of it that is not recorded", async () => {
    const { world, stores, failures, open } = makeWorld(9);
    const over = await world.run(async () => {
      const { jobs } = await open(async () => {
        if (failures.length === 0) stores.failNextCommit({ applied: false, error: "ENOSPC" });
        return "ok";
      });
      const { id } = await jobs.submit("integrity-check", SHOP);
      return jobs.finished(id);
    });
    expect(failures).toMatchObject([{ code: "BOP_DISK_FULL" }]);
    expect(over).toMatchObject({ state: "done", attempts: 2 });
  });

  test("who waits for a job is told when the store closes, and when the wait is given up", async () => {
    const { world, open } = makeWorld(10);
    await world.run(async () => {
      const { jobs } = await open(() => new Promise(() => {}));
      const { id } = await jobs.submit("integrity-check", SHOP);
      const giveUp = new AbortController();
      const left = jobs.finished(id, giveUp.signal);
      giveUp.abort(new Error("enough"));
      await expect(left).rejects.toThrow("enough");
      const waiting = expect(jobs.finished(id)).rejects.toMatchObject({ code: "BOP_CLOSED" });
      await jobs.stop();
      await waiting;
    });
  });

  test("of what is done only the newest are kept; what failed is kept until somebody looks", async () => {
    const { world, open } = makeWorld(11);
    const kept = await world.run(async () => {
      const { jobs } = await open(async ({ stream }) => {
        if (stream === SHOP) throw new TypeError("a mistake");
        return "ok";
      });
      const failed = await jobs.submit("integrity-check", SHOP);
      await jobs.finished(failed.id);
      for (let n = 0; n < 230; n++) {
        const { id } = await jobs.submit("integrity-check", streamId(100 + n));
        await jobs.finished(id);
      }
      return jobs.list();
    });
    expect(kept.filter(({ state }) => state === "done").length).toBeLessThanOrEqual(201);
    expect(kept[0]).toMatchObject({ state: "failed", reason: "a mistake" });
  });
});

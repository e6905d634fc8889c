import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import type { StorageError } from "../../base/errors.ts";
import { epochPrefix, SimulatedStore } from "../../sink/index.ts";
import { Bucket } from "../lineage/bucket.ts";
import { claimEpoch } from "../lineage/claim-epoch.ts";
import { takeOver } from "../lineage/take-over.ts";
import type { ManifestPump } from "./ports.ts";
import {
  batchesInBucket,
  commitsInBucket,
  Machine,
  pumpOver,
  STORE_ID,
  shipping,
  whileShipping,
  withShippedCheckpoints,
} from "./ship.fixture.ts";

const HOUR = 3_600_000;

/** As another process would that has the same log. */
async function takeOverBy(machine: Machine, { clock, random }: Env): Promise<void> {
  const bucket = new Bucket(new SimulatedStore({ service: machine.service, clock }), STORE_ID);
  const dice = { random, wallMs: 1 };
  const epoch = await claimEpoch(bucket, dice);
  await takeOver(bucket, { ...dice, epoch });
}

const isClaim = (key: string) => key.startsWith("epoch/");

const sealed = (machine: Machine) => machine.commits.map(({ lsn }) => lsn);

describe("shipping", () => {
  test("brings what is committed into the bucket within its interval, and at once for who waits", async () => {
    await whileShipping({ seed: 1 }, async ({ machine, env, store, startedMs }) => {
      await store.remote(await store.commit(100));
      expect(env.clock.monotonicMs() - startedMs).toBeLessThan(900); // The first base included.
      await store.commit(100);
      const beganMs = env.clock.monotonicMs();
      await store.remote(await store.commit(100));
      expect(env.clock.monotonicMs() - beganMs).toBeLessThan(900);
      await store.commit(100);
      expect(store.controller.unshippedBytes).toBeGreaterThan(0);
      await env.clock.sleep(1200);
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
      expect(store.controller.remoteLsn).toBe(store.log.durableLsn);
    });
  });

  test("says remote of nothing before a state is there from which the log can be restored", async () => {
    let mayShip = (): void => undefined;
    const allowed = new Promise<void>((resolve) => {
      mayShip = resolve;
    });
    const late = (real: ManifestPump) =>
      pumpOver(real, { round: (signal) => allowed.then(() => real.round(signal)) });
    await whileShipping({ seed: 2, pump: late }, async ({ machine, env, store }) => {
      const lsn = await store.commit(100);
      await env.clock.sleep(1500);
      expect(commitsInBucket(machine.service)).toEqual([lsn]);
      expect(store.controller.remoteLsn).toBe(0);
      mayShip();
      await store.remote(lsn);
      expect(store.controller.stats.lastState?.checkpointLsn).toBeDefined();
    });
  });

  test("goes on after an outage of hours with everything in its place, and calls little meanwhile", async () => {
    const machine = new Machine(3);
    const { world, service } = machine;
    const env = world.start();
    const store = await world.run(() => shipping(machine, env));
    await world.run(async () => store.remote(await store.commit(500)));
    service.faults.state.down = true;
    const { calls } = service;
    await world.run(async () => {
      await store.commit(9000);
      while (store.controller.facts.retries.failures === 0) await env.clock.sleep(10);
      // Told from the first attempt on, long before the last of them.
      expect(store.controller.facts.lastError).toContain("BOP_SINK_UNAVAILABLE");
      for (let i = 1; i < 30; i++) await store.commit(9000);
    });
    const opened = () => store.controller.facts.retries.breaker;
    expect(opened()).toBe("closed");
    for (let hour = 0; hour < 5; hour++) await world.pass(HOUR);
    expect(opened()).not.toBe("closed");
    expect(service.calls - calls).toBeLessThan((5 * HOUR) / 10_000);
    expect(store.controller.facts).toMatchObject({ state: "shipping", deadLetters: 0 });
    expect(store.controller.facts.oldestUnshippedMs).toBeGreaterThan(4 * HOUR);
    expect(store.controller.facts.lastError).toContain("BOP_SINK_UNAVAILABLE");
    service.faults.state.down = false;
    await world.run(async () => {
      await store.remote(store.log.durableLsn);
      expect(store.controller.facts.lastError).toBeUndefined();
      expect(commitsInBucket(service)).toEqual(sealed(machine));
      await store.close();
    });
  });

  // evidence: G31
  test("keeps the log on this disk until the bucket has it, however many checkpoints there are", async () => {
    await whileShipping({ seed: 4 }, async ({ machine, env, store }) => {
      await store.remote(await store.commit(500));
      machine.service.faults.state.down = true;
      for (let i = 0; i < 20; i++) {
        await store.commit(50_000);
        await store.checkpoint();
      }
      const held = store.log.stats.inflight.length;
      expect(held).toBeGreaterThan(3);
      machine.service.faults.state.down = false;
      await store.remote(store.log.durableLsn);
      await env.clock.sleep(5000); // Until the manifest remembers it, with the next state.
      expect(store.log.stats.inflight.length).toBeLessThan(3);
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
    });
  });

  test("carries one object for all who waited while the one before was on its way", async () => {
    await whileShipping({ seed: 5 }, async ({ store }) => {
      await store.remote(await store.commit(100));
      const before = store.controller.stats.requests.putsByKind.wal;
      await Promise.all(
        Array.from({ length: 64 }, async () => {
          await store.remote(await store.commit(100));
        }),
      );
      expect(store.controller.stats.requests.putsByKind.wal - before).toBeLessThan(8);
    });
  });

  test("puts an index after 256 objects of log, and goes on behind it", async () => {
    await whileShipping({ seed: 6 }, async ({ machine, store }) => {
      for (let i = 0; i < 258; i++) await store.remote(await store.commit(10));
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
    });
  });

  test("begins a new epoch now and then, and the log goes on in it without a gap", async () => {
    await whileShipping(
      { seed: 7, shipping: { epochMs: 60_000 } },
      async ({ machine, env, store }) => {
        for (let i = 0; i < 6; i++) {
          await store.remote(await store.commit(100));
          await store.checkpoint();
          await env.clock.sleep(25_000);
        }
        expect(store.controller.stats.epoch).toBeGreaterThan(1);
        expect(store.controller.facts.state).toBe("shipping");
        expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
      },
    );
  });

  test("leaves an old epoch once, and lets go of its garbage, though nothing happens any more", async () => {
    const machine = new Machine(11);
    const { world, service } = machine;
    const store = await withShippedCheckpoints(machine);
    const inEpoch = (epoch: number) => {
      const prefix = epochPrefix({ kind: "wal", epoch });
      return service.bucket
        .keys(store.env.clock.monotonicMs())
        .filter((key) => key.startsWith(prefix));
    };
    const before = inEpoch(1).length;
    for (let hour = 0; hour < 9 * 24; hour++) await world.pass(HOUR);
    expect(store.controller.facts).toMatchObject({ state: "shipping", epoch: 2 });
    expect(inEpoch(1).length).toBe(3); // The two newest, and the fence.
    expect(before).toBeGreaterThan(3);
    await world.run(() => store.close());
  });

  test("closes with everything shipped, and within its time if the bucket does not answer", async () => {
    const machine = new Machine(8);
    await machine.live(async (env) => {
      const store = await shipping(machine, env);
      await store.commit(100);
      await store.checkpoint();
      await store.close();
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
      expect(store.controller.facts.state).toBe("closed");
      const again = await shipping(machine, env);
      machine.service.faults.state.down = true;
      await again.commit(100);
      const beganMs = env.clock.monotonicMs();
      await again.close(3000);
      expect(env.clock.monotonicMs() - beganMs).toBeLessThan(3500);
    });
    machine.service.faults.state.down = false;
    await machine.live(async (env) => {
      const store = await shipping(machine, env);
      await store.remote(store.log.durableLsn);
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
      await store.close();
    });
  });

  test("goes on offline while the bucket cannot be reached at its opening, and begins when it can", async () => {
    const machine = new Machine(9);
    await machine.live(async (env) => {
      machine.service.faults.state.down = true;
      const store = await machine.open(env);
      const started = store.controller.start();
      await store.commit(100);
      await env.clock.sleep(HOUR / 2);
      expect(["offline", "claiming"]).toContain(store.controller.facts.state);
      machine.service.faults.state.down = false;
      await started;
      await store.remote(store.log.durableLsn);
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
      await store.close();
    });
  });

  test("claims one epoch, however often it must begin again, and goes on in it", async () => {
    const machine = new Machine(12);
    const { service } = machine;
    await machine.live(async (env) => {
      const first = await shipping(machine, env);
      await first.remote(await first.commit(100));
      await first.close();
      const isLog = (key: string) => key.startsWith(epochPrefix({ kind: "wal", epoch: 1 }));
      const newest = service.bucket.keys(env.clock.monotonicMs()).findLast(isLog) ?? "";
      const body = service.bucket.find(newest, env.clock.monotonicMs())?.body ?? new Uint8Array(1);
      const flip = () => body.set([(body[40] ?? 0) ^ 1], 40);
      flip();
      const store = await machine.open(env);
      const started = store.controller.start();
      await env.clock.sleep(HOUR / 4);
      expect(store.controller.facts.lastError).toContain(newest);
      const claims = () => service.bucket.keys(env.clock.monotonicMs()).filter(isClaim);
      expect(claims()).toHaveLength(2);
      flip();
      await started;
      await store.remote(await store.commit(100));
      expect(store.controller.facts.epoch).toBe(2);
      expect(commitsInBucket(service)).toEqual(sealed(machine));
      await store.close();
    });
  });

  // evidence: G31
  test("has everything in the bucket in the end, whatever the service does and wherever processes die", async () => {
    for (const seed of [20, 28, 42]) {
      const machine = new Machine(seed);
      machine.service.faults.failSometimes(0.12, { except: ["missing"] });
      for (let life = 0; life < 3; life++) {
        const remote = { lsn: 0 };
        await machine.live(async (env) => {
          machine.world.disk.crashAt(30 + 7 * ((seed * 13 + life * 29) % 60), "power");
          const store = await machine.open(env);
          store.controller.onRemote((lsn) => {
            remote.lsn = lsn;
          });
          store.controller.start().catch(() => undefined);
          for (let i = 0; i < 25; i++) {
            await store.commit(1 + ((i * 7919) % 30_000));
            if (i % 6 === 5) await store.checkpoint();
            if (i % 4 === 3) await env.clock.sleep(2000);
          }
          await store.close();
        });
        if (machine.world.alive) machine.world.kill();
        // A state stands for what came before the log that the bucket began with.
        const fromLsn = batchesInBucket(machine.service)[0]?.startLsn ?? 0;
        const promised = sealed(machine).filter((lsn) => lsn > fromLsn && lsn <= remote.lsn);
        expect(commitsInBucket(machine.service).slice(0, promised.length)).toEqual(promised);
      }
      machine.service.faults.failSometimes(0);
      await machine.live(async (env) => {
        const store = await shipping(machine, env);
        await store.remote(await store.commit(10));
        const fromLsn = batchesInBucket(machine.service)[0]?.startLsn ?? 0;
        const all = sealed(machine).filter((lsn) => lsn > fromLsn);
        expect(commitsInBucket(machine.service)).toEqual(all);
        await store.close();
      });
    }
  }, 60_000);
});

describe("what was refused for good", () => {
  test("is a dead letter that keeps its bytes, and goes on when it is retried", async () => {
    await whileShipping({ seed: 40 }, async ({ machine, env, store }) => {
      await store.remote(await store.commit(100));
      machine.service.faults.state.denied = true;
      await store.commit(100);
      await env.clock.sleep(2000);
      const [letter] = store.controller.deadLetters;
      expect(letter).toMatchObject({
        kind: "log",
        reason: expect.stringContaining("AccessDenied"),
      });
      expect(store.controller.facts.state).toBe("halted");
      const calls = machine.service.calls;
      await env.clock.sleep(HOUR / 2);
      expect(machine.service.calls).toBe(calls);
      machine.service.faults.state.denied = false;
      await store.controller.retryDeadLetter(letter?.id ?? 0);
      await store.remote(store.log.durableLsn);
      expect(store.controller.deadLetters).toEqual([]);
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
    });
  });

  test("if it is discarded, leaves a gap that the new epoch tells of, and nothing is remote before a base behind it is there", async () => {
    await whileShipping({ seed: 41 }, async ({ machine, env, store }) => {
      await store.remote(await store.commit(100));
      machine.service.faults.state.denied = true;
      await store.commit(100);
      await env.clock.sleep(2000);
      const [letter] = store.controller.deadLetters;
      machine.service.faults.state.denied = false;
      const given = store.controller.remoteLsn;
      for (let i = 0; i < 3; i++) await store.commit(9000);
      await store.controller.discardDeadLetter(letter?.id ?? 0);
      await env.clock.sleep(20_000);
      expect(store.controller.facts).toMatchObject({ state: "shipping", epoch: 2 });
      expect(store.controller.remoteLsn).toBe(given);
      await store.checkpoint();
      await store.remote(await store.commit(10));
      expect(() => commitsInBucket(machine.service)).toThrow("a gap");
    });
  });
});

describe("another writer", () => {
  test("that takes over ends this one for good, which says how much it had not shipped", async () => {
    const first = new Machine(50);
    await first.live(async (env) => {
      const store = await shipping(first, env);
      const lost: StorageError[] = [];
      store.controller.onLost((error) => lost.push(error));
      await store.remote(await store.commit(100));
      await takeOverBy(first, env);
      await store.commit(5000);
      await env.clock.sleep(3000);
      expect(lost[0]?.code).toBe("BOP_FENCED");
      expect(lost[0]?.details).toMatchObject({ epoch: 1, byEpoch: 2 });
      expect(store.controller.facts.state).toBe("fenced");
      await store.close();
    });
  });

  test("that has another store refuses it its bucket, and nothing is uploaded", async () => {
    const machine = new Machine(51);
    await machine.live(async (env) => {
      const store = await shipping(machine, env);
      await store.remote(await store.commit(100));
      await store.close();
    });
    const other = new Machine(52, machine.service);
    await other.live(async (env) => {
      const store = await other.open(env);
      await store.commit(100);
      await store.commit(100);
      await expect(store.controller.start()).rejects.toMatchObject({ code: "BOP_DIVERGED" });
      expect(store.controller.facts.state).toBe("diverged");
      await store.close();
    });
    expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
  });
});

describe("a damaged segment of the log", () => {
  test("is made again from the bucket, as far as this disk remembers to have shipped it", async () => {
    const machine = new Machine(60);
    const { world } = machine;
    const segment = "/store/wal/0000000000000002.wal";
    await machine.live(async (env) => {
      const store = await shipping(machine, env);
      for (let i = 0; i < 12; i++) await store.commit(60_000);
      await store.remote(store.log.durableLsn);
    });
    world.kill();
    await machine.live(async (env) => {
      await shipping(machine, env); // Its manifest notes how far the bucket is.
    });
    world.kill();
    const bytes = world.disk.contents(segment)?.slice() ?? new Uint8Array(0);
    bytes[9000] = (bytes[9000] ?? 0) ^ 4;
    world.disk.replace(segment, bytes);
    const before = sealed(machine);
    await machine.live(async (env) => {
      const store = await machine.open(env);
      expect(sealed(machine)).toEqual(before);
      await store.close();
    });
  });
});

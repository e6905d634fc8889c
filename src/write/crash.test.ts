/**
 * The log under crashes: the same small life is lived again and again, and cut off at each change
 * that it makes to the disk.
 */
import { describe, expect, test } from "vitest";
import type { Env } from "../base/env.ts";
import { type SimulatedWorld, seeded } from "../io/index.ts";
import { LogStore, live, worldOf } from "./log.fixture.ts";

type Crash = "kill" | "power";

/** Commits alone and in company, some over several batches and segments, and checkpoints. */
async function life(store: LogStore, { env, seed }: { env: Env; seed: number }): Promise<void> {
  const random = seeded(seed);
  const log = await store.open(env);
  for (let round = 0; round < 12; round++) {
    const company = Array.from({ length: 1 + random.below(3) }, () => {
      const bytes = random.below(5) === 0 ? 100_000 + random.below(300_000) : random.below(9000);
      return store.commitDurably(log, bytes);
    });
    await Promise.all(company);
    if (random.below(2) === 0) await store.checkpoint(env, log);
    if (random.below(4) === 0) await env.clock.sleep(120);
  }
  await log.close();
}

async function recoverAndGoOn(world: SimulatedWorld, store: LogStore): Promise<void> {
  const env = world.start();
  await world.run(async () => {
    const log = await store.open(env);
    for (let i = 0; i < 3; i++) await store.commitDurably(log, 5000);
    await log.close();
  });
  world.kill();
}

/** Changes that an undisturbed life makes. */
async function changesOf(seed: number): Promise<number> {
  const world = await worldOf(seed);
  await live(world, () => life(new LogStore(), { env: world.start(), seed }));
  return world.disk.changeCount;
}

describe("log under crashes", () => {
  // evidence: G1, G3
  for (const how of ["kill", "power"] as const satisfies readonly Crash[]) {
    test(`a ${how} at any change loses no acknowledged commit and invents none`, async () => {
      for (const seed of [1]) {
        const changes = await changesOf(seed);
        expect(changes).toBeGreaterThan(40);
        for (let n = 1; n <= changes; n++) {
          const world = await worldOf(seed * 1000 + n);
          const store = new LogStore();
          store.io = n % 2 === 0 ? "direct" : "standard";
          world.disk.crashAt(n, how);
          await live(world, () => life(store, { env: world.start(), seed }));
          if (world.alive) world.powerCut();
          await recoverAndGoOn(world, store);
          await recoverAndGoOn(world, store);
        }
      }
    }, 120_000);
  }

  // evidence: G1
  test("a crash at any change of recovery itself leaves a log that recovers to the same", async () => {
    const seed = 2;
    const changes = await changesOf(seed);
    for (let n = 20; n <= changes; n += 23) {
      for (let m = 1; m <= 12; m++) {
        const world = await worldOf(seed * 1000 + n);
        const store = new LogStore();
        world.disk.crashAt(n, m % 2 === 0 ? "kill" : "power");
        await live(world, () => life(store, { env: world.start(), seed }));
        if (world.alive) world.kill();
        const env = world.start();
        world.disk.crashAt(m, m % 3 === 0 ? "kill" : "power");
        await live(world, () => life(store, { env, seed: seed + m }));
        if (world.alive) world.powerCut();
        await recoverAndGoOn(world, store);
        await recoverAndGoOn(world, store);
      }
    }
  }, 120_000);

  // evidence: G1
  test("a commit that was never durable is served after a kill only once it is made durable", async () => {
    for (let seed = 1; seed <= 15; seed++) {
      const world = await worldOf(seed);
      const store = new LogStore();
      const env = world.start();
      await live(world, async () => {
        const log = await store.open(env);
        await store.commitDurably(log, 3000);
        world.disk.crashAt(2, "kill");
        await store.commitDurably(log, 3000);
      });
      const next = world.start();
      await world.run(async () => {
        await store.open(next);
        store.acknowledgedLsn = store.sealed.at(-1)?.lsn ?? 0;
      });
      world.powerCut();
      await recoverAndGoOn(world, store);
    }
  }, 60_000);

  // evidence: G5
  test("failing writes, syncs and files by chance lose nothing that was acknowledged", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const world = await worldOf(seed);
      const store = new LogStore();
      store.io = seed % 3 === 0 ? "direct" : "standard";
      const env = world.start();
      const random = seeded(seed);
      await live(world, async () => {
        const log = await store.open(env);
        const failed: unknown[] = [];
        log.onFailure((error) => failed.push(error));
        world.disk.failSometimes({ write: 0.05, sync: 0.08, create: 0.1, preallocate: 0.1 });
        for (let round = 0; round < 25 && failed.length === 0; round++) {
          const bytes = random.below(60_000);
          await store.commitDurably(log, bytes).catch((error) => {
            expect(["BOP_OUTCOME_UNKNOWN", "BOP_DISK_FULL"]).toContain(error.code);
          });
        }
        world.disk.heal();
        await log.close();
      });
      if (seed % 2 === 0) world.powerCut();
      else world.kill();
      await recoverAndGoOn(world, store);
    }
  }, 60_000);
});

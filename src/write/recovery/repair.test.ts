import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { isStorageError } from "../../base/errors.ts";
import type { SimulatedWorld } from "../../io/index.ts";
import { BLOCK_BYTES } from "../../wal/index.ts";
import { LogStore, type Sealed, STORE_ID, WAL, worldOf } from "../log.fixture.ts";
import { applyRepair, planRepair, type RepairOptions } from "./repair.ts";

const FLIPPED = 0x40;

/** A log of several segments whose process was killed. */
async function killed(): Promise<{ world: SimulatedWorld; store: LogStore }> {
  const world = await worldOf(1);
  const store = new LogStore();
  const env = world.start();
  await world.run(async () => {
    const log = await store.open(env);
    for (let i = 0; i < 24; i++) await store.commitDurably(log, 30_000);
    await env.clock.sleep(200);
  });
  world.kill();
  store.acknowledgedLsn = 0; // What is repaired is lost for certain.
  return { world, store };
}

function optionsOf(store: LogStore, env: Env): RepairOptions {
  const { registered, checkpointLsn, durableFloorLsn } = store;
  return {
    env,
    directory: WAL,
    storeId: STORE_ID,
    registered: [...registered],
    register: async (sequence) => void registered.add(sequence),
    unregister: async (gone) => gone.forEach((it) => void registered.delete(it)),
    checkpointLsn,
    durableFloorLsn,
  };
}

function damage(world: SimulatedWorld, path: string, offset: number): void {
  const bytes = world.disk.contents(path)?.slice() ?? new Uint8Array(0);
  bytes[offset] = (bytes[offset] ?? 0) ^ FLIPPED;
  world.disk.replace(path, bytes);
}

const recovered = (world: SimulatedWorld, store: LogStore): Promise<Sealed[]> => {
  const env = world.start();
  return world.run(async () => (await store.recover(env)).found);
};

async function refusal(world: SimulatedWorld, store: LogStore): Promise<unknown> {
  const error = await recovered(world, store).catch((it) => it);
  world.kill();
  return error;
}

describe("repair of a log", () => {
  test("finds nothing to do in a log that is whole, and changes nothing", async () => {
    const { world, store } = await killed();
    const { changeCount } = world.disk;
    const env = world.start();
    expect(await world.run(() => planRepair(optionsOf(store, env)))).toBeUndefined();
    expect(world.disk.changeCount).toBe(changeCount);
  });

  // evidence: G4
  test("a flipped byte in a sealed segment: open is refused, the plan names the loss, and what opens then is exactly what lies before it", async () => {
    const { world, store } = await killed();
    const whole = [...store.sealed];
    damage(world, store.path(2), 9 * BLOCK_BYTES + 100);
    expect(isStorageError(await refusal(world, store), "BOP_CORRUPT")).toBe(true);

    const env = world.start();
    const { changeCount } = world.disk;
    const plan = await world.run(() => planRepair(optionsOf(store, env)));
    if (plan === undefined) throw new Error("there is damage");
    expect(world.disk.changeCount).toBe(changeCount);
    expect(plan.damage).toMatchObject({ file: store.path(2), offset: 9 * BLOCK_BYTES });
    const kept = whole.filter(({ lsn }) => lsn <= plan.keptLsn);
    expect(kept.length).toBeGreaterThan(5);
    expect(kept.length).toBeLessThan(whole.length);
    // All of the rest but the one commit that the flipped byte was in could be read.
    expect(plan.lost).toEqual([{ stream: 9, commits: whole.length - kept.length - 1 }]);
    expect(plan.lostToLsn).toBeGreaterThanOrEqual(whole.at(-1)?.lsn ?? 0);

    const before = plan.files.map((path) => [path, world.disk.contents(path)] as const);
    const aside = await world.run(() => applyRepair(plan, optionsOf(store, env)));
    for (const [path, bytes] of before) {
      expect(world.disk.contents(path.replace(WAL, aside))).toEqual(bytes);
    }
    world.powerCut();
    expect(await recovered(world, store)).toEqual(kept);
    world.kill();

    store.sealed = [...kept];
    for (let life = 0; life < 2; life++) {
      const next = world.start();
      await world.run(async () => {
        const log = await store.open(next);
        expect(log.newestLsn).toBeGreaterThanOrEqual(plan.resumeLsn);
        for (let i = 0; i < 12; i++) await store.commitDurably(log, 30_000);
      });
      world.powerCut();
    }
    expect(await recovered(world, store)).toEqual(store.sealed);
  });

  test("a missing segment, a damaged header and a log without its beginning are cut where they are", async () => {
    for (const how of ["missing", "header", "beginning"] as const) {
      const { world, store } = await killed();
      const whole = [...store.sealed];
      const path = store.path(how === "beginning" ? 1 : 2);
      if (how === "missing") {
        const { storage } = world.start();
        await world.run(() => storage.unlink(path));
        world.kill();
      } else damage(world, path, 20);
      expect(isStorageError(await refusal(world, store), "BOP_CORRUPT")).toBe(true);
      const env = world.start();
      await world.run(async () => {
        const plan = await planRepair(optionsOf(store, env));
        if (plan === undefined) throw new Error("there is damage");
        expect(plan.keptLsn > 0).toBe(how !== "beginning");
        await applyRepair(plan, optionsOf(store, env));
      });
      world.powerCut();
      const found = await recovered(world, store);
      expect(found).toEqual(whole.slice(0, found.length));
      expect(found.length > 0).toBe(how !== "beginning");
      world.kill();
    }
  });

  // evidence: G4
  test("a crash at any change of a repair leaves a log that is refused as before, or one that is repaired", async () => {
    const { world: first, store: repaired } = await killed();
    damage(first, repaired.path(2), 9 * BLOCK_BYTES + 100);
    const env = first.start();
    const from = first.disk.changeCount;
    await first.run(async () => {
      const plan = await planRepair(optionsOf(repaired, env));
      if (plan !== undefined) await applyRepair(plan, optionsOf(repaired, env));
    });
    const changes = first.disk.changeCount - from;
    expect(changes).toBeGreaterThan(10);
    for (let n = 1; n <= changes; n++) {
      const { world, store } = await killed();
      damage(world, store.path(2), 9 * BLOCK_BYTES + 100);
      const process = world.start();
      const plan = await world.run(() => planRepair(optionsOf(store, process)));
      if (plan === undefined) throw new Error("there is damage");
      const kept = store.sealed.filter(({ lsn }) => lsn <= plan.keptLsn);
      world.disk.crashAt(n, n % 2 === 0 ? "kill" : "power");
      const applying = world.run(() => applyRepair(plan, optionsOf(store, process)));
      await applying.catch(() => undefined);
      if (world.alive) world.powerCut();
      const found = await recovered(world, store).catch((error) => error);
      world.kill();
      if (!isStorageError(found, "BOP_CORRUPT")) {
        expect(found).toEqual(kept);
        continue;
      }
      const again = world.start();
      await world.run(async () => {
        const second = await planRepair(optionsOf(store, again));
        if (second === undefined) throw new Error("what is refused is to be repaired");
        await applyRepair(second, optionsOf(store, again));
      });
      world.powerCut();
      expect(await recovered(world, store)).toEqual(kept);
    }
  }, 120_000);
});

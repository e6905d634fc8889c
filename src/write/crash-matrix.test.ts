/**
 * Seal, rotation, recycling and recovery, cut off at each change to the disk, for both kinds of
 * device: one whose write is its own flush, and one that must be asked.
 */
import { describe, expect, test } from "vitest";
import type { Env } from "../base/env.ts";
import type { SimulatedWorld } from "../io/index.ts";
import { LogStore, live, worldOf } from "./log.fixture.ts";
import { DRIVERS, type DriverKind } from "./running.fixture.ts";

const CRASHES = ["kill", "power"] as const;
/** Of the changes inside recovery; a start makes fewer. */
const CHANGES_OF_A_START = 16;

/** Fills three segments, lets two go, fills the ones that were recycled, and closes. */
async function rotations(store: LogStore, env: Env): Promise<void> {
  const log = await store.open(env);
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 6; n++) await store.commitDurably(log, 90_000);
    await store.checkpoint(env, log);
    await env.clock.sleep(60);
  }
  for (let n = 0; n < 4; n++) await store.commitDurably(log, 60_000);
  await log.close();
}

async function started(seed: number, io: DriverKind): Promise<[SimulatedWorld, LogStore]> {
  const store = new LogStore();
  store.io = io;
  return [await worldOf(seed), store];
}

async function reopen(world: SimulatedWorld, store: LogStore): Promise<readonly number[]> {
  const env = world.start();
  await world.run(async () => {
    const log = await store.open(env);
    await store.commitDurably(log, 3000);
    await log.close();
  });
  world.kill();
  return store.sealed.map(({ id }) => id);
}

describe.each(DRIVERS)("with a device that is %s", (io) => {
  // evidence: G1, G3
  test.each(CRASHES)(
    "a %s at any change of seal, rotation, recycling and reopening loses nothing",
    async (how) => {
      const [world, store] = await started(1, io);
      await live(world, () => rotations(store, world.start()));
      const changes = world.disk.changeCount;
      expect(changes).toBeGreaterThan(40);
      expect(Math.max(...store.registered)).toBeGreaterThan(5);
      for (let n = 1; n <= changes; n++) {
        const [crashed, its] = await started(100 + n, io);
        crashed.disk.crashAt(n, how);
        await live(crashed, () => rotations(its, crashed.start()));
        if (crashed.alive) crashed.kill();
        await reopen(crashed, its);
        await reopen(crashed, its);
      }
    },
    60_000,
  );

  // evidence: G1
  test.each(CRASHES)(
    "a %s at any change of recovery leaves what a second recovery finds the same in",
    async (how) => {
      for (const at of [9, 21, 33, 45]) {
        for (let n = 1; n <= CHANGES_OF_A_START; n++) {
          const [world, store] = await started(1000 * at + n, io);
          world.disk.crashAt(at, "kill");
          await live(world, () => rotations(store, world.start()));
          if (world.alive) world.kill();
          const recover = async () => {
            const env = world.start();
            const { found } = await world.run(() => store.recover(env));
            world.kill();
            return found;
          };
          const before = await recover();
          expect(await recover()).toEqual(before);
          const env = world.start();
          world.disk.crashAt(n, how);
          await live(world, async () => {
            await store.open(env);
            await env.clock.sleep(40);
          });
          if (world.alive) world.kill();
          // A kill takes nothing that was read; a power cut only a batch that nothing proved.
          const after = await recover();
          const kept = how === "kill" ? before.length : before.length - 1;
          expect(after).toEqual(before.slice(0, Math.max(kept, after.length)));
          await reopen(world, store);
        }
      }
    },
    60_000,
  );
});

import { expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { segmentSequence } from "../../base/units.ts";
import type { SimulatedWorld } from "../../io/index.ts";
import { LogStore, STORE_ID, WAL, worldOf } from "../log.fixture.ts";
import { segmentsToRegister } from "./left-segments.ts";

const left = (store: LogStore, env: Env) => ({
  env,
  directory: WAL,
  storeId: STORE_ID,
  checkpointLsn: store.checkpointLsn,
  history: new Set(store.history.keys()),
});

/** What the manifest knew of segments is lost, and found again in what lies there. */
async function registerAnew(world: SimulatedWorld, store: LogStore): Promise<void> {
  const env = world.start();
  const found = await world.run(() => segmentsToRegister(left(store, env)));
  store.registered.clear();
  for (const sequence of found) store.registered.add(sequence);
}

/** A start that is killed at one of its changes. */
async function startKilledAt(world: SimulatedWorld, store: LogStore, change: number) {
  const env = world.start();
  world.disk.crashAt(change, "kill");
  await world.run(() => store.open(env)).catch(() => undefined);
  if (world.alive) world.kill();
}

// evidence: G9
test.each(["wholly", "in part"])(
  "a log that a checkpoint has %s is found though starts were killed before a segment was durable, its register was made again, and the power went",
  async (how) => {
    for (let first = 1; first <= 10; first++) {
      for (let second = 1; second <= 10; second += 3) {
        const world = await worldOf(first * 100 + second);
        const store = new LogStore();
        const env = world.start();
        await world.run(async () => {
          const log = await store.open(env);
          await store.commitDurably(log, 100);
          await store.checkpoint(env, log);
          if (how === "in part") await store.commitDurably(log, 50);
        });
        world.kill();
        await startKilledAt(world, store, first);
        await startKilledAt(world, store, second);
        await registerAnew(world, store);
        world.powerCut();
        const last = world.start();
        await world.run(async () => (await store.open(last)).close());
      }
    }
  },
  60_000,
);

test("segments below the checkpoint, and those that are kept as history, are left out", async () => {
  const world = await worldOf(1);
  const store = new LogStore();
  const env = world.start();
  await world.run(async () => {
    const log = await store.open(env);
    for (let commits = 0; commits < 100; commits++) await store.commitDurably(log, 8000);
    store.checkpointLsn = log.durableLsn;
    await store.commitDurably(log, 10);
  });
  world.kill();
  const all = [...store.registered].sort((a, b) => a - b);
  await registerAnew(world, store);
  const kept = [...store.registered];
  expect(kept.length).toBeLessThan(4);
  expect(kept).toEqual(all.slice(-kept.length));
  const [oldest] = kept;
  const reader = world.start();
  const without = await world.run(() => {
    const history = new Set([segmentSequence(oldest ?? 0)]);
    return segmentsToRegister({ ...left(store, reader), history });
  });
  expect(without).not.toContain(oldest);
});

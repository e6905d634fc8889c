/** A log that is opened while the disk takes nothing: what it serves, what it refuses, and until when. */
import { describe, expect, test } from "vitest";
import { lsn, roundUp } from "../base/units.ts";
import type { SimulatedWorld } from "../io/index.ts";
import { BLOCK_BYTES } from "../wal/index.ts";
import type { Log } from "./index.ts";
import { LogStore, live, WAL, worldOf } from "./log.fixture.ts";
import { codeOf, DRIVERS } from "./running.fixture.ts";

type End = "kill" | "power" | "close";
const ENDS = ["kill", "power", "close"] as const satisfies readonly End[];

interface Full {
  readonly world: SimulatedWorld;
  readonly store: LogStore;
}

/** A life of a few commits, cut off behind the last one: nothing has proven that one yet. */
async function lived(io: (typeof DRIVERS)[number], bytes: number, seed = 11): Promise<Full> {
  const world = await worldOf(seed);
  const store = new LogStore({ retryMs: 20 });
  store.io = io;
  const env = world.start();
  await world.run(async () => {
    const log = await store.open(env);
    await env.clock.sleep(1000);
    for (let n = 0; n < 6; n++) await store.commitDurably(log, bytes);
  });
  return { world, store };
}

async function endOf(world: SimulatedWorld, how: End, log?: Log): Promise<void> {
  if (how === "close" && log !== undefined) await world.run(() => log.close());
  if (how === "power") world.powerCut();
  else world.kill();
}

function fill({ world }: Full): void {
  world.disk.capacityBytes = 0;
}

async function reopened({ world, store }: Full): Promise<Log> {
  const env = world.start();
  const log = await world.run(() => store.open(env));
  store.acknowledgedLsn = store.sealed.at(-1)?.lsn ?? 0; // It is shown, so it may not go again.
  return log;
}

describe.each(DRIVERS)("a full disk, %s", (io) => {
  // evidence: G1, G10
  test.each(ENDS)(
    "opens again and again, ended by %s each time; refuses commits, and goes on when there is room",
    async (how) => {
      for (const bytes of [10, 15_000, 100_000]) {
        const full = await lived(io, bytes);
        const { world, store } = full;
        await endOf(world, how === "close" ? "kill" : how);
        fill(full);
        for (let round = 0; round < 4; round++) {
          const log = await reopened(full);
          expect(store.sealed).toHaveLength(6);
          // A spare that was ready when the disk filled up is used first.
          if (bytes < 100_000 || round > 0) {
            expect(codeOf(() => log.admit())).toBe("BOP_DISK_FULL");
            expect(codeOf(() => store.commit(log, 10))).toBe("BOP_DISK_FULL");
          }
          await endOf(world, how, log);
        }
        const env = world.start();
        await world.run(async () => {
          const log = await store.open(env);
          await env.clock.sleep(200);
          world.disk.capacityBytes = Number.POSITIVE_INFINITY;
          await env.clock.sleep(500);
          expect(codeOf(() => log.admit())).toBe("nothing");
          for (let n = 0; n < 6; n++) await store.commitDurably(log, 70_000);
          await store.checkpoint(env, log);
          await store.commitDurably(log, 10);
          expect((await env.storage.stat(`${WAL}/reserve`))?.bytes).toBeGreaterThan(128 * 1024);
        });
        await endOf(world, how === "close" ? "power" : how);
        await reopened(full);
        expect(store.sealed).toHaveLength(13);
      }
    },
    60_000,
  );

  // evidence: G1, G4
  test("a crash at any change of such a start leaves one that opens to the same commits", async () => {
    for (let n = 1; n <= 12; n++) {
      for (const how of ["kill", "power"] as const) {
        const full = await lived(io, 20_000);
        const { world, store } = full;
        world.kill();
        fill(full);
        const env = world.start();
        world.disk.crashAt(n, how);
        await live(world, async () => {
          const log = await store.open(env);
          store.acknowledgedLsn = store.sealed.at(-1)?.lsn ?? 0;
          await env.clock.sleep(50);
          await log.close();
        });
        if (world.alive) world.powerCut();
        world.disk.capacityBytes = Number.POSITIVE_INFINITY;
        const next = world.start();
        await world.run(async () => {
          const log = await store.open(next);
          await store.commitDurably(log, 20_000);
          await log.close();
        });
      }
    }
  }, 60_000);
});

// evidence: G9
test.each([true, false])(
  "a store whose reserve was not registered for all anybody knows opens on the disk that is still full (made all the same: %s)",
  async (isMade) => {
    const full = await lived("standard", 20_000);
    const { world, store } = full;
    world.kill();
    const env = world.start();
    const freeBytes = await world.run(() => {
      world.disk.capacityBytes = 2 ** 40;
      return env.storage.freeBytes(WAL);
    });
    world.disk.capacityBytes -= freeBytes;
    store.refusals.push({ code: "EIO", isMade });
    await expect(world.run(() => store.open(env))).rejects.toMatchObject({ code: "BOP_IO" });
    world.powerCut();
    for (let round = 0; round < 3; round++) {
      await reopened(full);
      expect(store.sealed).toHaveLength(6);
      world.powerCut();
    }
    world.disk.capacityBytes = Number.POSITIVE_INFINITY;
    const next = world.start();
    await world.run(async () => {
      const log = await store.open(next);
      await next.clock.sleep(500);
      await store.commitDurably(log, 20_000);
    });
    world.powerCut();
    await reopened(full);
    expect(store.sealed).toHaveLength(7);
  },
);

// evidence: G1
test.each(["ENOSPC", "BOP_DISK_FULL"] as const)(
  "a reserve that takes the place of a file which could not be registered (%s) is not taken for that file again",
  async (code) => {
    for (let seed = 1; seed <= 6; seed++) {
      const world = await worldOf(seed);
      const store = new LogStore({ retryMs: 20 });
      store.io = "standard";
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        await env.clock.sleep(1000);
        for (let n = 0; n < 3; n++) await store.commitDurably(log, 100_000);
        store.checkpointLsn = log.durableLsn;
        store.commit(log, 3000);
        log.kick();
        const before = world.disk.calls.sync ?? 0;
        while ((world.disk.calls.sync ?? 0) === before) await env.clock.sleep(0.01);
      });
      world.kill();
      // That of the segment which is let go, and once more when it is to be taken.
      for (let n = 0; n < 2; n++) store.refusals.push({ code, isMade: false });
      const next = world.start();
      await world.run(async () => {
        const log = await store.open(next);
        store.acknowledgedLsn = store.sealed.at(-1)?.lsn ?? 0;
        expect(store.refusals).toEqual([]);
        await next.clock.sleep(500);
        await store.commitDurably(log, 20_000);
      });
      world.powerCut();
      await reopened({ world, store });
      expect(store.sealed).toHaveLength(5);
    }
  },
);

test("without a reserve, and with a batch that must be copied, a full disk is said to be full", async () => {
  const full = await lived("standard", 10);
  const { world, store } = full;
  world.kill();
  fill(full);
  const env = world.start();
  await world.run(() => env.storage.unlink(`${WAL}/reserve`));
  await expect(world.run(() => store.open(env))).rejects.toMatchObject({ code: "BOP_DISK_FULL" });
  world.kill();
  world.disk.capacityBytes = Number.POSITIVE_INFINITY;
  await reopened(full);
  expect(store.sealed).toHaveLength(6);
});

// evidence: G9
test("a header whose sync had failed is written anew where there is no room for a segment behind it", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const full = await lived("standard", 10, seed);
    const { world, store } = full;
    world.kill();
    store.checkpointLsn = lsn(roundUp(store.sealed.at(-1)?.lsn ?? 0, BLOCK_BYTES));
    const refused = world.start();
    // The segment's file is synced when it is made.
    world.disk.failNext({ operation: "sync", pathPattern: /\.wal$/, after: "kept", skip: 1 });
    await expect(world.run(() => store.open(refused))).rejects.toMatchObject({ code: "BOP_IO" });
    world.kill();
    fill(full);
    const next = world.start();
    await world.run(() => store.open(next));
    expect([...store.registered]).not.toContain(1);
    world.powerCut();
    await reopened(full);
  }
});

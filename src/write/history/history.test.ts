import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LSN_ZERO, lsn, streamId } from "../../base/units.ts";
import type { SimulatedWorld } from "../../io/index.ts";
import type { StoredLog } from "../index.ts";
import { LogStore, live, worldOf } from "../log.fixture.ts";
import { copies, found, inWorld, usedBytes, Witness } from "./history.fixture.ts";

const BYTES_MAX = 90_000;
const OTHER = streamId(17);

type Step =
  | { readonly type: "commit"; readonly bytes: number }
  | { readonly type: "checkpoint" | "reopen" | "crash" | "other" }
  | { readonly type: "horizon"; readonly share: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("commit" as const),
      bytes: fc.integer({ min: 1, max: BYTES_MAX }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("checkpoint" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom("reopen" as const, "crash" as const) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("other" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("horizon" as const), share: fc.nat(100) }),
  },
);

/** One life after the other, until the steps are through. */
async function playLives(steps: readonly Step[], on: Parameters<Parameters<typeof inWorld>[1]>[0]) {
  const { world, store, witness } = on;
  let rest = [...steps];
  while (rest.length > 0) {
    const env = world.start();
    await world.run(async () => {
      const log = await store.open(env);
      for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
        if (next.type === "commit") await witness.commit(store, { log, env }, next.bytes);
        else if (next.type === "checkpoint") await store.checkpoint(env, log);
        else if (next.type === "horizon") {
          const from = log.history.fromLsn;
          store.horizonLsn = lsn(Math.floor(from + ((log.durableLsn - from) * next.share) / 200));
        } else if (next.type === "other") {
          const staged = log.stage(OTHER);
          staged.entry(Uint8Array.of(1, 2, 3));
          await log.durable(staged.seal({ pageCount: 0, pageBytes: 0 }));
        } else {
          if (next.type === "reopen") await log.close();
          return;
        }
      }
      await compare(log, { store, witness });
      rest = [];
      await log.close();
    });
    world.kill();
  }
}

async function compare(log: StoredLog, on: { store: LogStore; witness: Witness }) {
  const { history, durableLsn: upToLsn } = log;
  const afterLsn = history.fromLsn;
  expect(afterLsn).toBeLessThanOrEqual(Math.max(on.store.horizonLsn ?? 0, on.store.checkpointLsn));
  expect(await found(log, { afterLsn, upToLsn })).toEqual(on.witness.within(afterLsn, upToLsn));
  const middle = on.witness.all.at(Math.floor(on.witness.all.length / 2))?.lsn ?? 0;
  const from = lsn(Math.max(afterLsn, middle));
  const half = on.witness.within(from, upToLsn).at(-2)?.lsn ?? from;
  const upTo = lsn(Math.max(from, half));
  const range = { afterLsn: from, upToLsn: upTo };
  expect(await found(log, range)).toEqual(on.witness.within(from, upTo));
}

describe("the history of a log", () => {
  // evidence: G23
  test("has every commit above the horizon, over checkpoints, reopenings and crashes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(1000), async (steps, seed) => {
        await inWorld(seed, (on) => playLives(steps, on));
      }),
      { numRuns: 40 },
    );
  }, 30_000);

  // evidence: G23
  test("has nothing of a segment that could not be opened when it was its turn", async () => {
    await inWorld(7, async ({ world, store, witness }) => {
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        for (let n = 0; n < 24; n++) {
          // What was history is the next segment, and has to be opened.
          if (n % 4 === 0) {
            store.horizonLsn = lsn(Math.max(0, witness.all.at(-4)?.lsn ?? 0));
            await store.checkpoint(env, log);
            world.disk.failNext({ operation: "open", pathPattern: /\.wal$/ });
          }
          await witness.commit(store, { log, env }, 80_000);
        }
        expect(log.stats.failedFlushes).toBeGreaterThan(0);
        await compare(log, { store, witness });
        await log.close();
      });
      world.kill();
      const again = world.start();
      await world.run(async () => {
        const log = await store.open(again);
        await compare(log, { store, witness });
        await log.close();
      });
    });
  });

  test("costs nothing when a store is opened: no file of it is even looked at", async () => {
    await inWorld(3, async ({ world, store, witness }) => {
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        for (let n = 0; n < 12; n++) await witness.commit(store, { log, env }, 80_000);
        await store.checkpoint(env, log);
        await log.close();
      });
      world.kill();
      expect(store.history.size).toBeGreaterThan(2);
      const again = world.start();
      await world.run(async () => {
        for (const { sequence } of store.history.values()) {
          await again.storage.unlink(store.path(sequence));
        }
        const log = await store.open(again);
        await expect(found(log, { afterLsn: LSN_ZERO, upToLsn: log.durableLsn })).rejects.toThrow(
          /is missing/,
        );
        await expect(log.history.lsnAt(again.clock.wallMs())).resolves.toBe(log.durableLsn);
        await log.close();
      });
    });
  });

  // evidence: G4
  test("that is damaged is refused by whoever asks for it, with file and offset", async () => {
    await inWorld(4, async ({ world, store, witness }) => {
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        for (let n = 0; n < 8; n++) await witness.commit(store, { log, env }, 80_000);
        await store.checkpoint(env, log);
        const [first] = store.history.values();
        const path = store.path(first?.sequence ?? 0);
        const bytes = world.disk.contents(path)?.slice() ?? new Uint8Array();
        const at = 4096 + 60;
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        world.disk.replace(path, bytes);
        const range = { afterLsn: LSN_ZERO, upToLsn: log.durableLsn };
        await expect(found(log, range)).rejects.toMatchObject({
          code: "BOP_CORRUPT",
          details: { file: path, offset: 4096 },
        });
        const afterLsn = first?.endLsn ?? LSN_ZERO;
        const rest = await found(log, { ...range, afterLsn });
        expect(rest).toEqual(witness.within(afterLsn, log.durableLsn));
        await log.close();
      });
    });
  });

  test("that is held stays whole while the horizon passes it, and goes when it is let go", async () => {
    await inWorld(5, async ({ world, store, witness }) => {
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        for (let n = 0; n < 8; n++) await witness.commit(store, { log, env }, 80_000);
        const from = lsn(witness.all[1]?.lsn ?? 0);
        const hold = log.history.hold(from);
        store.horizonLsn = undefined; // No history at all from here on.
        await store.checkpoint(env, log);
        for (let n = 0; n < 8; n++) await witness.commit(store, { log, env }, 80_000);
        await store.checkpoint(env, log);
        const range = { afterLsn: from, upToLsn: log.durableLsn };
        expect(log.history.fromLsn).toBe(from);
        expect(await found(log, range)).toEqual(witness.within(from, log.durableLsn));
        hold?.release();
        await witness.commit(store, { log, env }, 10);
        await store.checkpoint(env, log);
        expect(log.history.segments).toBe(0);
        expect(log.history.hold(from)).toBeUndefined();
        await log.close();
      });
    });
  });

  test("takes as much of the disk as it may, and one that holds little takes little", async () => {
    await inWorld(6, async ({ world, store, witness }) => {
      for (let life = 0; life < 12; life++) {
        const env = world.start();
        await world.run(async () => {
          const log = await store.open(env);
          await witness.commit(store, { log, env }, 500);
          await store.checkpoint(env, log);
          await log.close();
        });
        world.kill();
      }
      const kept = [...store.history.values()].reduce((sum, { fileBytes }) => sum + fileBytes, 0);
      expect(kept).toBeLessThan(12 * 16_384);
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        expect((await copies(env)).length).toBeGreaterThan(8);
        await compare(log, { store, witness });
        expect(witness.within(log.history.fromLsn, log.durableLsn)).toHaveLength(12);
        const floor = log.history.floorLsn(log.durableLsn, 5 * 8192);
        store.horizonLsn = floor;
        await store.checkpoint(env, log);
        expect(log.history.bytes).toBeLessThanOrEqual(5 * 8192);
        await compare(log, { store, witness });
        expect(await copies(env)).toHaveLength(store.history.size);
        await log.close();
      });
    });
  });

  test("begins with whole commits: one that began in a segment that is gone is no damage", async () => {
    await inWorld(8, async ({ world, store, witness }) => {
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        for (const bytes of [500_000, 80_000]) await witness.commit(store, { log, env }, bytes);
        await store.checkpoint(env, log);
        store.horizonLsn = [...store.history.values()][0]?.endLsn;
        await store.checkpoint(env, log);
        const [afterLsn, upToLsn] = [log.history.fromLsn, log.durableLsn];
        const whole = witness.within(afterLsn, upToLsn).slice(1);
        expect(await found(log, { afterLsn, upToLsn })).toEqual(whole);
      });
    });
  });

  test("gives way to commits when the disk is full", async () => {
    await inWorld(7, async ({ world, store, witness }) => {
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        for (let n = 0; n < 12; n++) await witness.commit(store, { log, env }, 80_000);
        await store.checkpoint(env, log);
        const before = log.history.segments;
        world.disk.capacityBytes = await usedBytes(env);
        for (let n = 0; n < 8; n++) await witness.commit(store, { log, env }, 80_000);
        expect(log.history.segments).toBeLessThan(before);
        await compare(log, { store, witness });
        await log.close();
      });
    });
  });
});

/** Two lives of commits, checkpoints and a horizon that moves: all that changes files of history. */
async function movingWindow(store: LogStore, witness: Witness, world: SimulatedWorld) {
  for (let life = 0; life < 2; life++) {
    const env = world.start();
    const log = await store.open(env);
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 4; n++) await witness.commit(store, { log, env }, 80_000);
      store.horizonLsn = lsn(Math.max(store.horizonLsn ?? 0, log.durableLsn - 500_000));
      await store.checkpoint(env, log);
    }
    await log.close();
    world.kill();
  }
}

describe.each(["kill", "power"] as const)("history and a %s", (how) => {
  // evidence: G1, G23
  test("at any change of its files leave all of it that is above the horizon", async () => {
    const life = async (seed: number, crashAt?: number) => {
      const world = await worldOf(seed);
      const store = new LogStore();
      store.horizonLsn = LSN_ZERO;
      const witness = new Witness();
      if (crashAt !== undefined) world.disk.crashAt(crashAt, how);
      await live(world, () => movingWindow(store, witness, world));
      if (world.alive) world.kill();
      return { world, store, witness };
    };
    const { changeCount } = (await life(1)).world.disk;
    expect(changeCount).toBeGreaterThan(100);
    for (let n = how === "kill" ? 1 : 2; n <= changeCount; n += 3) {
      const { world, store, witness } = await life(100 + n, n);
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        const { fromLsn } = log.history;
        expect(fromLsn).toBeLessThanOrEqual(store.horizonLsn ?? 0);
        const all = await found(log, { afterLsn: fromLsn, upToLsn: log.durableLsn });
        const known = witness.within(fromLsn, log.durableLsn);
        expect(all.slice(0, known.length)).toEqual(known);
        expect(all.length - known.length).toBeLessThanOrEqual(1);
        const kept = [...store.history.values()].filter(({ isCopy }) => isCopy);
        expect(await copies(env)).toHaveLength(kept.length);
        await log.close();
      });
      world.kill();
    }
  }, 60_000);
});

describe("the time of commits", () => {
  test("a moment of the past is that of the newest commit at or before it", async () => {
    await inWorld(8, async ({ world, store, witness }) => {
      for (let life = 0; life < 3; life++) {
        const env = world.start();
        await world.run(async () => {
          const log = await store.open(env);
          for (let n = 0; n < 6; n++) {
            await env.clock.sleep(1000);
            await witness.commit(store, { log, env }, 70_000);
            await env.clock.sleep(1000);
          }
          if (life !== 1) await store.checkpoint(env, log);
          if (life === 2) {
            for (const { lsn, durableAtMs } of witness.all) {
              const at = (await log.history.lsnAt(durableAtMs + 500)) ?? 0;
              expect(witness.within(0, at).at(-1)?.lsn).toBe(lsn);
              const before = (await log.history.lsnAt(durableAtMs - 500)) ?? 0;
              expect(witness.within(0, before)).toEqual(witness.within(0, lsn - 1));
            }
            expect(await log.history.lsnAt(log.history.fromMs - 1)).toBeUndefined();
          }
          if (life !== 0) await log.close();
        });
        world.kill();
      }
    });
  });

  test("a clock that is set back makes no commit older than the one before it", async () => {
    await inWorld(9, async ({ world, store, witness }) => {
      const times: number[] = [];
      for (const jumpMs of [0, -3_600_000, -10_000, 0]) {
        const env = world.start();
        await world.run(async () => {
          world.jumpWall(jumpMs);
          const log = await store.open(env);
          await env.clock.sleep(10);
          await witness.commit(store, { log, env }, 100);
          times.push(log.history.newestMs);
          await store.checkpoint(env, log);
          await log.close();
        });
        world.kill();
      }
      expect(times).toEqual([...times].sort((a, b) => a - b));
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        const sealed = [];
        for (const time of times) sealed.push(await log.history.lsnAt(time));
        expect(sealed).toEqual([...sealed].sort((a = LSN_ZERO, b = LSN_ZERO) => a - b));
        expect(witness.within(0, sealed.at(-1) ?? 0)).toHaveLength(4);
        await log.close();
      });
    });
  });
});

import { describe, expect, test } from "vitest";
import { isStorageError } from "../base/errors.ts";
import { lsn, streamId } from "../base/units.ts";
import { BLOCK_BYTES } from "../wal/index.ts";
import type { LogLimits } from "./index.ts";
import { LogStore, WAL, worldOf } from "./log.fixture.ts";
import { codeOf, DRIVERS, FLUSH, survivesPowerCut, within } from "./running.fixture.ts";

describe("log", () => {
  test.each(DRIVERS)(
    "%s: commits that arrive while a flush is under way share the next one",
    async (io) => {
      const running = await within({ io }, async ({ log, store, env }) => {
        await store.commitDurably(log, 10);
        const before = log.stats.flushes;
        const waiting = [store.commitDurably(log, 10)];
        await env.clock.sleep(0);
        for (let i = 0; i < 50; i++) waiting.push(store.commitDurably(log, 10));
        await Promise.all(waiting);
        expect(log.stats.flushes - before).toBe(2);
        expect(log.stats.commits).toBe(52);
      });
      await survivesPowerCut(running);
    },
  );

  test("a promise resolves when its commit is durable and not before", async () => {
    await within({}, async ({ log, store }) => {
      const at = store.commit(log, 10);
      const marks: number[] = [];
      log.onDurable((durable) => marks.push(durable));
      expect(log.durableLsn).toBeLessThan(at);
      await log.durable(at);
      expect(marks).toEqual([log.durableLsn]);
      expect(log.durableLsn).toBeGreaterThanOrEqual(at);
      await expect(log.durable(lsn(log.newestLsn + 1))).rejects.toThrowError(RangeError);
    });
  });

  test("promises resolve in order of LSN, whoever asked first", async () => {
    await within({}, async ({ log, store }) => {
      const first = store.commit(log, 10);
      const second = store.commit(log, 10);
      const order: string[] = [];
      const later = log.durable(second).then(() => order.push("second"));
      const sooner = log.durable(first).then(() => order.push("first"));
      await Promise.all([later, sooner]);
      expect(order).toEqual(["first", "second"]);
    });
  });

  test("a listener that leaves is told nothing more, the others still are", async () => {
    await within({}, async ({ log, store }) => {
      const told: string[] = [];
      const a = log.onDurable(() => {
        told.push("a");
        a.dispose();
      });
      log.onDurable(() => told.push("b"));
      await store.commitDurably(log, 1);
      await store.commitDurably(log, 1);
      expect(told).toEqual(["a", "b", "b"]);
    });
  });

  // evidence: G5
  test.each(DRIVERS)(
    "%s: a refused flush is not tried again on its file: the batch goes to a fresh segment",
    async (io) => {
      for (const after of ["kept", "dropped", "partial"] as const) {
        const running = await within({ io }, async ({ log, store, world }) => {
          await store.commitDurably(log, 10);
          const poisoned = () => world.disk.contents(store.path(1));
          world.disk.failNext({ operation: FLUSH[io], pathPattern: /1\.wal$/, after });
          await Promise.all([store.commitDurably(log, 10), store.commitDurably(log, 10)]);
          expect(log.stats.failedFlushes).toBe(1);
          const { write = 0, sync = 0 } = world.disk.calls;
          const before = Buffer.from(poisoned() ?? []);
          await store.commitDurably(log, 10);
          expect(before.equals(poisoned() ?? new Uint8Array(0))).toBe(true);
          expect(world.disk.calls.write).toBe(write + 1);
          expect(world.disk.calls.sync).toBe(io === "direct" ? sync : sync + 1);
          expect(
            Buffer.from(world.disk.contents(store.path(2)) ?? []).toString("latin1", 0, 4),
          ).toBe("BOPC");
        });
        await survivesPowerCut(running);
      }
    },
  );

  // evidence: G5
  test("two refused syncs in a row are invisible, the third turns the log read-only", async () => {
    for (const times of [2, 3]) {
      const running = await within({}, async ({ log, store, world, env }) => {
        await store.commitDurably(log, 10);
        const failures: unknown[] = [];
        log.onFailure((error) => failures.push(error));
        const pattern = /\.wal$/;
        world.disk.failNext({ operation: "sync", pathPattern: pattern });
        const second = store.commitDurably(log, 10);
        const third = store.commitDurably(log, 10);
        // Each further segment is prepared with a sync of its own before its header is synced.
        world.disk.failNext({ operation: "sync", pathPattern: pattern, skip: 1 });
        if (times === 3) world.disk.failNext({ operation: "sync", pathPattern: pattern, skip: 2 });
        const settled = await Promise.allSettled([second, third]);
        expect(log.stats.failedFlushes).toBe(times);
        if (times === 2) {
          expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
          expect(failures).toHaveLength(0);
          return;
        }
        for (const it of settled) {
          expect(it.status === "rejected" && it.reason.code).toBe("BOP_OUTCOME_UNKNOWN");
        }
        expect(failures).toHaveLength(1);
        expect(isStorageError(failures[0], "BOP_READ_ONLY")).toBe(true);
        expect(codeOf(() => log.admit())).toBe("BOP_READ_ONLY");
        expect(codeOf(() => log.stage(streamId(1)))).toBe("BOP_READ_ONLY");
        await env.clock.sleep(500);
        await log.close();
        expect(failures).toHaveLength(1);
      });
      await survivesPowerCut(running);
    }
  });

  // evidence: G5
  test.each(DRIVERS)(
    "%s: flushes that find no room count for nothing: nobody new is let in, and they go on by themselves",
    async (io) => {
      const running = await within({ io }, async ({ log, store, world, env }) => {
        await store.commitDurably(log, 10);
        const failures: unknown[] = [];
        log.onFailure((error) => failures.push(error));
        world.disk.failNext({
          ...{ operation: FLUSH[io], pathPattern: /\.wal$/, error: "ENOSPC" },
          times: io === "direct" ? 3 : 1,
        });
        if (io === "standard") {
          const order = { operation: "sync", pathPattern: /\.wal$/, error: "ENOSPC" } as const;
          // Each further segment is prepared with a sync of its own before its head is synced.
          for (const skip of [2, 4]) world.disk.failNext({ ...order, skip });
        }
        const waiting = [store.commitDurably(log, 10), store.commitDurably(log, 10)];
        await env.clock.sleep(100);
        expect(codeOf(() => log.admit())).toBe("BOP_DISK_FULL");
        expect(codeOf(() => store.commit(log, 10))).toBe("BOP_DISK_FULL");
        await Promise.all(waiting);
        const refused = [...world.disk.injected.values()].reduce((sum, count) => sum + count, 0);
        expect(refused).toBe(3);
        expect(codeOf(() => log.admit())).toBe("nothing");
        expect(log.stats.failedFlushes).toBe(0);
        expect(failures).toEqual([]);
        await store.commitDurably(log, 10);
      });
      await survivesPowerCut(running);
    },
  );

  // evidence: G46
  test.each(["create", "open"] as const)(
    "segments that cannot be taken for a moment, for a failing %s, are waited for",
    async (operation) => {
      const running = await within({ retryMs: 250 }, async ({ log, store, world, env }) => {
        for (let i = 0; i < 6; i++) await store.commitDurably(log, 70_000);
        if (operation === "open") {
          await store.checkpoint(env, log);
          await env.clock.sleep(1000);
        }
        const failures: unknown[] = [];
        log.onFailure((error) => failures.push(error));
        world.disk.failNext({ operation, pathPattern: /\.wal$/, times: Number.POSITIVE_INFINITY });
        const waiting = [1, 2, 3, 4, 5, 6, 7].map(() => store.commitDurably(log, 70_000));
        await env.clock.sleep(300);
        expect(log.durableLsn).toBeLessThan(log.newestLsn);
        world.disk.heal();
        await Promise.all(waiting);
        expect(failures).toEqual([]);
      });
      await survivesPowerCut(running);
    },
  );

  // evidence: G5
  test("segments that can never be taken turn the log read-only, and nobody waits for ever", async () => {
    const running = await within({}, async ({ log, store, world }) => {
      world.disk.failNext({
        ...{ operation: "create", pathPattern: /\.wal$/ },
        times: Number.POSITIVE_INFINITY,
      });
      const waiting = [1, 2, 3, 4, 5, 6, 7, 8].map(() => store.commitDurably(log, 70_000));
      const last = (await Promise.allSettled(waiting)).at(-1);
      expect(last).toMatchObject({ reason: { code: "BOP_OUTCOME_UNKNOWN" } });
      expect(codeOf(() => log.admit())).toBe("BOP_READ_ONLY");
      world.disk.heal();
    });
    await survivesPowerCut(running);
  });

  // evidence: G5
  test.each([2, 3])(
    "direct: %i refused writes in a row are as many refused flushes",
    async (times) => {
      const running = await within({ io: "direct" }, async ({ log, store, world }) => {
        await store.commitDurably(log, 10);
        const failures: unknown[] = [];
        log.onFailure((error) => failures.push(error));
        world.disk.failNext({ operation: "write", pathPattern: /\.wal$/, times });
        const outcome = await store.commitDurably(log, 10).catch((error) => error.code);
        expect(outcome).toBe(times === 3 ? "BOP_OUTCOME_UNKNOWN" : undefined);
        expect(log.stats.failedFlushes).toBe(times);
        expect(failures).toHaveLength(times === 3 ? 1 : 0);
      });
      await survivesPowerCut(running);
    },
  );

  test("a wall clock that jumps orders nothing: commits before and after come back as they were", async () => {
    const running = await within({}, async ({ log, store, world, env }) => {
      for (const hours of [0, -5, 48, -100]) {
        world.jumpWall(hours * 3_600_000);
        await store.commitDurably(log, 1000);
        await env.clock.sleep(60);
      }
    });
    await survivesPowerCut(running);
    expect(running.store.sealed).toHaveLength(4);
  });

  test("a refused write is repeated, and nobody hears of it", async () => {
    const running = await within({}, async ({ log, store, world }) => {
      world.disk.failNext({ operation: "write", times: 2 });
      await store.commitDurably(log, 10);
      expect(log.stats.failedFlushes).toBe(0);
    });
    await survivesPowerCut(running);
  });

  test("more than the backlog may hold is refused before it begins, until the device catches up", async () => {
    await within({ maxBacklogBytes: 128 * 1024 }, async ({ log, store }) => {
      store.commit(log, 200_000);
      const last = log.newestLsn;
      const refused = codeOf(() => log.stage(streamId(1)));
      expect(refused).toBe("BOP_BACKPRESSURE");
      await log.durable(last);
      await store.commitDurably(log, 10);
    });
  });

  // evidence: G10
  test("a full device refuses new work, keeps what is sealed, and goes on when there is room", async () => {
    const running = await within({ retryMs: 20 }, async ({ log, store, world, env }) => {
      world.disk.capacityBytes = 300 * 1024;
      const refused: string[] = [];
      const waiting: Promise<void>[] = [];
      for (let i = 0; i < 40 && refused.length === 0; i++) {
        try {
          log.admit();
          waiting.push(store.commitDurably(log, 30_000));
          await env.clock.sleep(30);
        } catch (error) {
          refused.push((error as { code: string }).code);
        }
      }
      expect(refused).toEqual(["BOP_DISK_FULL"]);
      world.disk.capacityBytes = Number.POSITIVE_INFINITY;
      await Promise.all(waiting);
      await env.clock.sleep(100);
      for (let i = 0; i < 12; i++) await store.commitDurably(log, 30_000);
    });
    await survivesPowerCut(running);
  });

  test("a lone commit is flushed within the call once flushes are known to be quick", async () => {
    const running = await within({ inlineFlushMs: 100 }, async ({ log, store }) => {
      await store.commitDurably(log, 10);
      const at = store.commit(log, 10);
      log.kick({ inline: true });
      expect(log.durableLsn).toBeGreaterThanOrEqual(at);
      store.acknowledgedLsn = at;
    });
    await survivesPowerCut(running);
  });

  test("with inline flushes switched off, a lone commit waits for the device like any other", async () => {
    await within({ inlineFlushMs: 0 }, async ({ log, store }) => {
      await store.commitDurably(log, 10);
      const at = store.commit(log, 10);
      log.kick({ inline: true });
      expect(log.durableLsn).toBeLessThan(at);
      await log.durable(at);
    });
  });

  // evidence: G5
  test.each(DRIVERS)("%s: a refused flush within a call is repaired behind it", async (io) => {
    const running = await within({ inlineFlushMs: 100, io }, async ({ log, store, world }) => {
      await store.commitDurably(log, 10);
      world.disk.failNext({ operation: FLUSH[io], pathPattern: /1\.wal$/ });
      const at = store.commit(log, 10);
      log.kick({ inline: true });
      expect(log.durableLsn).toBeLessThan(at);
      await store.commitDurably(log, 10);
      expect(log.durableLsn).toBeGreaterThan(at);
      expect(log.stats.failedFlushes).toBe(1);
    });
    await survivesPowerCut(running);
  });

  test("an idle log proves its last batch once, with one empty batch", async () => {
    const { world, store } = await within({}, async ({ log, store, env }) => {
      for (let i = 0; i < 3; i++) await store.commitDurably(log, 10);
      const written = log.stats.writtenBytes;
      await env.clock.sleep(1000);
      expect(log.stats.writtenBytes - written).toBe(BLOCK_BYTES);
    });
    world.kill();
    const bytes = world.disk.contents(store.path(1)) ?? new Uint8Array(0);
    bytes[3 * BLOCK_BYTES + 60] = 0xff;
    world.disk.replace(store.path(1), bytes);
    const env = world.start();
    await expect(world.run(() => store.recover(env))).rejects.toThrowError(/damaged/);
  });

  test("closing flushes what is sealed, and closing twice is closing once", async () => {
    const running = await within({}, async ({ log, store }) => {
      store.commit(log, 10);
      const newest = store.commit(log, 10);
      await Promise.all([log.close(), log.close()]);
      await log.close();
      expect(log.durableLsn).toBeGreaterThanOrEqual(newest);
      store.acknowledgedLsn = newest;
      expect(codeOf(() => log.admit())).toBe("BOP_CLOSED");
      await log.durable(newest);
    });
    await survivesPowerCut(running);
  });

  test("released segments are used again, and nothing that was left in them is replayed", async () => {
    const running = await within({}, async ({ log, store, env }) => {
      for (let round = 0; round < 30; round++) {
        for (let i = 0; i < 4; i++) await store.commitDurably(log, 30_000);
        await store.checkpoint(env, log);
        expect((await env.storage.list(WAL)).length).toBeLessThanOrEqual(5);
      }
      expect(Math.max(...store.registered)).toBeGreaterThan(10);
      for (let i = 0; i < 3; i++) await store.commitDurably(log, 100);
    });
    await survivesPowerCut(running);
  });

  test.each(DRIVERS)(
    "%s: a commit that is larger than a segment spans several, and comes back whole",
    async (io) => {
      const running = await within({ io }, async ({ log, store }) => {
        await store.commitDurably(log, 900_000);
        await store.commitDurably(log, 10);
        expect(log.stats.segments).toBeGreaterThan(3);
      });
      await survivesPowerCut(running);
      expect(running.store.sealed.map(({ bytes }) => bytes)).toEqual([900_000, 10]);
    },
  );

  test("options that are misspelt or out of range are refused by name", async () => {
    const world = await worldOf(1);
    const env = world.start();
    const wrong = async (limits: object) => {
      await new LogStore(limits as Partial<LogLimits>).recover(env);
    };
    await expect(wrong({ segmentByte: 1 })).rejects.toThrowError(/unknown option "segmentByte"/);
    await expect(wrong({ segmentBytes: 5000 })).rejects.toThrowError(RangeError);
    await expect(wrong({ bufferBytes: 256 * 1024 })).rejects.toThrowError(/half a segment/);
  });
});

/** What the log refuses, when, and for how long; and what it does about a device that hangs. */
import { describe, expect, test } from "vitest";
import { isStorageError, StorageError } from "../base/errors.ts";
import { streamId } from "../base/units.ts";
import type { Log, LogFault } from "./index.ts";
import { STREAM } from "./log.fixture.ts";
import { codeOf, DRIVERS, FLUSH, survivesPowerCut, within } from "./running.fixture.ts";

const OTHER = streamId(77);

function refusal(act: () => unknown): { full: string; retryAfterMs: number } | undefined {
  try {
    act();
  } catch (error) {
    if (isStorageError(error, "BOP_BACKPRESSURE")) return error.details;
    throw error;
  }
  return undefined;
}

function faultsOf(log: Log): LogFault[] {
  const faults: LogFault[] = [];
  log.onFault((fault) => faults.push(fault));
  return faults;
}

describe("a log that is full", () => {
  // evidence: G10
  test("refuses at the door what its backlog has no room for, and says when to come again", async () => {
    const running = await within({ maxBacklogBytes: 128 * 1024 }, async ({ log, store }) => {
      store.commit(log, 100_000);
      expect(refusal(() => log.admit(STREAM))).toBeUndefined();
      store.commit(log, 100_000);
      const refused = refusal(() => log.admit(STREAM));
      expect(refused?.full).toBe("log backlog");
      expect(refused?.retryAfterMs).toBeGreaterThanOrEqual(1);
      expect(log.stats.backlogBytes).toBeGreaterThan(200_000);
      await log.durable(log.newestLsn);
      expect(refusal(() => log.admit(STREAM))).toBeUndefined();
    });
    await survivesPowerCut(running);
  });

  test("one stream's limit is its own: it waits, and the others do not", async () => {
    await within({}, async ({ log, store }) => {
      log.limitStream(STREAM, 150_000);
      store.commit(log, 100_000);
      expect(refusal(() => log.admit(STREAM))).toBeUndefined();
      store.commit(log, 100_000);
      expect(refusal(() => log.admit(STREAM))?.full).toBe(`backlog of stream ${STREAM}`);
      expect(refusal(() => log.admit(OTHER))).toBeUndefined();
      await log.durable(log.newestLsn);
      expect(refusal(() => log.admit(STREAM))).toBeUndefined();
      for (let n = 0; n < 3; n++) store.commit(log, 100_000);
      log.limitStream(STREAM, undefined);
      expect(refusal(() => log.admit(STREAM))).toBeUndefined();
      await log.durable(log.newestLsn);
    });
  });

  test("a commit that was discarded counts for nothing", async () => {
    await within({}, async ({ log }) => {
      log.limitStream(STREAM, 150_000);
      for (let n = 0; n < 5; n++) {
        const staged = log.stage(STREAM);
        staged.entry(new Uint8Array(100_000));
        staged.discard();
      }
      expect(refusal(() => log.admit(STREAM))).toBeUndefined();
    });
  });

  test("what gives back what others took is taken at once, and everything else is refused", async () => {
    await within({ maxBacklogBytes: 128 * 1024 }, async ({ log, store }) => {
      store.commit(log, 200_000);
      expect(refusal(() => log.stage(OTHER))?.full).toBe("log backlog");
      const staged = log.stage(OTHER, { givesBack: true });
      staged.entry(new Uint8Array(10));
      await log.durable(staged.seal({ pageCount: 0, pageBytes: 0 }));
    });
  });

  test("segments that no checkpoint lets go are bounded, until one does", async () => {
    await within({ maxInflightSegments: 3 }, async ({ log, store, env }) => {
      for (let n = 0; n < 12; n++) await store.commitDurably(log, 100_000);
      expect(log.stats.inflightSegments).toBeGreaterThan(3);
      expect(refusal(() => log.admit(STREAM))?.full).toBe("segments");
      await store.commitDurably(log, 10); // Who was let in before is not turned away now.
      await store.checkpoint(env, log);
      expect(refusal(() => log.admit(STREAM))).toBeUndefined();
    });
  });
});

describe.each(DRIVERS)("a device that hangs, %s", (io) => {
  // evidence: G17
  test("is waited for: nobody new is let in, nothing is acknowledged, and then all of it is", async () => {
    const running = await within(
      { io, writeTimeoutMs: 1000 },
      async ({ log, store, world, env }) => {
        await store.commitDurably(log, 10);
        const faults = faultsOf(log);
        world.disk.hangNext({ operation: FLUSH[io], pathPattern: /1\.wal$/, ms: 10_000 });
        let acknowledged = 0;
        const waiting = [1, 2, 3].map(() =>
          store.commitDurably(log, 10).then(() => acknowledged++),
        );
        await env.clock.sleep(900);
        expect(log.stats.hung).toBeUndefined();
        expect(refusal(() => log.admit(STREAM))).toBeUndefined();
        await env.clock.sleep(1000);
        expect(log.stats.hung).toMatchObject({ operation: "flushing", file: store.path(1) });
        expect(log.stats.hung?.sinceMs).toBeGreaterThan(1000);
        expect(refusal(() => log.admit(STREAM))?.full).toBe("device");
        expect(faults).toHaveLength(1);
        expect(faults[0]?.error).toBeInstanceOf(StorageError);
        await env.clock.sleep(5000);
        expect(acknowledged).toBe(0);
        expect(world.disk.calls.create).toBeLessThan(4);
        await Promise.all(waiting);
        expect(log.stats.hung).toBeUndefined();
        expect(refusal(() => log.admit(STREAM))).toBeUndefined();
        expect([log.stats.failedFlushes, faults.length]).toEqual([0, 1]);
        await store.commitDurably(log, 10);
      },
    );
    await survivesPowerCut(running);
  });

  // evidence: G5, G17
  test("and fails in the end is a refused flush like any other", async () => {
    const running = await within({ io, writeTimeoutMs: 1000 }, async ({ log, store, world }) => {
      await store.commitDurably(log, 10);
      const faults = faultsOf(log);
      const failing = { operation: FLUSH[io], pathPattern: /1\.wal$/ } as const;
      world.disk.hangNext({ ...failing, ms: 10_000 });
      world.disk.failNext({ ...failing, after: "kept" });
      await store.commitDurably(log, 10);
      expect(log.stats.failedFlushes).toBe(1);
      expect(faults).toHaveLength(2);
      await store.commitDurably(log, 10);
    });
    await survivesPowerCut(running);
  });

  // evidence: G1, G17
  test("and whose power fails meanwhile has lost nothing that was acknowledged", async () => {
    for (const ms of [500, 3000]) {
      const running = await within(
        { io, writeTimeoutMs: 1000 },
        async ({ log, store, world, env }) => {
          for (let n = 0; n < 5; n++) await store.commitDurably(log, 3000);
          world.disk.hangNext({ operation: FLUSH[io], pathPattern: /1\.wal$/, ms: 60_000 });
          store.commitDurably(log, 3000).catch(() => undefined);
          await env.clock.sleep(ms);
        },
      );
      await survivesPowerCut(running);
    }
  });

  test("while a segment is prepared holds up nobody before the segment is needed", async () => {
    const running = await within(
      { io, writeTimeoutMs: 1000 },
      async ({ log, store, world, env }) => {
        world.disk.hangNext({ operation: "preallocate", ms: 20_000 });
        for (let n = 0; n < 2; n++) await store.commitDurably(log, 70_000);
        await env.clock.sleep(2000);
        expect(log.stats.hung).toMatchObject({ operation: "preallocating" });
        expect(codeOf(() => log.admit(STREAM))).toBe("BOP_BACKPRESSURE");
        const waiting = [store.commitDurably(log, 50_000), store.commitDurably(log, 70_000)];
        await Promise.all(waiting);
        expect(log.stats.hung).toBeUndefined();
      },
    );
    await survivesPowerCut(running);
  });

  // evidence: G17
  test("while a segment is taken into use is told, and nobody is let in who would wait for it", async () => {
    const running = await within(
      { io, writeTimeoutMs: 1000 },
      async ({ log, store, world, env }) => {
        const faults = faultsOf(log);
        for (let n = 0; n < 2; n++) await store.commitDurably(log, 70_000);
        await env.clock.sleep(100);
        world.disk.hangNext({ operation: FLUSH[io], pathPattern: /2\.wal$/, ms: 20_000 });
        const waiting = [50_000, 70_000].map((bytes) => store.commitDurably(log, bytes));
        await env.clock.sleep(2000);
        expect(log.stats.hung).toMatchObject({ operation: "taking into use" });
        expect(refusal(() => log.admit(STREAM))?.full).toBe("device");
        expect(faults).toHaveLength(1);
        await Promise.all(waiting);
        expect(log.stats.hung).toBeUndefined();
        await store.commitDurably(log, 10);
      },
    );
    await survivesPowerCut(running);
  });

  test("holds up a close until it has come back, and the close keeps everything", async () => {
    const running = await within(
      { io, writeTimeoutMs: 1000 },
      async ({ log, store, world, env }) => {
        await store.commitDurably(log, 10);
        world.disk.hangNext({ operation: FLUSH[io], pathPattern: /1\.wal$/, ms: 5000 });
        const waiting = store.commitDurably(log, 10);
        await env.clock.sleep(10);
        await Promise.all([log.close(), waiting]);
        expect(log.durableLsn).toBe(log.newestLsn);
      },
    );
    await survivesPowerCut(running);
  });
});

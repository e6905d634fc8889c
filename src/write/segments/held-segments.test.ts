/** Segments that are let go while the disk refuses a part of it. */
import { describe, expect, test } from "vitest";
import { WAL } from "../log.fixture.ts";
import { type Running, survivesPowerCut, within } from "../running.fixture.ts";

const SEGMENTS_MIN = 5;

async function fillSegments({ log, store }: Running): Promise<void> {
  const before = log.stats.inflightSegments;
  while (log.stats.inflightSegments <= before + SEGMENTS_MIN)
    await store.commitDurably(log, 70_000);
}

/** Files of the log that the register does not know. */
async function strays({ env, store }: Running): Promise<string[]> {
  const known = [...store.registered, ...store.history.keys()].map((each) => store.path(each));
  const names = await env.storage.list(WAL);
  const files = names.filter((name) => name.endsWith(".wal")).map((name) => `${WAL}/${name}`);
  return files.filter((path) => !known.includes(path));
}

describe("segments that are let go", () => {
  // evidence: G46
  test.each(["stat", "unlink", "rename", "syncDirectory"] as const)(
    "go on to be when a %s fails, and the next release makes up for the one that did not",
    async (operation) => {
      const running = await within({}, async (on) => {
        const { env, log, store, world } = on;
        await fillSegments(on);
        const pathPattern = operation === "syncDirectory" ? /wal$/ : /\.wal$/;
        world.disk.failNext({ operation, pathPattern });
        await expect(store.checkpoint(env, log)).rejects.toMatchObject({ code: "BOP_IO" });
        expect((await strays(on)).length).toBeLessThanOrEqual(1);
        await store.checkpoint(env, log);
        expect(await strays(on)).toEqual([]);
        await fillSegments(on);
        await store.checkpoint(env, log);
        expect(await strays(on)).toEqual([]);
      });
      await survivesPowerCut(running);
    },
  );

  // evidence: G46
  test("by the horizon go on to be when one of them cannot be removed", async () => {
    const running = await within({}, async (on) => {
      const { env, log, store, world } = on;
      store.horizonLsn = log.durableLsn;
      await fillSegments(on);
      await store.checkpoint(env, log);
      expect(store.history.size).toBeGreaterThanOrEqual(SEGMENTS_MIN - 1);
      store.horizonLsn = log.durableLsn;
      world.disk.failNext({ operation: "unlink", pathPattern: /\.wal$/ });
      await expect(store.checkpoint(env, log)).rejects.toMatchObject({ code: "BOP_IO" });
      await store.checkpoint(env, log);
      expect(await strays(on)).toEqual([]);
    });
    await survivesPowerCut(running);
  });

  // evidence: G5
  test("to be history are not used again if they refused a flush, though one before cannot be removed", async () => {
    const running = await within({}, async (on) => {
      const { env, log, store, world } = on;
      await fillSegments(on);
      store.horizonLsn = log.durableLsn;
      await store.commitDurably(log, 10);
      const path = store.path(log.stats.inflight.at(-1)?.sequence ?? 0);
      world.disk.failNext({ operation: "sync", pathPattern: new RegExp(path), after: "kept" });
      await store.commitDurably(log, 10);
      world.disk.failNext({ operation: "unlink", pathPattern: /\.wal$/ });
      await expect(store.checkpoint(env, log)).rejects.toMatchObject({ code: "BOP_IO" });
      expect([...store.history.keys()].map((each) => store.path(each))).toEqual([path]);
      const poisoned = Buffer.from(world.disk.contents(path) ?? []);
      await fillSegments(on); // Spares are used up: a file would be wanted.
      store.horizonLsn = store.checkpointLsn;
      await log.release(store.checkpointLsn, store.horizonLsn);
      const files = world.disk.files(/\.wal$/).map((each) => world.disk.contents(each));
      expect(files.some((bytes) => bytes !== undefined && poisoned.equals(bytes))).toBe(false);
    });
    await survivesPowerCut(running);
  });
});

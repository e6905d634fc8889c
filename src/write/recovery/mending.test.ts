/** Segments behind the checkpoint that are found damaged when somebody asks for the past. */
import { expect, test } from "vitest";
import { LSN_ZERO } from "../../base/units.ts";
import type { SimulatedWorld } from "../../io/index.ts";
import { BLOCK_BYTES } from "../../wal/index.ts";
import type { StoredLog } from "../index.ts";
import { LogStore, STREAM, worldOf } from "../log.fixture.ts";

interface Past {
  readonly world: SimulatedWorld;
  readonly log: StoredLog;
  readonly lsns: readonly number[];
  /** Of the segments that have ended. */
  readonly copies: Map<number, { readonly path: string; readonly bytes: Uint8Array }>;
}

/** A log with history (small segments of it are copies), and an archive that has all that ended. */
async function past(seed: number, work: (past: Past) => Promise<void>): Promise<void> {
  const world = await worldOf(seed);
  const store = new LogStore();
  const copies: Past["copies"] = new Map();
  store.horizonLsn = LSN_ZERO;
  store.archive = { fetch: async ({ sequence }) => copies.get(sequence)?.bytes };
  for (let life = 0; life < 3; life++) {
    const env = world.start();
    await world.run(async () => {
      const log = await store.open(env);
      for (let i = 0; i < (life === 1 ? 1 : 12); i++) await store.commitDurably(log, 30_000);
      await store.checkpoint(env, log);
      if (life < 2) return;
      const lsns = await lsnsOf(log);
      for (const { sequence, path } of log.history.ended) {
        copies.set(sequence, {
          path,
          bytes: world.disk.contents(path)?.slice() ?? new Uint8Array(),
        });
      }
      expect([...copies.values()].some(({ path }) => path.endsWith(".history"))).toBe(true);
      await work({ world, log, lsns, copies });
      await log.close();
    });
    world.kill();
  }
}

async function lsnsOf(log: StoredLog): Promise<number[]> {
  const hold = log.history.hold(LSN_ZERO);
  const lsns: number[] = [];
  const range = { afterLsn: LSN_ZERO, upToLsn: log.durableLsn };
  try {
    for await (const { lsn } of log.history.commits(STREAM, range)) lsns.push(lsn);
    return lsns;
  } finally {
    hold?.release();
  }
}

function flip(world: SimulatedWorld, path: string, offset: number): void {
  const bytes = world.disk.contents(path)?.slice() ?? new Uint8Array();
  bytes[offset] = (bytes[offset] ?? 0) ^ 8;
  world.disk.replace(path, bytes);
}

// evidence: G43
test("history that is damaged or missing is made again from its copy, and read as if nothing had been", async () => {
  await past(11, async ({ world, log, lsns, copies }) => {
    for (const { path } of copies.values()) {
      for (const offset of [BLOCK_BYTES + 4, BLOCK_BYTES + 90, BLOCK_BYTES + 30_000]) {
        flip(world, path, offset);
        expect(await lsnsOf(log), `${path} at ${offset}`).toEqual(lsns);
      }
      const { storage } = world.start();
      await storage.unlink(path);
      expect(await log.history.lsnAt(0)).toBeUndefined();
      expect(await lsnsOf(log), path).toEqual(lsns);
    }
  });
});

test("a segment is made again for whoever finds it damaged, if there is a good copy", async () => {
  await past(12, async ({ world, log, lsns, copies }) => {
    const [[sequence, copy] = []] = [...copies];
    const path = copy?.path ?? "";
    flip(world, path, BLOCK_BYTES + 90);
    const both = [log.history.mend(sequence ?? 0), log.history.mend(sequence ?? 0)];
    expect(await Promise.all(both)).toEqual([true, true]);
    expect(await lsnsOf(log)).toEqual(lsns);
    expect(await log.history.mend(999)).toBe(false);
    copies.clear();
    flip(world, path, BLOCK_BYTES + 90);
    expect(await log.history.mend(sequence ?? 0)).toBe(false);
    const details = { file: path };
    await expect(lsnsOf(log)).rejects.toMatchObject({ code: "BOP_CORRUPT", details });
  });
});

test.each(["write", "sync", "rename"] as const)(
  "a copy that cannot be put in place, for a failing %s, leaves no file behind, and the next try mends",
  async (operation) => {
    await past(13, async ({ world, log, lsns, copies }) => {
      const [[sequence, copy] = []] = [...copies];
      flip(world, copy?.path ?? "", BLOCK_BYTES + 90);
      world.disk.failNext({ operation, pathPattern: /\.copy$/ });
      await expect(log.history.mend(sequence ?? 0)).rejects.toMatchObject({ code: "BOP_IO" });
      expect(world.disk.files(/\.copy$/)).toEqual([]);
      expect(await log.history.mend(sequence ?? 0)).toBe(true);
      expect(await lsnsOf(log)).toEqual(lsns);
    });
  },
);

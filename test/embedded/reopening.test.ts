/** Long logs and many databases: what reopening hands out, and what lets the log go again. */
import { describe, expect, test } from "vitest";
import { Manager } from "../../src/index.ts";
import { simulatedWorld } from "../../src/io/index.ts";
import { memoryStores } from "../../src/manifest/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";

const DATABASES = 1000;
const LARGE = 4 * 2 ** 30;
const name = (index: number) => `tenant-${index}`;

function storeIn(world: ReturnType<typeof simulatedWorld>, options = {}) {
  const stores = memoryStores(world.random);
  const limits = { checkpointLogBytes: LARGE, overlayBytes: LARGE, segmentBytes: 256 * 1024 };
  return (more = {}) => {
    const env = world.start();
    const openKeyValueStore = stores.openerFor(env);
    return Manager.open({
      directory: "/store",
      env,
      openKeyValueStore,
      ...limits,
      ...options,
      ...more,
    });
  };
}

async function fill(manager: Manager): Promise<void> {
  const create = "create table t (id integer primary key, x text)";
  await Promise.all(
    Array.from({ length: DATABASES }, async (_, index) => {
      const database = await manager.database(name(index));
      await database.exec(create);
      await database.exec(`insert into t (x) values ('row of ${index}')`);
    }),
  );
}

describe("a store of a thousand databases that was killed", () => {
  // evidence: G1
  test("lists all of them with their sizes before any is replayed, and each has its rows when it is asked for", async () => {
    await prepareEngines("sqlite", 2);
    const world = simulatedWorld({ seed: 1 });
    const open = storeIn(world);
    const before = await world.run(async () => {
      const manager = await open();
      await fill(manager);
      return manager.list({ limit: 2000 });
    });
    world.kill();
    await prepareEngines("sqlite", 2);
    await world.run(async () => {
      const told: number[] = [];
      const onProgress = ({ doneBytes }: { doneBytes: number }) => told.push(doneBytes);
      const manager = await open({ onProgress });
      expect(manager.diagnostics().log.waitingDatabases).toBeGreaterThan(900);
      expect(told.at(-1)).toBeGreaterThan(100_000);
      expect(await manager.list({ limit: 2000 })).toEqual(before);
      for (const index of [999, 0, 500, 501, 2]) {
        const database = await manager.database(name(index));
        expect(await database.prepare("select x from t").pluck().all()).toEqual([
          `row of ${index}`,
        ]);
      }
      await manager.checkpoint();
      const { log } = manager.diagnostics();
      expect(log).toMatchObject({ waitingDatabases: 0, pinned: [] });
      await manager.close();
    });
  }, 120_000);
});

describe("the log is let go", () => {
  test("although one of a thousand databases was written once and fell idle, and one has an open reader", async () => {
    await prepareEngines("sqlite", 2);
    const world = simulatedWorld({ seed: 2 });
    const open = storeIn(world);
    await world.run(async () => {
      const manager = await open();
      await fill(manager);
      const idle = await manager.database(name(7));
      const stuck = await manager.database(name(8));
      const reader = stuck.prepare("select x from t union all select 'two'").pluck().iterate();
      expect((await reader.next()).value).toBe("row of 8");
      const busy = await manager.database(name(9));
      for (let row = 0; row < 200; row++) {
        await busy.exec(`insert into t (x) values ('${"x".repeat(2000)}')`);
      }
      await stuck.exec("update t set x = 'changed'");
      const held = manager.diagnostics().log;
      expect(held.pinned).toHaveLength(10);
      expect(held.pinned[0]?.bytes).toBeGreaterThan(1_000_000);
      expect(held.pinned.map(({ bytes }) => bytes)).toEqual(
        held.pinned.map(({ bytes }) => bytes).sort((a, b) => b - a),
      );
      expect(held.inflight.length).toBeGreaterThan(3);
      const { archivedLsn, durableLsn, writtenLsn, reservedLsn } = held.marks;
      expect([archivedLsn, durableLsn, writtenLsn, reservedLsn]).toEqual(
        [archivedLsn, durableLsn, writtenLsn, reservedLsn].sort((a, b) => a - b),
      );

      await manager.checkpoint();
      const after = manager.diagnostics().log;
      expect(after.pinned).toEqual([]);
      expect(after.inflight.length).toBeLessThanOrEqual(2);
      expect((await reader.next()).value).toBe("two");
      await reader.return?.();
      expect(await idle.prepare("select x from t").pluck().get()).toBe("row of 7");
      await manager.close();
    });
  }, 120_000);
});

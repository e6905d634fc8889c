/**
 * ONE LARGE TRANSACTION, cut off or refused at every single call that it makes of its disk. What many
 * of them do by chance is the scenario of the same name.
 */
import { describe, expect, test } from "vitest";
import { KIB } from "../src/base/units.ts";
import { Manager } from "../src/index.ts";
import { type SimulatedWorld, simulatedWorld } from "../src/io/index.ts";
import { memoryStores } from "../src/manifest/index.ts";
import { prepareReusedEngine } from "../src/sqlite/index.ts";

const LIMITS = { transactionMemoryBytes: 64 * KIB, segmentBytes: 256 * KIB };
const BEFORE = { count: 3, bytes: 3000 };
/** Some 260 KiB, with a row of before changed. */
const AFTER = { count: 103, bytes: 252_500 };
const COUNT = "select count(*) as count, sum(length(b)) as bytes from t";

class Store {
  readonly world: SimulatedWorld;
  readonly #stores;

  constructor(seed: number) {
    this.world = simulatedWorld({ seed });
    this.#stores = memoryStores(this.world.random.fork());
  }

  /** One life of the process; false if it did not survive it. */
  async live(body: (manager: Manager) => Promise<void>): Promise<boolean> {
    await prepareReusedEngine("sqlite");
    const env = this.world.start();
    const openKeyValueStore = this.#stores.openerFor(env);
    const life = async () =>
      body(await Manager.open({ directory: "/store", env, openKeyValueStore, ...LIMITS }));
    try {
      await this.world.run(life());
      return true;
    } catch (error) {
      if (this.world.alive) throw error;
      return false;
    }
  }

  async prepare(): Promise<void> {
    await this.live(async (manager) => {
      const db = await manager.database("large");
      await db.exec("create table t (a integer primary key, b)");
      await db
        .prepare("insert into t select value, zeroblob(1000) from json_each('[1,2,3]')")
        .run();
      await manager.close();
    });
    this.world.kill();
  }

  async found(): Promise<unknown> {
    let found: unknown;
    await this.live(async (manager) => {
      const db = await manager.database("large", { create: false });
      expect(await db.prepare("pragma integrity_check").pluck().get()).toBe("ok");
      found = await db.prepare(COUNT).get();
    });
    return found;
  }
}

/** Resolves when the transaction was acknowledged. */
async function enlarge(manager: Manager): Promise<void> {
  const db = await manager.database("large", { create: false });
  await db.transaction(async (tx) => {
    const insert = tx.prepare("insert into t values (?, zeroblob(2500))");
    for (let key = 4; key <= 103; key++) await insert.run(key);
    await tx.exec("update t set b = zeroblob(500) where a = 2");
  });
  expect(manager.diagnostics().pages.spilledCommits).toBe(1);
}

// evidence: G1
// evidence: G3
// evidence: G10
describe("a transaction too large for its memory", () => {
  for (const how of ["kill", "power"] as const) {
    test(`is there wholly or not at all after a ${how} at any call, and stays so`, async () => {
      let crashes = 0;
      for (let call = 1; ; call++) {
        const store = new Store(call);
        await store.prepare();
        let isAcknowledged = false;
        const survived = await store.live(async (manager) => {
          store.world.disk.crashAt(call, how);
          await enlarge(manager);
          isAcknowledged = true;
          await manager.checkpoint();
          await manager.close();
        });
        if (survived) break; // All calls are through.
        crashes += 1;
        const found = await store.found();
        expect([BEFORE, AFTER], `call ${call}`).toContainEqual(found);
        if (isAcknowledged) expect(found).toEqual(AFTER);
        store.world.powerCut();
        expect(await store.found(), `call ${call}, opened again`).toEqual(found);
      }
      expect(crashes).toBeGreaterThan(20);
    });
  }

  test("that the disk refuses at any call has changed nothing, and the store goes on", async () => {
    const operations = ["create", "write", "sync", "rename", "mkdir", "syncDirectory"] as const;
    const codes = new Set<string>();
    for (const operation of operations) {
      for (const error of operation === "write"
        ? (["EIO", "ENOSPC"] as const)
        : (["EIO"] as const)) {
        for (let skip = 0; skip < 3; skip++) {
          const store = new Store(1);
          await store.prepare();
          await store.live(async (manager) => {
            store.world.disk.failNext({ operation, error, skip, pathPattern: /chunk/ });
            const code = await enlarge(manager).then(
              () => "none",
              (refusal) => refusal.code,
            );
            codes.add(code);
            store.world.disk.heal();
            const db = await manager.database("large");
            expect(await db.prepare(COUNT).get()).toEqual(code === "none" ? AFTER : BEFORE);
            if (code !== "none") await enlarge(manager);
            await manager.close();
          });
          store.world.powerCut();
          expect(await store.found(), `${operation} ${error} ${skip}`).toEqual(AFTER);
        }
      }
    }
    expect([...codes].sort()).toEqual(["BOP_DISK_FULL", "BOP_IO", "none"]);
  });
});

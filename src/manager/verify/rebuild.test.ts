/**
 * Stores that lose their manifest: whole stores with SQL in a simulated world. A model says what each
 * database must hold.
 */
import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { isStorageError } from "../../base/errors.ts";
import { segmentSequence } from "../../base/units.ts";
import type { SeededRandom } from "../../io/index.ts";
import { segmentFileName, sequenceInName } from "../../wal/index.ts";
import type { Manager } from "../manager.ts";
import { MANIFEST, Place, STORE } from "./rebuild.fixture.ts";

/**
 * Rows of these tables are what a rebuild gives back, byte for byte: databases, chunks, map rows,
 * record logs, names, snapshots, map versions, forks.
 */
const KEPT_TABLES = [2, 3, 5, 6, 11, 12, 16, 18];

type Content = ReadonlyMap<number, string>;
interface Tenant {
  rows: Content;
  readonly snapshots: Map<string, Content>;
}
type Model = Map<string, Tenant>;
type Rows = Map<string, string>;

/** What the manifest has of the tables that are given back. */
function rowsOf({ world, stores, env }: Place): Promise<Rows> {
  return world.run(async () => {
    const store = await stores.openerFor(env)(MANIFEST);
    const rows: Rows = new Map();
    for (const number of KEPT_TABLES) {
      for (const { key, value } of store.range(Uint8Array.of(number), Uint8Array.of(number + 1))) {
        rows.set(Buffer.from(key).toString("hex"), Buffer.from(value).toString("hex"));
      }
    }
    await store.close();
    return rows;
  });
}

/** One step of a life; what it did is in the model when it resolves. */
async function step(manager: Manager, model: Model, random: SeededRandom): Promise<void> {
  const names = [...model.keys()];
  const name = names[random.below(Math.max(1, names.length))];
  const what = random.below(16);
  if (name === undefined || what === 0) {
    const created = `db-${random.below(1e9)}`;
    const database = await manager.database(created);
    await database.exec("create table t (id integer primary key, body text)");
    model.set(created, { rows: new Map(), snapshots: new Map() });
    return;
  }
  const tenant = model.get(name) as Tenant;
  if (what === 1 && names.length > 2) {
    await manager.drop(name);
    model.delete(name);
  } else if (what === 2) {
    const renamed = `renamed-${random.below(1e9)}`;
    await manager.rename(name, renamed);
    model.delete(name);
    model.set(renamed, tenant);
  } else if (what === 3 || what === 4) {
    await manager.checkpoint();
  } else if (what === 10) {
    await manager.collect();
  } else if (what === 5) {
    const database = await manager.database(name);
    await database.exec("delete from t; vacuum");
    tenant.rows = new Map();
  } else if (what === 6 || what === 7) {
    const forked = `fork-${random.below(1e9)}`;
    await (await manager.database(name)).fork(forked);
    model.set(forked, { rows: tenant.rows, snapshots: new Map() });
  } else if (what === 8 || what === 9) {
    const [known] = tenant.snapshots.keys();
    const database = await manager.database(name);
    if (known !== undefined && random.below(3) === 0) {
      await database.dropSnapshot(known);
      tenant.snapshots.delete(known);
      return;
    }
    const snapshot = `at-${random.below(1e9)}`;
    await database.snapshot(snapshot);
    tenant.snapshots.set(snapshot, tenant.rows);
  } else {
    const database = await manager.database(name);
    const rows = new Map(tenant.rows);
    tenant.rows = rows;
    const insert = database.prepare("insert or replace into t values (?, ?)");
    for (let count = 1 + random.below(6); count > 0; count--) {
      const [id, body] = [random.below(50), "x".repeat(random.below(3000)) + random.below(1e6)];
      await insert.run(id, body);
      rows.set(id, body);
    }
  }
}

async function expectModel(manager: Manager, model: Model): Promise<void> {
  const list = await manager.list();
  expect(list.map(({ name }) => name)).toEqual([...model.keys()].sort());
  const sorted = (rows: Content) => [...rows].sort(([a], [b]) => a - b);
  const all = "select id, body from t order by id";
  for (const [name, { rows, snapshots }] of model) {
    const database = await manager.database(name, { create: false });
    expect(await database.prepare(all).raw().all(), name).toEqual(sorted(rows));
    expect(await database.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
    const known = (await database.snapshots()).map((snapshot) => snapshot.name);
    expect(known.sort(), name).toEqual([...snapshots.keys()].sort());
    for (const [snapshot, then] of snapshots) {
      const opened = await database.openSnapshot(snapshot);
      expect(await opened.prepare(all).raw().all(), `${name}, ${snapshot}`).toEqual(sorted(then));
      await opened.close();
    }
  }
}

describe("a store that lost its manifest", () => {
  // evidence: G12
  test("is rebuilt after a clean stop with the rows that it had, and goes on", async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const place = new Place(seed);
      const model: Model = new Map();
      const steps = 10 + place.random.below(25);
      for (let life = 0; life < 2; life++) {
        const manager = await place.open();
        await place.world.run(async () => {
          for (let at = 0; at < steps; at++) await step(manager, model, place.random);
          await manager.close();
        });
      }
      const lost = await rowsOf(place);
      place.lose();
      await place.rebuild();
      expect(await rowsOf(place), `seed ${seed}`).toEqual(lost);
      const again = await place.open();
      await place.world.run(async () => {
        await expectModel(again, model);
        for (let at = 0; at < 10; at++) await step(again, model, place.random);
        await again.close();
      });
      const last = await place.open();
      await place.world.run(async () => {
        await expectModel(last, model);
        await last.close();
      });
    }
  });

  // evidence: G12
  test("has every acknowledged commit after a crash at any moment", async () => {
    for (let seed = 100; seed < 110; seed++) {
      const place = new Place(seed);
      const model: Model = new Map();
      for (let life = 0; life < 3; life++) {
        const manager = await place.open();
        const steps = 1 + place.random.below(20);
        await place.world.run(async () => {
          for (let at = 0; at < steps; at++) await step(manager, model, place.random);
        });
        // A checkpoint, or a collection, is under way or is not when the process dies.
        const under = place.random.below(4);
        if (under < 2) void manager.checkpoint().catch(() => undefined);
        if (under === 2) void manager.collect().catch(() => undefined);
        await place.world.pass(place.random.below(30) / 10);
        place.crash();
        if (place.random.below(3) === 0) {
          place.lose();
          await place.rebuild();
        }
      }
      place.lose();
      await place.rebuild();
      const manager = await place.open();
      await place.world.run(async () => {
        await expectModel(manager, model);
        await manager.close();
      });
    }
  });

  // evidence: G12
  test("behind a collection that has moved pages is rebuilt with the chunks that are left", async () => {
    const place = new Place(5);
    const manager = await place.open({ historyMs: 0 });
    await place.world.run(async () => {
      const database = await manager.database("a");
      const fill = "update t set body = randomblob(3000) where id <= ?";
      await database.exec("create table t (id integer primary key, body blob)");
      await database.exec(`with recursive n(id) as (select 1 union all select id + 1 from n limit 200)
        insert into t select id, randomblob(3000) from n`);
      await database.snapshot("before");
      const before = await database.openSnapshot("before");
      await manager.checkpoint();
      await database.prepare(fill).run(180);
      await database.dropSnapshot("before");
      await manager.checkpoint();
      await before.close();
      const { compacted } = await manager.collect();
      expect(compacted).toBeGreaterThan(0);
    });
    place.world.kill();
    place.env = place.world.start();
    place.lose();
    await place.rebuild();
    const again = await place.open();
    await place.world.run(async () => {
      const database = await again.database("a", { create: false });
      const count = "select count(*), sum(length(body)) from t";
      expect(await database.prepare(count).raw().get()).toEqual([200, 600_000]);
      expect(await database.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
      await again.close();
    });
  });

  test("is not opened as if it were new, and the error names the way out", async () => {
    const place = new Place(1);
    const manager = await place.open();
    await place.world.run(() => manager.close());
    place.lose();
    const error = await place.open().catch((error: unknown) => error);
    expect(isStorageError(error, "BOP_CORRUPT")).toBe(true);
    expect(String(error)).toMatch(/bop rebuild/);
    await place.rebuild();
    const again = await place.open();
    await place.world.run(() => again.close());
  });

  test("a manifest that is there is not written over", async () => {
    const place = new Place(2);
    const manager = await place.open();
    await place.world.run(() => manager.close());
    const error = await place.rebuild().catch((error: unknown) => error);
    expect(isStorageError(error, "BOP_EXISTS")).toBe(true);
    const opened = await place.open();
    const owned = await place.rebuild(true).catch((error: unknown) => error);
    expect(isStorageError(owned, "BOP_LOCKED")).toBe(true);
    await place.world.run(() => opened.close());
  });

  test("a rebuild that is cut off by the power is begun anew", async () => {
    for (let tenths = 0; tenths < 40; tenths += 8) {
      const place = new Place(3);
      const model: Model = new Map();
      const manager = await place.open();
      await place.world.run(async () => {
        for (let at = 0; at < 12; at++) await step(manager, model, place.random);
        await manager.close();
      });
      place.lose();
      await place.rebuildCutOff(tenths / 2);
      await place.rebuild().catch((error: unknown) => {
        if (!isStorageError(error, "BOP_EXISTS")) throw error; // It had come to its end.
      });
      const again = await place.open();
      await place.world.run(async () => {
        await expectModel(again, model);
        await again.close();
      });
    }
  });

  test("a segment whose name only the page cache had is not missed after the power went", async () => {
    const place = new Place(5);
    const model: Model = new Map();
    const manager = await place.open();
    await place.world.run(async () => {
      for (let at = 0; at < 6; at++) await step(manager, model, place.random);
      await manager.close();
    });
    await place.world.run(async () => {
      const sequences = (await place.env.storage.list(`${STORE}/wal`)).flatMap(
        (name) => sequenceInName(name) ?? [],
      );
      const next = segmentFileName(segmentSequence(Math.max(...sequences) + 1));
      await (await place.env.storage.open(`${STORE}/wal/${next}`, "create")).close();
    });
    place.lose();
    await place.rebuild();
    place.world.powerCut();
    place.env = place.world.start();
    const again = await place.open();
    await place.world.run(async () => {
      await expectModel(again, model);
      await again.close();
    });
  });

  // evidence: G4
  test("a mirror that is behind the superblock, foreign or damaged is refused", async () => {
    const place = new Place(4);
    const model: Model = new Map();
    const path = `${STORE}/manifest.mirror`;
    const manager = await place.open();
    const old = await place.world.run(async () => {
      for (let at = 0; at < 6; at++) await step(manager, model, place.random);
      await manager.checkpoint();
      const old = await contentOf(place.env, path);
      for (let at = 0; at < 6; at++) await step(manager, model, place.random);
      await manager.close();
      return old;
    });
    const newest = await place.world.run(() => contentOf(place.env, path));
    place.lose();
    const attempt = async (bytes: Uint8Array) => {
      await place.world.run(() => replace(place.env, path, bytes));
      return String(await place.rebuild().catch((error: unknown) => error));
    };
    expect(await attempt(old)).toMatch(/older than the last checkpoint/);
    expect(await attempt(newest.subarray(0, 20))).toMatch(/header is damaged/);
    expect(await attempt(newest.subarray(0, 60))).toMatch(/is not whole/);
    await place.world.run(() => place.env.storage.unlink(path));
    expect(String(await place.rebuild().catch((e: unknown) => e))).toMatch(/there is none/);
    expect(await attempt(newest)).toBe("[object Object]");
  });
});

async function contentOf({ storage }: Env, path: string): Promise<Uint8Array> {
  const file = await storage.open(path, "read");
  const bytes = new Uint8Array(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

async function replace({ storage }: Env, path: string, bytes: Uint8Array): Promise<void> {
  await storage.unlink(path).catch(() => undefined);
  const file = await storage.open(path, "create");
  await file.write(bytes, 0);
  await file.sync();
  await file.close();
}

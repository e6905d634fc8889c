/** An iterator ends with the handle that it is of, and holds nothing from then on. */
import { describe, expect, test } from "vitest";
import type { Database } from "../../src/index.ts";
import { openDatabase, openStore } from "../support/store.ts";

const CLOSED = { code: "BOP_CLOSED" };

const filled = async () => fill(await openDatabase());

async function fill(db: Database) {
  await db.exec("create table t (id integer primary key); insert into t values (1), (2), (3)");
  const count = () => db.prepare("select count(*) from t").pluck<number>().get();
  return { db, count };
}

type Rows = AsyncIterableIterator<unknown>;

/** One that has begun, one that has not, and one that would write. */
async function iterators(on: { prepare: (sql: string) => { iterate: () => Rows } }) {
  const begun = on.prepare("select id from t order by id").iterate();
  expect(await begun.next()).toMatchObject({ done: false, value: { id: 1 } });
  const fresh = on.prepare("select id from t").iterate();
  const writing = on.prepare("insert into t default values returning id").iterate();
  return [begun, fresh, writing];
}

async function expectClosed(rows: readonly Rows[]): Promise<void> {
  for (const one of rows) {
    await expect(one.next()).rejects.toMatchObject(CLOSED);
  }
}

describe("iterators", () => {
  test.each(["immediate", "deferred", "read"] as const)(
    "of a transaction (%s) end with it, and what they would write is not written",
    async (mode) => {
      const { db, count } = await filled();
      const rows = await db.transaction((tx) => iterators(tx), { mode });
      await expectClosed(rows);
      expect(await count()).toBe(3);
    },
  );

  test("of a nested transaction end with it", async () => {
    const { db, count } = await filled();
    await db.transaction(async (tx) => {
      const rows = await tx.transaction((nested) => iterators(nested));
      await expectClosed(rows);
    });
    expect(await count()).toBe(3);
  });

  test("of a handle end with its close, and give back their moment at once", async () => {
    const manager = await openStore();
    const db = await manager.database("test");
    const { count } = await fill(await manager.database("test"));
    const rows = await iterators(db);
    const first = db.prepare("select id from t").iterate().next();
    const written = db.prepare("insert into t values (9) returning id").iterate().next();
    expect(manager.diagnostics().pages.oldestReader).toBeDefined();
    await db.close();
    expect(manager.diagnostics().pages.oldestReader).toBeUndefined();
    await expect(first).rejects.toMatchObject(CLOSED);
    expect(await written).toMatchObject({ value: { id: 9 } });
    await expectClosed(rows);
    expect(await rows[0]?.next()).toMatchObject({ done: true });
    expect(manager.diagnostics().pages.oldestReader).toBeUndefined();
    expect(await count()).toBe(4);
  });

  test.each(["", "begin"])("of a connection end with its close %s", async (before) => {
    const { db, count } = await filled();
    const connection = await db.connect();
    await connection.exec(before);
    const rows = await iterators(connection);
    await connection.close();
    await expectClosed(rows);
    expect(await count()).toBe(3);
  });
});

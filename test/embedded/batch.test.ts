import { describe, expect, test } from "vitest";
import { openStore } from "../support/store.ts";

const SCHEMA = `
  create table account (id integer primary key, balance integer not null check (balance >= 0));
  insert into account values (1, 100), (2, 0);
`;

async function bank() {
  const manager = await openStore();
  const db = await manager.database("bank");
  await db.exec(SCHEMA);
  const balances = () => db.prepare("select balance from account order by id").pluck().all();
  const pay = (from: number, to: number, amount: number) =>
    db.batch([
      { sql: "update account set balance = balance + ? where id = ?", parameters: [amount, to] },
      { sql: "update account set balance = balance - ? where id = ?", parameters: [amount, from] },
    ]);
  return { manager, db, balances, pay };
}

describe("a batch", () => {
  test("gives the answer of every statement", async () => {
    const { db } = await bank();
    const [added, found] = await db.batch(
      [
        { sql: "insert into account values ($id, 7)", parameters: { id: 3 } },
        "select * from account where id = 3",
      ],
      { integers: "number" },
    );
    expect(added).toMatchObject({ changes: 1, lastInsertRowid: 3n });
    expect(found?.rows).toEqual([[3, 7]]);
    expect(await db.batch([])).toEqual([]);
  });

  // evidence: G7
  test("that fails leaves nothing of itself, says where, and its neighbours stay", async () => {
    const { balances, pay } = await bank();
    const settled = await Promise.allSettled([pay(1, 2, 60), pay(1, 2, 60), pay(2, 1, 10)]);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(settled[1]).toMatchObject({
      reason: { sqliteCode: "SQLITE_CONSTRAINT_CHECK", statementIndex: 1 },
    });
    expect(await balances()).toEqual([50, 50]);
  });

  test("shares commits with the batches and statements that wait with it", async () => {
    const { manager, db, balances, pay } = await bank();
    const before = manager.diagnostics().log.commits;
    const each = Array.from({ length: 50 }, () => [
      pay(1, 2, 1),
      db.prepare("update account set balance = balance + 1 where id = 1").run(),
    ]);
    await Promise.all(each.flat());
    expect(manager.diagnostics().log.commits - before).toBeLessThan(10);
    expect(await balances()).toEqual([100, 50]);
  });

  test("creates what its later statements use", async () => {
    const { db } = await bank();
    await db.batch(["create table note (body text)", "insert into note values ('hello')"]);
    expect(await db.prepare("select body from note").pluck().get()).toBe("hello");
  });

  test("that leaves a foreign key violated is refused whole", async () => {
    const { db } = await bank();
    await db.exec(
      "create table entry (account integer references account (id) deferrable initially deferred)",
    );
    const entry = "insert into entry values (9)";
    await expect(db.batch([entry])).rejects.toMatchObject({
      sqliteCode: "SQLITE_CONSTRAINT_FOREIGNKEY",
    });
    await db.batch([entry, "insert into account values (9, 0)"]);
    expect(await db.prepare("select count(*) from entry").pluck().get()).toBe(1);
  });

  test("may not steer the transaction that it is", async () => {
    const { db, balances } = await bank();
    const emptied = "update account set balance = 0";
    await expect(db.batch([emptied, "commit"])).rejects.toThrow(/a transaction of its own/);
    await expect(db.batch([emptied, "create temp table t (x)"])).rejects.toThrow(TypeError);
    expect(await balances()).toEqual([100, 0]);
    await expect(db.batch("update account" as never)).rejects.toThrow(/want an array/);
    await expect(db.batch([{ text: "select 1" } as never])).rejects.toThrow(/statement 0/);
    await expect(db.batch([], { row: true } as never)).rejects.toThrow(/unknown option "row"/);
  });

  test("that runs out of its time leaves nothing of itself", async () => {
    const { db, balances } = await bank();
    const endless = `with recursive n (i) as (select 1 union all select i + 1 from n)
      select count(*) from n`;
    const batch = db.batch(["update account set balance = 0", endless], { timeoutMs: 50 });
    await expect(batch).rejects.toMatchObject({ code: "BOP_TIMEOUT" });
    expect(await balances()).toEqual([100, 0]);
  });
});

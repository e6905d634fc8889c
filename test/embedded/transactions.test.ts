import { describe, expect, test } from "vitest";
import { openDatabase } from "../support/store.ts";

async function counter(engine: "sqlite" | "libsql" = "sqlite") {
  const db = await openDatabase({ engine });
  await db.exec("create table t (id integer primary key, v integer)");
  const count = async () => (await db.prepare("select count(*) as n from t").get())?.n;
  return { db, count };
}

describe.each(["sqlite", "libsql"] as const)("transactions of %s", (engine) => {
  test("a transaction commits when its function returns and rolls back when it throws", async () => {
    const { db, count } = await counter(engine);
    const result = await db.transaction(async (tx) => {
      await tx.prepare("insert into t (v) values (?)").run(1);
      await tx.exec("insert into t (v) values (2)");
      return "done";
    });
    expect(result).toBe("done");
    expect(await count()).toBe(2);
    const failure = new Error("mine");
    await expect(
      db.transaction(async (tx) => {
        await tx.exec("delete from t");
        throw failure;
      }),
    ).rejects.toBe(failure);
    expect(await count()).toBe(2);
  });

  test("a nested transaction is a savepoint: it is undone alone", async () => {
    const { db, count } = await counter(engine);
    await db.transaction(async (tx) => {
      await tx.exec("insert into t (v) values (1)");
      await expect(
        tx.transaction(async (inner) => {
          await inner.exec("insert into t (v) values (2)");
          await expect(tx.exec("select 1")).rejects.toThrow(/nested transaction is open/);
          throw new Error("only me");
        }),
      ).rejects.toThrow("only me");
      await tx.transaction((inner) => inner.exec("insert into t (v) values (3)"));
    });
    expect(await count()).toBe(2);
  });

  test("others do not see a transaction before it commits, and wait for it to write", async () => {
    const { db, count } = await counter(engine);
    const order: string[] = [];
    let other: Promise<unknown> = Promise.resolve();
    await db.transaction(async (tx) => {
      await tx.exec("insert into t (v) values (1)");
      other = db
        .prepare("insert into t (v) values (2)")
        .run()
        .then(() => order.push("other"));
      expect(await count()).toBe(0);
      await new Promise((resolve) => setImmediate(resolve));
      order.push("transaction");
    });
    await other;
    expect(order).toEqual(["transaction", "other"]);
    expect(await count()).toBe(2);
  });
});

describe("transactions", () => {
  // evidence: G6
  test("a read transaction sees one moment and refuses to write", async () => {
    const { db, count } = await counter();
    await db.exec("insert into t (v) values (1)");
    await db.transaction(
      async (tx) => {
        const select = tx.prepare("select count(*) as n from t");
        expect(await select.get()).toEqual({ n: 1 });
        await db.exec("insert into t (v) values (2)");
        expect(await select.get()).toEqual({ n: 1 });
        await expect(tx.exec("delete from t")).rejects.toMatchObject({
          sqliteCode: "SQLITE_READONLY",
        });
        await expect(tx.prepare("delete from t").run()).rejects.toMatchObject({
          sqliteCode: "SQLITE_READONLY",
        });
      },
      { mode: "read" },
    );
    expect(await count()).toBe(2);
  });

  // evidence: G6
  test("a deferred transaction that read before somebody wrote is refused as stale", async () => {
    const { db, count } = await counter();
    await expect(
      db.transaction(
        async (tx) => {
          await tx.prepare("select * from t").all();
          await db.exec("insert into t (v) values (1)");
          await tx.exec("insert into t (v) values (2)");
        },
        { mode: "deferred" },
      ),
    ).rejects.toMatchObject({ sqliteCode: "SQLITE_BUSY_SNAPSHOT", retryable: true });
    expect(await count()).toBe(1);
  });

  test("one that dawdles is rolled back with the reason, and those behind it go on", async () => {
    const { db, count } = await counter();
    let late: Promise<void> | undefined;
    const slow = db.transaction(
      async (tx) => {
        await tx.exec("insert into t (v) values (1)");
        await new Promise((resolve) => {
          late = new Promise<void>((settle) => {
            setTimeout(() => {
              resolve(undefined);
              tx.exec("insert into t (v) values (2)").then(
                () => settle(Promise.reject(new Error("it ran"))),
                () => settle(),
              );
            }, 60);
          });
        });
      },
      { timeoutMs: 20 },
    );
    await expect(slow).rejects.toMatchObject({ code: "BOP_TIMEOUT", retryable: true });
    await db.exec("insert into t (v) values (3)");
    await late;
    expect(await count()).toBe(1);
  });

  test("an aborted one is rolled back with the caller's reason", async () => {
    const { db, count } = await counter();
    const abort = new AbortController();
    const reason = new Error("changed my mind");
    const running = db.transaction(
      async (tx) => {
        await tx.exec("insert into t (v) values (1)");
        abort.abort(reason);
        await new Promise((resolve) => setImmediate(resolve));
        await tx.exec("insert into t (v) values (2)");
      },
      { signal: abort.signal },
    );
    await expect(running).rejects.toBe(reason);
    expect(await count()).toBe(0);
  });

  test("a handle that outlived its transaction refuses every call", async () => {
    const { db } = await counter();
    const kept = await db.transaction((tx) => tx);
    await expect(kept.exec("select 1")).rejects.toMatchObject({ code: "BOP_CLOSED" });
    await expect(kept.prepare("select 1").get()).rejects.toMatchObject({ code: "BOP_CLOSED" });
  });

  test("COMMIT inside of a transaction, and BEGIN on a database, are refused with what to use", async () => {
    const { db, count } = await counter();
    await expect(
      db.transaction(async (tx) => {
        await tx.exec("insert into t (v) values (1)");
        await tx.prepare("commit").run();
      }),
    ).rejects.toThrow(/ends when its function returns/);
    for (const rest of ["commit", "commit; begin", "rollback", "savepoint s", "begin"]) {
      const inside = db.transaction(async (tx) => {
        const script = tx.exec(`insert into t (v) values (1); ${rest}`);
        await expect(script).rejects.toThrow(TypeError);
        await expect(tx.exec("end")).rejects.toThrow(/ends when its function returns/);
        expect(await tx.prepare("select count(*) from t").pluck().get()).toBe(1);
        throw new Error("mine");
      });
      await expect(inside).rejects.toThrow("mine");
      expect(await count()).toBe(0);
    }
    await expect(db.exec("begin")).rejects.toThrow(/database\.connect\(\)/);
    await expect(db.prepare("begin").run()).rejects.toThrow(/database\.transaction\(fn\)/);
    await expect(db.exec("create temp table x (y)")).rejects.toThrow(/database\.connect\(\)/);
    await db.exec("begin; insert into t (v) values (5); commit");
    expect(await count()).toBe(1);
  });

  test("those that may see what is only committed run one behind the other all the same", async () => {
    const db = await openDatabase();
    await db.exec("create table t (n integer not null); insert into t values (0)");
    const add = async () =>
      db.transaction(
        async (tx) => {
          const n = await tx.prepare("select n from t").pluck<number>().get();
          await tx.prepare("update t set n = ?").run((n ?? 0) + 1);
          return n;
        },
        { reveal: "committed" },
      );
    const seen = await Promise.all(Array.from({ length: 40 }, add));
    expect(seen.toSorted((a, b) => (a ?? 0) - (b ?? 0))).toEqual(seen.map((_, index) => index));
    const lost = db.transaction(
      () => {
        throw new Error("changed my mind");
      },
      { reveal: "committed" },
    );
    await expect(lost).rejects.toThrow("changed my mind");
    const wrong = { reveal: "nothing" } as never;
    await expect(db.transaction(() => 1, wrong)).rejects.toThrow(/want durable, committed/);
  });

  // evidence: G3
  test.each(["immediate", "deferred"] as const)(
    "one that SQLite rolls back by itself (%s) is lost, and the one behind it is whole",
    async (mode) => {
      const { db } = await counter();
      await db.exec("insert into t values (1, 0)");
      const refusals: unknown[] = [];
      const lost = db.transaction(
        async (tx) => {
          await tx.exec("insert into t values (2, 0)");
          await tx.exec("insert or rollback into t values (1, 0)").catch(() => undefined);
          await tx.exec("insert into t values (3, 0)").catch((error) => refusals.push(error));
          const nested = tx.transaction((inner) => inner.exec("insert into t values (4, 0)"));
          await nested.catch((error) => refusals.push(error));
        },
        { mode },
      );
      const behind = db.transaction(async (tx) => {
        await tx.exec("insert into t values (5, 0)");
        await tx.exec("insert into t values (6, 0)");
      });
      await expect(lost).rejects.toMatchObject({
        sqliteCode: expect.stringMatching(/^SQLITE_CONSTRAINT/),
      });
      await behind;
      expect(refusals).toHaveLength(2);
      const ids = await db.prepare("select id from t order by id").pluck().all();
      expect(ids).toEqual([1, 5, 6]);
    },
  );

  test("a misspelt option is refused by name", async () => {
    const { db } = await counter();
    await expect(db.transaction(() => {}, { timeout: 5 } as never)).rejects.toThrow(
      /unknown option "timeout"/,
    );
  });
});

describe("connections", () => {
  test("a connection begins and ends transactions of its own, and keeps temp tables", async () => {
    const { db, count } = await counter();
    const connection = await db.connect();
    await connection.exec("begin immediate");
    expect(connection.inTransaction).toBe(true);
    await connection.exec("insert into t (v) values (1)");
    expect(await count()).toBe(0);
    await connection.exec("commit");
    expect(connection.inTransaction).toBe(false);
    expect(await count()).toBe(1);
    await connection.exec("create temp table mine (x)");
    await connection.prepare("insert into mine values (?)").run(7);
    expect(await connection.prepare("select x from mine").pluck().get()).toBe(7);
    await expect(db.prepare("select * from mine").all()).rejects.toThrow(/no such table/);
    await connection.close();
    await connection.close();
    await expect(connection.exec("select 1")).rejects.toMatchObject({ code: "BOP_CLOSED" });
  });

  test("closing a connection in a transaction rolls it back and lets others write", async () => {
    const { db, count } = await counter();
    const connection = await db.connect();
    await connection.exec("begin immediate; insert into t (v) values (1)");
    const waiting = db.exec("insert into t (v) values (2)");
    await connection.close();
    await waiting;
    expect(await count()).toBe(1);
  });

  test.each([
    ["returns", "BOP_CLOSED"],
    ["throws", "mine"],
  ])(
    "a connection that is closed before its function %s leaves the next one alone",
    async (end, heard) => {
      const { db, count } = await counter();
      const own = await db.connect();
      let goOn = (): void => {};
      let running: Promise<unknown> | undefined;
      await new Promise<void>((begun) => {
        running = own.transaction(async (tx) => {
          await tx.exec("insert into t (v) values (1)");
          begun();
          await new Promise<void>((resolve) => {
            goOn = resolve;
          });
          if (end === "throws") throw new Error("mine");
        });
      });
      await own.close();
      const next = await db.connect();
      await next.exec("begin; insert into t (v) values (2)");
      goOn();
      expect(await running?.catch((error) => error.code ?? error.message)).toBe(heard);
      expect(own.inTransaction).toBe(false);
      expect(next.inTransaction).toBe(true);
      await next.exec("rollback");
      expect(await count()).toBe(0);
    },
  );

  test("a transaction that was aborted while its connection waited for the writer does not run", async () => {
    const { db } = await counter();
    const [first, second] = [await db.connect(), await db.connect()];
    await first.exec("begin immediate");
    const controller = new AbortController();
    const { signal } = controller;
    let ran = false;
    const waiting = second.transaction(
      () => {
        ran = true;
      },
      { signal },
    );
    await new Promise((resolve) => setImmediate(resolve)); // By now it waits.
    controller.abort(new Error("enough"));
    await first.exec("commit");
    await expect(waiting).rejects.toThrow("enough");
    expect([ran, second.inTransaction]).toEqual([false, false]);
  });

  test("counters are those of the session, whoever wrote in between", async () => {
    const { db } = await counter();
    const a = await db.connect();
    const b = await db.connect();
    await a.prepare("insert into t (id, v) values (100, 1), (101, 1)").run();
    await b.prepare("insert into t (id, v) values (500, 1)").run();
    const counters = "select last_insert_rowid() as r, changes() as c, total_changes() as t";
    expect(await a.prepare(counters).get()).toEqual({ r: 101, c: 2, t: 2 });
    expect(await b.prepare(counters).get()).toEqual({ r: 500, c: 1, t: 1 });
    await a.prepare("insert into t (v) values (last_insert_rowid())").run();
    expect(await db.prepare("select v from t where id = 501").get()).toEqual({ v: 101 });
    await a.close();
    await b.close();
  });
});

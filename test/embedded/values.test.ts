import { describe, expect, test } from "vitest";
import { openDatabase } from "../support/store.ts";

describe.each(["sqlite", "libsql"] as const)("values through the embedded API of %s", (engine) => {
  test("every type of SQLite comes back as it was bound", async () => {
    const db = await openDatabase({ engine });
    await db.exec("create table t (id integer primary key, v)");
    const values = [
      null,
      0,
      -1,
      1.5,
      -0.1e-300,
      Number.MAX_SAFE_INTEGER,
      "",
      "grüße 🦊 \u0000 end",
      new Uint8Array(0),
      new Uint8Array([0, 255, 1]),
    ];
    const insert = db.prepare("insert into t (v) values (?)");
    for (const value of values) await insert.run(value);
    const rows = await db.prepare("select v from t order by id").pluck().all();
    expect(rows).toEqual(values);
    const types = await db.prepare("select typeof(v) from t order by id").pluck().all();
    expect(types).toEqual([
      "null",
      "integer",
      "integer",
      "real",
      "real",
      "integer",
      "text",
      "text",
      "blob",
      "blob",
    ]);
  });

  test("an integer beyond 2^53 is exact as bigint and string, and refused as number", async () => {
    const db = await openDatabase({ engine });
    const big = 2n ** 63n - 1n;
    const select = db.prepare("select ? as v");
    await expect(select.get(big)).rejects.toThrow(RangeError);
    expect(await select.integers("bigint").get(big)).toEqual({ v: big });
    expect(await select.integers("string").get(big)).toEqual({ v: String(big) });
    expect(await select.integers("bigint").get(-(2n ** 63n))).toEqual({ v: -(2n ** 63n) });
    expect(await select.get(2n ** 53n - 1n)).toEqual({ v: Number.MAX_SAFE_INTEGER });
    await expect(select.get(2n ** 63n)).rejects.toThrow(RangeError);
  });

  // evidence: G10
  test("a write whose rows cannot be taken is refused, and has changed nothing", async () => {
    const db = await openDatabase({ engine });
    await db.exec("create table t (id integer primary key, v)");
    const count = () => db.prepare("select count(*) from t").pluck<number>().get();
    const text = "insert into t (v) values (?) returning v";
    const [big, insert] = [2n ** 60n, db.prepare(text)];
    await expect(insert.get(big)).rejects.toThrow(RangeError);
    expect(await count()).toBe(0);

    const together = [
      db.prepare("insert into t (v) values ('before')").run(),
      insert.all(big).catch((error: unknown) => error),
      insert.pluck().get("after"),
    ];
    const [, refused, after] = await Promise.all(together);
    expect(refused).toBeInstanceOf(RangeError);
    expect(after).toBe("after");
    expect(await count()).toBe(2);

    const connection = await db.connect();
    await connection.exec("create temp table mine (a)"); // Gives it a seat of its own.
    await expect(connection.prepare(text).all(big)).rejects.toThrow(RangeError);
    await expect(connection.prepare("delete from t returning ?").get(big)).rejects.toThrow();
    const counters = connection.prepare("select total_changes() as t");
    expect(await counters.get()).toEqual({ t: 0 });
    await connection.prepare(text).get(1);
    await connection.close();
    expect(await count()).toBe(3);

    if (engine === "libsql") await expect(insert.expand().all(1)).rejects.toThrow(/expand/);
    const mine = db.prepare("insert into t (v) values (changes()) returning ?"); // Shares with nobody.
    await expect(mine.get(big)).rejects.toThrow(RangeError);
    expect(await count()).toBe(3);
    expect(await insert.integers("bigint").get(big)).toEqual({ v: big });
  });

  test("parameters are bound by position or by name, and a wrong one is refused by name", async () => {
    const db = await openDatabase({ engine });
    expect(await db.prepare("select ?2 || ?1 as v").get("a", "b")).toEqual({ v: "ba" });
    expect(await db.prepare("select :x + @y + $z as v").get({ x: 1, y: 2, z: 3 })).toEqual({
      v: 6,
    });
    expect(await db.prepare("select :x as v").get({ ":x": true })).toEqual({ v: 1 });
    await expect(db.prepare("select :x as v").get({ y: 1 })).rejects.toThrow(/\by\b|\bx\b/);
    await expect(db.prepare("select ? as v").get()).rejects.toThrow(RangeError);
    await expect(db.prepare("select ? as v").get(1, 2)).rejects.toThrow(RangeError);
    await expect(db.prepare("select ? as v").get(undefined as never)).rejects.toThrow(TypeError);
  });

  test("rows come as objects, arrays, first values, or by table", async () => {
    const db = await openDatabase({ engine });
    await db.exec(`
      create table a (id integer primary key, name text);
      create table b (id integer primary key, a_id integer);
      insert into a values (1, 'one');
      insert into b values (7, 1);
    `);
    const join = db.prepare("select a.*, b.*, 1 + 1 as two from a join b on b.a_id = a.id");
    expect(await join.raw().get()).toEqual([1, "one", 7, 1, 2]);
    expect(await join.pluck().get()).toBe(1);
    // libSQL's build is without SQLITE_ENABLE_COLUMN_METADATA and declared types.
    const tellsTables = engine === "sqlite";
    if (!tellsTables) {
      await expect(join.expand().get()).rejects.toThrow(/expand is not available/);
    } else {
      expect(await join.expand().get()).toEqual({
        a: { id: 1, name: "one" },
        b: { id: 7, a_id: 1 },
        $: { two: 2 },
      });
    }
    const columns = await db.prepare("select id, name, 1 as x from a").columns();
    expect(columns.map(({ name, declaredType }) => [name, declaredType])).toEqual([
      ["id", tellsTables ? "INTEGER" : undefined],
      ["name", tellsTables ? "TEXT" : undefined],
      ["x", undefined],
    ]);
  });

  test("a statement tells what it changed and where it was committed", async () => {
    const db = await openDatabase({ engine });
    await db.exec("create table t (id integer primary key, v)");
    const first = await db.prepare("insert into t (v) values (1), (2)").run();
    expect(first).toMatchObject({ changes: 2, lastInsertRowid: 2 });
    const second = await db.prepare("update t set v = v + 1").run();
    expect(second).toMatchObject({ changes: 2, lastInsertRowid: 2 });
    expect(second.lsn).toBeGreaterThan(first.lsn);
    const returned = await db.prepare("delete from t where v = ? returning id").all(3);
    expect(returned).toEqual([{ id: 2 }]);
    expect(await db.prepare("select changes() as c, last_insert_rowid() as r").get()).toEqual({
      c: 1,
      r: 2,
    });
  });

  test("iterate gives the rows of one moment, also while others write, and can be left early", async () => {
    const db = await openDatabase({ engine });
    await db.exec("create table t (id integer primary key)");
    await db.exec(`insert into t with recursive n(i) as (
      select 1 union all select i + 1 from n where i < 100) select i from n`);
    let count = 0;
    for await (const _row of db.prepare("select id from t").iterate()) {
      count++;
      if (count === 50) await db.exec("delete from t");
    }
    expect(count).toBe(100);
    for await (const _row of db.prepare("select 1 union all select 2").iterate()) break;
    expect(await db.prepare("select count(*) as n from t").get()).toEqual({ n: 0 });
  });

  test("SQL errors say what SQLite says, with its extended code and where", async () => {
    const db = await openDatabase({ engine });
    await db.exec("create table t (id integer primary key, v text unique not null)");
    await db.prepare("insert into t (v) values (?)").run("a");
    await expect(db.prepare("insert into t (v) values (?)").run("a")).rejects.toMatchObject({
      name: "SqliteError",
      code: "BOP_SQLITE",
      sqliteCode: "SQLITE_CONSTRAINT_UNIQUE",
    });
    await expect(db.prepare("insert into t (v) values (null)").run()).rejects.toMatchObject({
      sqliteCode: "SQLITE_CONSTRAINT_NOTNULL",
    });
    await expect(db.prepare("select nope from t").all()).rejects.toMatchObject({
      sqliteCode: "SQLITE_ERROR",
      sqlOffset: 7,
    });
    await expect(db.prepare("select 1; select 2").all()).rejects.toThrow(/more than one statement/);
    await expect(db.prepare(" -- nothing").all()).rejects.toThrow(/no statement/);
  });
});

/** What a statement says of its columns, when somebody else has changed the tables since it was compiled. */
import { describe, expect, test } from "vitest";
import type { Queryable } from "../../src/index.ts";
import { openDatabase } from "../support/store.ts";

const ALL = "select * from t";
const NONE = "select * from t where a > 9";

const names = (columns: readonly { readonly name: string }[]) => columns.map(({ name }) => name);

/** Columns and rows of an answer. */
async function shown(on: Pick<Queryable, "execute">, sql = ALL) {
  const { columns, rows } = await on.execute(sql);
  return { columns: names(columns), rows };
}

async function described(on: Pick<Queryable, "describe" | "prepare">, sql = ALL) {
  const { columns } = await on.describe(sql);
  expect(names(await on.prepare(sql).columns())).toEqual(names(columns));
  return names(columns);
}

describe.each(["sqlite", "libsql"] as const)("columns of %s", (engine) => {
  const begin = async () => {
    const db = await openDatabase({ engine });
    await db.exec("create table t (a); insert into t values (1)");
    return db;
  };

  test("belong to the rows, whichever connection has changed the table", async () => {
    const db = await begin();
    expect(await shown(db)).toEqual({ columns: ["a"], rows: [[1n]] });
    const connection = await db.connect();
    await connection.exec("alter table t add column b");
    expect(await shown(db)).toEqual({ columns: ["a", "b"], rows: [[1n, null]] });
    await connection.exec("drop table t; create table t (b, a); insert into t values (2, 3)");
    expect(await shown(db)).toEqual({ columns: ["b", "a"], rows: [[2n, 3n]] });
    await db.exec("alter table t drop column b");
    expect(await shown(connection)).toEqual({ columns: ["a"], rows: [[3n]] });
    await connection.close();
  });

  test("are right where there are no rows, the first time and from then on", async () => {
    const db = await begin();
    const connection = await db.connect();
    await connection.exec("alter table t add column b");
    for (let times = 0; times < 2; times++) {
      expect(await shown(db, NONE)).toEqual({ columns: ["a", "b"], rows: [] });
    }
    await connection.close();
  });

  test("are right of what a batch gives back from a table that another connection has changed", async () => {
    const db = await begin();
    const connection = await db.connect();
    await connection.exec("alter table t add column b default 7");
    const [added] = await db.batch(["insert into t (a) values (2) returning *"]);
    expect(names(added?.columns ?? [])).toEqual(["a", "b"]);
    expect(added?.rows).toEqual([[2n, 7n]]);
    await connection.close();
  });

  test("belong to the rows of a read beside a transaction, behind a change of the table", async () => {
    const db = await begin();
    const beside = async () => {
      const seen: unknown[] = [];
      await db
        .transaction(async (tx) => {
          await tx.exec("insert into t (a) values (0)");
          // The second read of a moment keeps it for the next one.
          for (let times = 0; times < 2; times++) seen.push(await shown(db), await described(db));
          throw new Error("undone");
        })
        .catch(() => undefined);
      return seen;
    };
    const before = { columns: ["a"], rows: [[1n]] };
    expect(await beside()).toEqual([before, ["a"], before, ["a"]]);
    await db.exec("alter table t add column b");
    const after = { columns: ["a", "b"], rows: [[1n, null]] };
    expect(await beside()).toEqual([after, ["a", "b"], after, ["a", "b"]]);
  });

  test("belong to the rows of a connection that takes over from one that is closed", async () => {
    const db = await begin();
    const first = await db.connect();
    await first.exec("begin");
    expect((await shown(first)).columns).toEqual(["a"]);
    await first.exec("commit");
    await first.close();
    await db.exec("alter table t add column b");
    const second = await db.connect();
    await second.exec("begin");
    expect(await shown(second)).toEqual({ columns: ["a", "b"], rows: [[1n, null]] });
    await second.exec("commit");
    await second.close();
  });

  test("are described as the table is now, whoever has changed it", async () => {
    const db = await begin();
    expect(await described(db)).toEqual(["a"]);
    const connection = await db.connect();
    await connection.exec("alter table t add column b");
    expect(await described(db)).toEqual(["a", "b"]);
    await db.exec("alter table t add column c");
    expect(await described(connection)).toEqual(["a", "b", "c"]);
    await db.exec("alter table t drop column b");
    await shown(connection); // Its connection knows of the change now, from something else.
    expect(await described(connection)).toEqual(["a", "c"]);
    await connection.close();
  });

  test("of a table that was just created are described, also beside a transaction", async () => {
    const db = await begin();
    const inTransaction = (work: () => Promise<void>) =>
      db.transaction(async (tx) => {
        await tx.exec("insert into t (a) values (0)");
        await work();
      });
    await inTransaction(async () => {
      for (let times = 0; times < 3; times++) await shown(db);
    });
    await db.exec("create table made (x, y)");
    await inTransaction(async () => {
      expect(await described(db, "select y from made")).toEqual(["y"]);
    });
    await expect(db.describe("select z from made")).rejects.toMatchObject({ code: "BOP_SQLITE" });
  });

  test("are described without a look that a transaction would be bound to", async () => {
    const db = await begin();
    const connection = await db.connect();
    await connection.exec("begin");
    expect(await described(connection)).toEqual(["a"]);
    await db.exec("alter table t add column b; insert into t values (2, 2)");
    expect(await described(connection)).toEqual(["a", "b"]);
    await connection.exec("insert into t values (3, 3)");
    await connection.exec("commit");
    expect((await shown(db)).rows).toHaveLength(3);
    await connection.close();
  });

  test("are described as an open transaction has them, which sees one moment", async () => {
    const db = await begin();
    await db.transaction(
      async (tx) => {
        await tx.prepare(ALL).all();
        await db.exec("alter table t add column b");
        expect(await described(tx)).toEqual(["a"]);
        expect(await shown(tx)).toEqual({ columns: ["a"], rows: [[1n]] });
      },
      { mode: "read" },
    );
    await db.transaction(async (tx) => {
      await tx.exec("alter table t add column c");
      expect(await described(tx)).toEqual(["a", "b", "c"]);
    });
  });
});

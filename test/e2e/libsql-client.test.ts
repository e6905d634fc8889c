/** The interface of @libsql/client: the published client against our server, and ours embedded. */
import type { Client } from "@libsql/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CLIENTS, openTestStore, type TestStore } from "./harness.ts";

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

let databaseCount = 0;

describe.each(CLIENTS)("$name", ({ create }) => {
  let client: Client;
  let database: string;
  beforeEach(async () => {
    databaseCount++;
    database = `db-${databaseCount}`;
    client = create(store, database);
    await client.execute("create table note (id integer primary key, body text unique)");
  });
  afterEach(() => client.close());

  const bodies = async () =>
    (await client.execute("select body from note order by id")).rows.map(({ body }) => body);

  describe("execute", () => {
    test("a value of every type comes back as it went in", async () => {
      const bytes = new Uint8Array([0, 1, 254, 255]);
      const { rows } = await client.execute({
        sql: "select ? as n, ? as i, ? as f, ? as t, ? as b, ? as yes, ? as empty",
        args: [null, 42n, 1.5, "größe 🦊", bytes, true, new Uint8Array(0)],
      });
      expect(rows[0]).toMatchObject({ n: null, i: 42, f: 1.5, t: "größe 🦊", yes: 1 });
      expect(new Uint8Array(rows[0]?.b as ArrayBuffer)).toEqual(bytes);
      expect(rows[0]?.empty).toEqual(new ArrayBuffer(0));
    });

    test("a number binds as a real and a bigint as an integer, as other clients do it", async () => {
      const { rows } = await client.execute("select typeof(?) as n, typeof(?) as i", [1, 1n]);
      expect(rows).toEqual([{ n: "real", i: "integer" }]);
    });

    test("an argument may be an ArrayBuffer or a date", async () => {
      const date = new Date("2026-11-22T12:00:00Z");
      const args = [new Uint8Array([7]).buffer, date];
      const { rows } = await client.execute({ sql: "select hex(?) as h, ? as d", args });
      expect(rows[0]).toMatchObject({ h: "07", d: date.valueOf() });
    });

    test("arguments go by position or by name, with or without the prefix", async () => {
      const positional = await client.execute("select ?2 || ?1 as t", ["b", "a"]);
      expect(positional.rows[0]?.t).toBe("ab");
      const args = { a: "1", ":b": "2", $c: "3" };
      const named = await client.execute({ sql: "select @a || :b || $c as t", args });
      expect(named.rows[0]?.t).toBe("123");
    });

    test("a row has its values by name and by index, and its length", async () => {
      const { rows, columns, columnTypes } = await client.execute("select 7 as a, body from note");
      expect([columns, columnTypes, rows]).toEqual([["a", "body"], ["", "TEXT"], []]);
      const [row] = (await client.execute("select 7 as a, 'x' as b, 8 as a")).rows;
      expect(row).toEqual({ a: 7, b: "x" });
      expect([row?.[0], row?.[1], row?.[2], row?.length]).toEqual([7, "x", 8, 3]);
      expect(Array.prototype.slice.call(row)).toEqual([7, "x", 8]);
    });

    test("an insert says how many rows it made and the last one's id", async () => {
      const sql = "insert into note (id, body) values (10, 'a'), (20, 'b')";
      const { rowsAffected, lastInsertRowid } = await client.execute(sql);
      expect({ rowsAffected, lastInsertRowid }).toEqual({ rowsAffected: 2, lastInsertRowid: 20n });
    });

    test("a result turns into JSON", async () => {
      const { toJSON, ...result } = await client.execute("insert into note (id) values (1)");
      expect(toJSON.call(result)).toEqual({
        columns: [],
        columnTypes: [],
        rows: [],
        rowsAffected: 1,
        lastInsertRowid: "1",
      });
    });

    test("returning gives the rows that were written", async () => {
      const { rows } = await client.execute("insert into note (body) values ('a') returning id");
      expect(rows).toEqual([{ id: 1 }]);
      expect(await bodies()).toEqual(["a"]);
    });

    test("a row of a megabyte and a text of many lengths come through whole", async () => {
      const text = "0123456789abcdef".repeat(65_536);
      const { rows } = await client.execute("select ? as t, length(?) as n", [text, text]);
      expect(rows[0]?.n).toBe(text.length);
      expect(rows[0]?.t === text).toBe(true);
    });
  });

  describe("integers", () => {
    const huge = "select 9223372036854775807 as i";

    test("as numbers, one beyond 2^53 is refused rather than rounded", async () => {
      await expect(client.execute(huge)).rejects.toThrow(RangeError);
      const { rows } = await client.execute("select 9007199254740991 as i");
      expect(rows[0]?.i).toBe(Number.MAX_SAFE_INTEGER);
    });

    test("as bigints and as strings they are exact", async () => {
      for (const [mode, value] of [
        ["bigint", 2n ** 63n - 1n],
        ["string", "9223372036854775807"],
      ] as const) {
        const exact = create(store, database, mode);
        expect((await exact.execute(huge)).rows[0]?.i).toBe(value);
        exact.close();
      }
    });
  });

  describe("errors", () => {
    test("a constraint has its code and its text", async () => {
      await client.execute("insert into note (body) values ('a')");
      await expect(client.execute("insert into note (body) values ('a')")).rejects.toMatchObject({
        name: "LibsqlError",
        code: "SQLITE_CONSTRAINT",
        message: expect.stringContaining("UNIQUE constraint failed: note.body"),
      });
    });

    test("a text that does not compile is SQLITE_ERROR", async () => {
      const error = { code: "SQLITE_ERROR", message: expect.stringContaining("syntax error") };
      await expect(client.execute("selec 1")).rejects.toMatchObject(error);
    });

    test.each(["", "-- nothing", "select 1; select 2"])("%j is not one statement", async (sql) => {
      await expect(client.execute(sql)).rejects.toThrow(/statement/);
    });

    test("too few arguments are refused", async () => {
      await expect(client.execute("select ?, ?", [1])).rejects.toThrow();
    });

    test("the client goes on after an error", async () => {
      await expect(client.execute("selec 1")).rejects.toThrow();
      expect((await client.execute("select 1 as one")).rows).toEqual([{ one: 1 }]);
    });
  });

  describe("batch", () => {
    test("statements of every form run in order, in one transaction", async () => {
      const results = await client.batch(
        [
          "insert into note (body) values ('a')",
          ["insert into note (body) values (?)", ["b"]],
          { sql: "insert into note (body) values (:c)", args: { c: "c" } },
          "select count(*) as n from note",
        ],
        "write",
      );
      expect(results.map(({ rowsAffected }) => rowsAffected).slice(0, 3)).toEqual([1, 1, 1]);
      expect(results[3]?.rows).toEqual([{ n: 3 }]);
    });

    test.each(["write", "deferred"] as const)(
      "in mode %s, one statement that fails undoes them all and says which it was",
      async (mode) => {
        const statements = [
          "insert into note (body) values ('a')",
          "insert into note (body) values ('a')",
          "insert into note (body) values ('b')",
        ];
        await expect(client.batch(statements, mode)).rejects.toMatchObject({
          name: "LibsqlBatchError",
          code: "SQLITE_CONSTRAINT",
          statementIndex: 1,
        });
        expect(await bodies()).toEqual([]);
      },
    );

    test("in mode read it reads, and a write is refused", async () => {
      const [result] = await client.batch(["select count(*) as n from note"], "read");
      expect(result?.rows).toEqual([{ n: 0 }]);
      const writing = client.batch(["insert into note (body) values ('a')"], "read");
      await expect(writing).rejects.toMatchObject({ code: "SQLITE_READONLY" });
      expect(await bodies()).toEqual([]);
    });

    test("five hundred inserts of one text are one batch", async () => {
      const sql = "insert into note (body) values (?)";
      await client.batch(
        Array.from({ length: 500 }, (_, i) => ({ sql, args: [`n${i}`] })),
        "write",
      );
      expect((await client.execute("select count(*) as n from note")).rows).toEqual([{ n: 500 }]);
    });

    test("an empty batch does nothing", async () => {
      expect(await client.batch([], "write")).toEqual([]);
    });
  });

  describe("transaction", () => {
    test("nobody else sees it before it commits", async () => {
      const tx = await client.transaction("write");
      await tx.execute("insert into note (body) values ('a')");
      expect((await tx.execute("select count(*) as n from note")).rows).toEqual([{ n: 1 }]);
      expect(await bodies()).toEqual([]);
      await tx.commit();
      expect(tx.closed).toBe(true);
      expect(await bodies()).toEqual(["a"]);
    });

    test.each(["rollback", "close"] as const)("%s undoes all of it", async (end) => {
      const tx = await client.transaction("write");
      await tx.batch(["insert into note (body) values ('a')", "delete from note where 0"]);
      await tx[end]();
      expect(tx.closed).toBe(true);
      expect(await bodies()).toEqual([]);
      await client.execute("insert into note (body) values ('b')");
      expect(await bodies()).toEqual(["b"]);
    });

    test("a statement that fails leaves it open, and what was done before can be committed", async () => {
      const tx = await client.transaction("write");
      await tx.execute("insert into note (body) values ('a')");
      await expect(tx.execute("insert into note (body) values ('a')")).rejects.toMatchObject({
        code: "SQLITE_CONSTRAINT",
      });
      await tx.execute("insert into note (body) values ('b')");
      await tx.commit();
      expect(await bodies()).toEqual(["a", "b"]);
    });

    test("savepoints nest in it", async () => {
      const tx = await client.transaction("write");
      await tx.execute("insert into note (body) values ('a')");
      await tx.execute("savepoint one");
      await tx.execute("insert into note (body) values ('b')");
      await tx.execute("rollback to one");
      await tx.executeMultiple("release one; insert into note (body) values ('c');");
      await tx.commit();
      expect(await bodies()).toEqual(["a", "c"]);
    });

    // evidence: G6
    test("in mode read a write is refused, also in a script, and writers do not wait", async () => {
      const tx = await client.transaction("read");
      expect((await tx.execute("select count(*) as n from note")).rows).toEqual([{ n: 0 }]);
      await client.execute("insert into note (body) values ('a')");
      expect((await tx.execute("select count(*) as n from note")).rows).toEqual([{ n: 0 }]);
      const write = "insert into note (body) values ('b')";
      await expect(tx.execute(write)).rejects.toMatchObject({ code: "SQLITE_READONLY" });
      await expect(tx.executeMultiple(write)).rejects.toMatchObject({ code: "SQLITE_READONLY" });
      tx.close();
      expect(await bodies()).toEqual(["a"]);
    });

    // evidence: G6
    test("a deferred one that read before somebody else wrote cannot write any more", async () => {
      const tx = await client.transaction("deferred");
      await tx.execute("select count(*) from note");
      await client.execute("insert into note (body) values ('a')");
      const writing = tx.execute("insert into note (body) values ('b')");
      await expect(writing).rejects.toMatchObject({ code: "SQLITE_BUSY" });
      tx.close();
      expect(await bodies()).toEqual(["a"]);
    });

    test("writers wait for each other, and none is lost", async () => {
      await client.execute("insert into note (id, body) values (1, '0')");
      const addOne = async () => {
        const tx = await client.transaction("write");
        const { rows } = await tx.execute("select body from note");
        const args = [String(Number(rows[0]?.body) + 1)];
        await tx.execute({ sql: "update note set body = ?", args });
        await tx.commit();
      };
      await Promise.all(Array.from({ length: 12 }, addOne));
      expect(await bodies()).toEqual(["12"]);
    });

    test("after its end it takes no more statements", async () => {
      const tx = await client.transaction("write");
      await tx.execute("insert into note (body) values ('a')");
      await tx.commit();
      await expect(tx.execute("select 1")).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
      await expect(tx.commit()).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
    });
  });

  describe("scripts", () => {
    test("executeMultiple runs all, triggers and transactions of its own included", async () => {
      await client.executeMultiple(`
        create table log (n); -- a comment; with a semicolon
        create trigger t after insert on note begin insert into log values (1); end;
        begin; insert into note (body) values ('a;b'); commit;
      `);
      expect((await client.execute("select count(*) as n from log")).rows).toEqual([{ n: 1 }]);
    });

    test("executeMultiple stops at the first error and keeps what is before", async () => {
      const script =
        "insert into note (body) values ('a'); selec; insert into note values (9, 'b')";
      await expect(client.executeMultiple(script)).rejects.toMatchObject({ code: "SQLITE_ERROR" });
      expect(await bodies()).toEqual(["a"]);
    });

    test("a transaction that a script leaves open is rolled back", async () => {
      await client.executeMultiple("begin; insert into note (body) values ('a')");
      expect(await bodies()).toEqual([]);
      await client.execute("insert into note (body) values ('b')");
    });

    test("migrate changes tables that others refer to, and the references hold again after it", async () => {
      await client.executeMultiple(
        "create table tag (note integer references note); insert into note values (1, 'a'); insert into tag values (1)",
      );
      await client.migrate([
        "create table fresh (id integer primary key, body text, extra text)",
        "insert into fresh select id, body, null from note",
        "drop table note",
        "alter table fresh rename to note",
      ]);
      expect((await client.execute("pragma foreign_key_check")).rows).toEqual([]);
      await expect(client.execute("insert into tag values (99)")).rejects.toMatchObject({
        code: "SQLITE_CONSTRAINT",
      });
    });

    // evidence: G10
    test("a migration that fails changes nothing", async () => {
      await expect(client.migrate(["drop table note", "selec"])).rejects.toThrow();
      expect(await bodies()).toEqual([]);
    });
  });

  describe("the client itself", () => {
    test("a hundred calls at once are all answered, each with its own result", async () => {
      const calls = Array.from({ length: 100 }, async (_, i) => {
        await client.execute("insert into note (id, body) values (?, ?)", [i, `n${i}`]);
        return (await client.execute("select body from note where id = ?", [i])).rows[0]?.body;
      });
      expect(await Promise.all(calls)).toEqual(Array.from({ length: 100 }, (_, i) => `n${i}`));
    });

    test("what one client wrote, another reads", async () => {
      await client.execute("insert into note (body) values ('a')");
      const other = create(store, database);
      expect((await other.execute("select body from note")).rows).toEqual([{ body: "a" }]);
      other.close();
    });

    test("settings that SQLite programs begin with are accepted", async () => {
      for (const pragma of ["journal_mode = WAL", "foreign_keys = ON", "busy_timeout = 5000"]) {
        await client.execute(`pragma ${pragma}`);
      }
      const { rows } = await client.execute("pragma journal_mode");
      expect(rows[0]?.journal_mode).toBe("wal");
    });

    test("sync is refused, since there is nothing to sync with", async () => {
      await expect((async () => client.sync())()).rejects.toMatchObject({
        code: "SYNC_NOT_SUPPORTED",
      });
    });

    test("a closed client takes no calls; reconnected it does", async () => {
      client.close();
      client.close();
      expect(client.closed).toBe(true);
      await expect(client.execute("select 1")).rejects.toThrow(/closed/i);
      await client.reconnect();
      expect(client.closed).toBe(false);
      expect((await client.execute("select 1 as one")).rows).toEqual([{ one: 1 }]);
    });
  });
});

import { describe, expect, test } from "vitest";
import { codeOf, engineOf, KINDS, TestDatabase } from "../database.fixture.ts";
import { SqliteError } from "../failure/errors.ts";
import { SqlReal } from "./real.ts";

describe.each(KINDS)("a statement of %s", async (kind) => {
  const engine = await engineOf(kind);
  const open = () => new TestDatabase(engine).connect();
  const echo = (value: never) => open().rows("select ?, typeof(?1)", [value], "bigint")[0];

  describe("values go in and come out as they are", () => {
    test.each([
      ["null", null, [null, "null"]],
      ["zero", 0, [0n, "integer"]],
      ["a negative integer", -1, [-1n, "integer"]],
      ["the largest 32-bit integer", 2147483647, [2147483647n, "integer"]],
      ["one more than that", 2147483648, [2147483648n, "integer"]],
      ["the largest safe integer", 2 ** 53 - 1, [2n ** 53n - 1n, "integer"]],
      ["the smallest safe integer", -(2 ** 53) + 1, [-(2n ** 53n) + 1n, "integer"]],
      ["a whole number beyond 2^53", 2 ** 60, [2 ** 60, "real"]],
      ["a fraction", 0.1, [0.1, "real"]],
      ["infinity", Number.POSITIVE_INFINITY, [Number.POSITIVE_INFINITY, "real"]],
      ["the smallest fraction", 5e-324, [5e-324, "real"]],
      ["the largest 64-bit integer", 2n ** 63n - 1n, [2n ** 63n - 1n, "integer"]],
      ["the smallest 64-bit integer", -(2n ** 63n), [-(2n ** 63n), "integer"]],
      ["true", true, [1n, "integer"]],
      ["false", false, [0n, "integer"]],
      ["no text", "", ["", "text"]],
      ["text with a zero in it", "a\0b", ["a\0b", "text"]],
      ["text beyond ASCII", "añ漢🎉", ["añ漢🎉", "text"]],
      ["text with a byte order mark", "\ufeffa", ["\ufeffa", "text"]],
      ["a lone surrogate, as a replacement character", "a\ud800b", ["a\ufffdb", "text"]],
      ["no bytes, which is not NULL", new Uint8Array(0), [new Uint8Array(0), "blob"]],
      ["bytes", new Uint8Array([0, 255, 0]), [new Uint8Array([0, 255, 0]), "blob"]],
      [
        "a part of a buffer",
        new Uint8Array([1, 2, 3]).subarray(1, 2),
        [new Uint8Array([2]), "blob"],
      ],
      ["a Buffer", Buffer.from("hi"), [new Uint8Array(Buffer.from("hi")), "blob"]],
      ["a whole number that must be a real", new SqlReal(1), [1, "real"]],
      ["not a number, which is NULL", Number.NaN, [null, "null"]],
    ])("%s", (_name, value, expected) => {
      expect(echo(value as never)).toEqual(expected);
    });

    test.each([1, 11, 12, 13, 63, 64, 65, 21_844, 21_845, 70_000, 1_000_000])(
      "a text of %i characters, with and without one beyond ASCII",
      (length) => {
        const plain = "abcdefghij".repeat(Math.ceil(length / 10)).slice(0, length);
        const foreign = `${plain.slice(1)}é`;
        expect(open().rows("select ?, ?, length(?2)", [plain, foreign])).toEqual([
          [plain, foreign, length],
        ]);
      },
    );

    test("a blob of zeros that SQLite has not spelled out", () => {
      expect(open().value("select zeroblob(5)")).toEqual(new Uint8Array(5));
    });

    test("an integer stored in a REAL column is a real", () => {
      const connection = open();
      connection.exec("create table t (x real); insert into t values (3), (4.5)");
      expect(connection.rows("select x, typeof(x) from t", [], "bigint")).toEqual([
        [3, "real"],
        [4.5, "real"],
      ]);
    });
  });

  describe("integers", () => {
    const big = "select 9007199254740991, -9007199254740991, 9007199254740993";

    test("beyond 2^53 are refused as numbers, so that none is silently another", () => {
      const statement = open().prepare(big);
      statement.step();
      expect(statement.value(0, "number")).toBe(2 ** 53 - 1);
      expect(statement.value(1, "number")).toBe(-(2 ** 53) + 1);
      expect(() => statement.value(2, "number")).toThrow(RangeError);
      expect(() => statement.array("number")).toThrow(/9007199254740993/);
    });

    test("come as bigint or string if asked", () => {
      const connection = open();
      const bigints = [9007199254740991n, -9007199254740991n, 9007199254740993n];
      expect(connection.rows(big, [], "bigint")).toEqual([bigints]);
      expect(connection.rows(big, [], "string")).toEqual([bigints.map(String)]);
      expect(connection.rows("select 1.5, 'x'", [], "string")).toEqual([[1.5, "x"]]);
    });
  });

  describe("what cannot be bound is refused", () => {
    test.each([
      ["undefined", undefined, TypeError],
      ["a symbol", Symbol("x"), TypeError],
      ["a date", new Date(0), TypeError],
      ["a list", [1], TypeError],
      ["a function", () => 1, TypeError],
      ["a bigint of 65 bits", 2n ** 63n, RangeError],
      ["a negative bigint of 65 bits", -(2n ** 63n) - 1n, RangeError],
    ])("%s", (_name, value, type) => {
      expect(() => echo(value as never)).toThrow(type);
    });
  });

  describe("parameters", () => {
    test("by name, with or without the prefix", () => {
      const sql = "select :a, @b, $c, :a";
      expect(open().rows(sql, { a: 1, "@b": 2, c: 3 })).toEqual([[1, 2, 3, 1]]);
    });

    test("are listed by name", () => {
      const sql = `select :a, ?, '?9 :no', @b, ?5, 1 as ":no", $c::d(e)`;
      const names = open().prepare(sql).parameterNames;
      expect(names).toEqual([":a", undefined, "@b", undefined, "?5", "$c::d(e)"]);
    });

    test("an unknown, a missing and a nameless one are refused by name", () => {
      const connection = open();
      expect(() => connection.rows("select :a", { a: 1, typo: 2 })).toThrow('no parameter "typo"');
      expect(() => connection.rows("select :a, :b", { a: 1 })).toThrow("no value for parameter :b");
      expect(() => connection.rows("select :a, ?", { a: 1 })).toThrow("parameter 2 has no name");
      expect(() => connection.rows("select :toString", {})).toThrow(RangeError);
    });

    test("too many or too few are refused with both numbers", () => {
      const connection = open();
      expect(() => connection.rows("select ?", [])).toThrow("0 values for 1 parameters");
      expect(() => connection.rows("select ?", [1, 2])).toThrow("2 values for 1 parameters");
    });

    test("binding again starts the statement anew", () => {
      const statement = open().prepare("select value from json_each(?)");
      statement.bind(["[1,2]"]);
      statement.step();
      statement.bind(["[3]"]);
      statement.step();
      expect(statement.value(0, "number")).toBe(3);
      expect(statement.step()).toBe(false);
    });
  });

  describe("rows", () => {
    test("as objects, with the last of columns of the same name", () => {
      const statement = open().prepare("select 1 as a, 2 as b, 3 as a");
      statement.step();
      expect(statement.object("number")).toEqual({ a: 3, b: 2 });
    });

    test("have any name, also one that means something to JavaScript", () => {
      const statement = open().prepare('select null as "__proto__", 1 as "constructor", 2 as ""');
      statement.step();
      const row = statement.object("number");
      expect(Object.entries(row).sort()).toEqual([
        ["", 2],
        ["__proto__", null],
        ["constructor", 1],
      ]);
      expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    });

    test("follow a table that grew under a prepared statement", () => {
      const connection = open();
      connection.exec("create table t (a); insert into t values (1)");
      const statement = connection.prepare("select * from t");
      statement.step();
      expect(statement.object("number")).toEqual({ a: 1 });
      statement.reset();
      connection.exec("alter table t rename a to b; alter table t add c default 7");
      statement.step();
      expect(statement.object("number")).toEqual({ b: 1, c: 7 });
      expect(statement.columns.map(({ name }) => name)).toEqual(["b", "c"]);
    });

    test("have the names of now, behind a run without one and behind a run that failed", () => {
      const database = new TestDatabase(engine);
      const [connection, other] = [database.connect(), database.connect()];
      connection.exec("create table t (a)");
      const none = other.prepare("select * from t");
      const failing = other.prepare("select json(a), * from t");
      const names = ({ columns }: Pick<typeof none, "columns">) => columns.map(({ name }) => name);
      expect([names(none), names(failing)]).toEqual([["a"], ["json(a)", "a"]]);
      connection.exec("alter table t add b");
      expect(none.step()).toBe(false);
      expect(names(none)).toEqual(["a", "b"]);
      none.reset();
      connection.exec("insert into t values ('{', 2); alter table t add c");
      expect(() => failing.step()).toThrow("malformed JSON");
      connection.exec("update t set a = '3'");
      expect(failing.step()).toBe(true);
      expect(failing.object("number")).toEqual({ "json(a)": "3", a: "3", b: 2, c: null });
      expect(names(failing)).toEqual(["json(a)", "a", "b", "c"]);
    });

    test("are refused where there is none", () => {
      const statement = open().prepare("select 1");
      expect(() => statement.array("number")).toThrow("not on a row");
      statement.step();
      expect(() => statement.value(1, "number")).toThrow("no column 1");
      expect(() => statement.value(-1, "number")).toThrow(RangeError);
      statement.step();
      expect(() => statement.object("number")).toThrow("not on a row");
    });

    test("stay readable when the engine's memory has grown meanwhile", () => {
      const connection = open();
      const statement = connection.prepare("select 'before', ?");
      statement.bind(["the text"]);
      statement.step();
      const growth = connection.prepare("select cast(zeroblob(50000000) as text)");
      growth.step();
      expect(statement.array("number")).toEqual(["before", "the text"]);
      growth.finalize();
    });
  });

  describe("columns", () => {
    test("have names and, where the build tells it, an origin", () => {
      const connection = open();
      connection.exec("create table t (a integer, b varchar(9))");
      const [first, second] = connection.prepare("select b as x, a + 1 from t").columns;
      const declaredType = kind === "sqlite" ? "varchar(9)" : undefined;
      const table = kind === "sqlite" ? "t" : undefined;
      const originColumn = kind === "sqlite" ? "b" : undefined;
      expect(first).toEqual({ name: "x", declaredType, table, originColumn });
      expect(second).toMatchObject({ name: "a + 1", declaredType: undefined, table: undefined });
    });

    test("a statement without rows has none", () => {
      expect(open().prepare("create table t (a)").columns).toEqual([]);
    });
  });

  describe("preparing", () => {
    test("takes the first statement and returns the rest, in characters", () => {
      const connection = open();
      const { statement, tail } = connection.raw.prepare("select 'é'; select 2 -- ü");
      expect(statement?.sql).toBe("select 'é';");
      expect(tail).toBe(" select 2 -- ü");
      expect(connection.raw.prepare("select 1;select 2").tail).toBe("select 2");
    });

    test("space and comments are no statement", () => {
      const connection = open();
      for (const sql of ["", "  ", "-- nothing", "/* nothing */ ;"]) {
        expect(connection.raw.prepare(sql).statement).toBeUndefined();
      }
    });

    test("a zero character is refused, since SQLite would stop reading there", () => {
      expect(() => open().raw.prepare("select 1\0; drop table t")).toThrow(TypeError);
    });

    test("an error says where it is, in characters", () => {
      let thrown: unknown;
      try {
        open().prepare("select 'éé', nonsense");
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(SqliteError);
      expect(thrown).toMatchObject({
        code: "BOP_SQLITE",
        sqliteCode: "SQLITE_ERROR",
        message: "no such column: nonsense",
        sqlOffset: "select 'éé', ".length,
        retryable: false,
      });
    });
  });

  describe("errors carry SQLite's extended code by name", () => {
    const schema = `
      create table parent (id integer primary key);
      create table t (
        id integer primary key, u unique, n not null default 0, c check (c > 0),
        p references parent (id)
      );
      insert into t (id, u, c) values (1, 1, 1);
      pragma foreign_keys = on`;

    test.each([
      ["insert into t (id) values (1)", "SQLITE_CONSTRAINT_PRIMARYKEY"],
      ["insert into t (u) values (1)", "SQLITE_CONSTRAINT_UNIQUE"],
      ["insert into t (n) values (null)", "SQLITE_CONSTRAINT_NOTNULL"],
      ["insert into t (c) values (0)", "SQLITE_CONSTRAINT_CHECK"],
      ["insert into t (p) values (9)", "SQLITE_CONSTRAINT_FOREIGNKEY"],
      ["insert into t (id) values ('x')", "SQLITE_MISMATCH"],
      ["select raise(abort, 'x')", "SQLITE_ERROR"],
      ["select * from missing", "SQLITE_ERROR"],
      ["commit", "SQLITE_ERROR"],
      ["select json('{')", "SQLITE_ERROR"],
    ])("%s: %s", (sql, code) => {
      const connection = open();
      connection.exec(schema);
      expect(codeOf(() => connection.exec(sql))).toBe(code);
      expect(connection.raw.autocommit).toBe(true);
    });
  });

  test("a finalized statement and a closed connection say that they are closed", () => {
    const connection = open();
    const statement = connection.prepare("select 1");
    statement.finalize();
    statement.finalize();
    expect(() => statement.step()).toThrow("the statement is finalized");
    const left = connection.prepare("select 1");
    connection.close();
    connection.close();
    expect(() => left.step()).toThrow("the statement is finalized");
    expect(() => connection.raw.prepare("select 1")).toThrow("the connection is closed");
    expect(() => connection.raw.changes).toThrow("the connection is closed");
    expect(() => connection.raw.lastInsertRowid).toThrow("the connection is closed");
    expect(connection.raw.autocommit).toBe(true);
    expect(connection.raw.open).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { codeOf, engineOf, INTACT, KINDS, TestDatabase } from "../database.fixture.ts";
import { parsePragma } from "./pragmas.ts";

describe("the text of a pragma", () => {
  test.each([
    ["pragma journal_mode", "journal_mode", undefined, ""],
    ["PRAGMA Journal_Mode;", "journal_mode", undefined, ""],
    ["pragma main.journal_mode = wal; select 1", "journal_mode", "wal", " select 1"],
    ['pragma "main"."journal_mode"(\'del"ete\')', "journal_mode", 'del"ete', ""],
    ["/* why */ pragma -- not\n synchronous=0 ;", "synchronous", "0", ""],
    ["pragma cache_size = -2000", "cache_size", "-2000", ""],
    ["pragma [mmap_size](1e6)", "mmap_size", "1e6", ""],
    ["pragma table_info('it''s')", "table_info", "it's", ""],
  ])("%s", (sql, name, value, tail) => {
    expect(parsePragma(sql)).toEqual({ name, value, tail });
  });

  test.each([
    "select 1",
    "/* a */ select /* b */ pragma x",
    "pragmatic",
    "explain pragma x",
    "pragma a = b c",
    "pragma",
  ])("%s is none of ours", (sql) => {
    expect(parsePragma(sql)).toBeUndefined();
  });
});

describe.each(KINDS)("pragmas of %s", async (kind) => {
  const engine = await engineOf(kind);
  const open = (profile: "embedded" | "server" = "embedded") => {
    const database = new TestDatabase(engine);
    const connection = database.connect({ profile });
    connection.exec("create table t (a, b); insert into t values (1, 2)");
    return { database, connection };
  };

  test.each([
    ["journal_mode", "delete", [["wal"]]],
    ["journal_mode", "off", [["wal"]]],
    ["main.journal_mode", "memory", [["wal"]]],
    ["synchronous", "off", [[2]]],
    ["locking_mode", "exclusive", [["normal"]]],
    ["mmap_size", "1000000", [[0]]],
    ["temp_store", "memory", [[1]]],
    ["journal_size_limit", "10", [[-1]]],
    ["wal_autocheckpoint", "5", [[0]]],
  ])("%s keeps its answer, also when it is set to %s", (name, value, rows) => {
    const { database, connection } = open();
    expect(connection.rows(`pragma ${name}`)).toEqual(rows);
    expect(connection.rows(`pragma ${name} = ${value}`)).toEqual(rows);
    expect(connection.rows(`pragma ${name}(${value})`)).toEqual(rows);
    connection.exec(`explain pragma ${name} = ${value}`);
    connection.exec("begin; insert into t values (3, 4); rollback; insert into t values (5, 6)");
    expect(connection.rows("select * from t")).toEqual([
      [1, 2],
      [5, 6],
    ]);
    connection.close();
    expect(database.check()).toEqual(INTACT);
  });

  test("wal_checkpoint has SQLite's three columns and nothing to do", () => {
    const { connection } = open();
    const statement = connection.prepare("pragma wal_checkpoint(truncate)");
    statement.step();
    expect(statement.object("number")).toEqual({ busy: 0, log: 0, checkpointed: 0 });
    expect(statement.traits.kind).toBe("alone");
    expect(statement.sql).toBe("pragma wal_checkpoint(truncate)");
  });

  test("busy_timeout is remembered, and a lock is not waited for all the same", () => {
    const { database, connection } = open();
    expect(connection.rows("pragma busy_timeout")).toEqual([[0]]);
    expect(connection.rows("pragma busy_timeout = 60000")).toEqual([[60_000]]);
    expect(connection.rows("pragma busy_timeout")).toEqual([[60_000]]);
    const other = database.connect();
    other.exec("begin immediate");
    expect(codeOf(() => connection.exec("insert into t values (0, 0)"))).toBe("SQLITE_BUSY");
  });

  test.each([
    ["writable_schema = on", /ALTER TABLE/],
    ["hard_heap_limit = 1000", /many databases share/],
    ["soft_heap_limit(1)", /many databases share/],
    ["encoding = 'UTF-16'", /UTF-8 only/],
    ["encoding = UTF16le", /UTF-8 only/],
  ])("%s is refused, and says why", (text, message) => {
    const { connection } = open();
    expect(() => connection.exec(`pragma ${text}`)).toThrow(message);
    expect(codeOf(() => connection.exec(`pragma ${text}`))).toBe("SQLITE_AUTH");
    expect(() => connection.exec(`explain pragma ${text}`)).toThrow(message);
  });

  test("the schema cannot be written to by hand", () => {
    const { connection } = open();
    const sabotage = "update sqlite_schema set sql = 'nonsense'";
    expect(codeOf(() => connection.exec(sabotage))).toBe("SQLITE_ERROR");
  });

  test.each([
    ["user_version = 7", "user_version", [[7]]],
    ["application_id = 9", "application_id", [[9]]],
    ["foreign_keys = on", "foreign_keys", [[1]]],
    ["cache_size = 77", "cache_size", [[77]]],
    ["secure_delete = on", "secure_delete", [[1]]],
    ["cache_spill = off", "cache_spill", [[0]]],
    ["encoding = 'utf-8'", "encoding", [["UTF-8"]]],
    ["query_only = on", "query_only", [[1]]],
    ["max_page_count = 1000", "max_page_count", [[1000]]],
  ])("%s is SQLite's own business", (set, get, rows) => {
    const { connection } = open();
    connection.exec(`pragma ${set}`);
    expect(connection.rows(`pragma ${get}`)).toEqual(rows);
  });

  test("what describes the schema passes, as pragma and as table", () => {
    const { connection } = open();
    expect(connection.column("select name from pragma_table_info('t')")).toEqual(["a", "b"]);
    expect(connection.rows("pragma table_info(t)").map((row) => row[1])).toEqual(["a", "b"]);
    expect(connection.rows("pragma foreign_key_list(t)")).toEqual([]);
    expect(connection.rows("pragma database_list")).toEqual([[0, "main", expect.any(String)]]);
  });

  describe("other files are out of reach", () => {
    test.each([
      "attach 'other' as o",
      "attach ':memory:' as o",
      "attach 'file:database?mode=memory' as o",
      "vacuum into 'copy'",
      "vacuum main into 'copy'",
    ])("%s", (sql) => {
      const { database, connection } = open();
      expect(codeOf(() => connection.exec(sql))).toBe("SQLITE_AUTH");
      expect(() => connection.exec(sql)).toThrow("a connection has one database");
      connection.exec("vacuum");
      connection.close();
      expect(database.check()).toEqual(INTACT);
    });
  });

  describe("a server's tenant", () => {
    test.each([
      "pragma trusted_schema = on",
      "pragma schema_version = 99",
      "pragma writable_schema = reset",
      "pragma cache_spill = off",
      "pragma nonsense",
      "select * from sqlite_dbpage",
      "select * from dbstat",
      "select * from sqlite_stmt",
      "attach 'x' as y",
    ])("may not: %s", (sql) => {
      const { connection } = open("server");
      expect(codeOf(() => connection.rows(sql))).toBe("SQLITE_AUTH");
    });

    test("may use what tools use", () => {
      const { connection } = open("server");
      connection.exec(`pragma foreign_keys = on; pragma user_version = 3; pragma cache_size = 100;
        create table u (x); alter table u add y; drop table u; vacuum; pragma optimize`);
      expect(connection.rows("pragma journal_mode")).toEqual([["wal"]]);
      expect(connection.rows("pragma integrity_check")).toEqual([["ok"]]);
    });

    test.each([
      [
        "a text of 20 MB",
        "select length(replace(hex(zeroblob(999999)), '0', '0123456789'))",
        "SQLITE_TOOBIG",
      ],
      ["a blob of 10 MB", "select hex(zeroblob(10000000))", "SQLITE_TOOBIG"],
      ["a long pattern", `select 'a' like '${"a".repeat(60)}'`, "SQLITE_ERROR"],
      ["many columns", `select ${"1,".repeat(200)}1`, "SQLITE_ERROR"],
    ])("is limited: %s", (_name, sql, code) => {
      expect(codeOf(() => open("server").connection.rows(sql))).toBe(code);
      expect(codeOf(() => open("embedded").connection.rows(sql))).toBe("none");
    });
  });
});

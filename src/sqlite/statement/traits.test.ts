import { describe, expect, test } from "vitest";
import type { StatementTraits } from "../api.ts";
import { engineOf, KINDS, TestDatabase } from "../database.fixture.ts";

const PLAIN: StatementTraits = {
  kind: "plain",
  sessionBound: false,
  readsCounters: false,
  isVolatile: false,
  changesRows: false,
  changesSchema: false,
};
const WRITE = { ...PLAIN, changesRows: true };
const DDL = { ...PLAIN, changesSchema: true };
const TRANSACTION = { ...PLAIN, kind: "transaction" };
const ALONE = { ...PLAIN, kind: "alone" };
const BOUND = { ...ALONE, sessionBound: true };

describe.each(KINDS)("traits of statements of %s", async (kind) => {
  const engine = await engineOf(kind);
  const traitsOf = (sql: string, schema = "") => {
    const connection = new TestDatabase(engine).connect();
    connection.exec(
      `create table t (a integer primary key, b); create temp table s (a); ${schema}`,
    );
    return connection.prepare(sql).traits;
  };

  test.each([
    ["select * from t", PLAIN],
    ["with x as (select 1) select * from x, t", PLAIN],
    ["insert into t values (1, 2)", WRITE],
    ["insert into t values (1, 2) returning a", WRITE],
    ["with x as (select 1) update t set b = 1", WRITE],
    ["delete from t where a = 1", WRITE],
    ["replace into t values (1, 1)", WRITE],
    ["create table u (a)", DDL],
    ["create table u as select * from t", DDL],
    ["create index t_b on t (b)", DDL],
    ["create view v as select * from t", DDL],
    ["create trigger g after insert on t begin select 1; end", DDL],
    ["create virtual table f using fts5 (a)", DDL],
    ["alter table t add c", DDL],
    ["alter table t drop b", DDL],
    ["alter table t rename to u", DDL],
    ["alter table t rename b to c", DDL],
    ["alter table s rename to u", { ...BOUND, changesSchema: true }],
    ["alter table s rename a to c", { ...BOUND, changesSchema: true }],
    ["alter table s add c", { ...BOUND, changesSchema: true }],
    ["select * from sqlite_temp_schema", BOUND],
    ["drop table t", DDL],
    ["analyze", DDL],
    ["begin", TRANSACTION],
    ["begin immediate", TRANSACTION],
    ["commit", TRANSACTION],
    ["rollback", TRANSACTION],
    ["savepoint x", TRANSACTION],
    ["release x", TRANSACTION],
    ["rollback to x", TRANSACTION],
    ["vacuum", ALONE],
    ["pragma user_version", ALONE],
    ["pragma user_version = 3", ALONE],
    ["pragma journal_mode = delete", ALONE],
    ["pragma table_info(t)", ALONE],
    ["pragma foreign_keys", ALONE],
    ["pragma foreign_keys = on", BOUND],
    ["pragma cache_size = 10", BOUND],
    ["pragma busy_timeout = 10", BOUND],
    ["select * from s", BOUND],
    ["insert into s values (1)", { ...BOUND, changesRows: true }],
    ["create temp table u (a)", { ...BOUND, changesSchema: true }],
    ["create temp view v as select 1", { ...BOUND, changesSchema: true }],
    ["drop table s", { ...BOUND, changesSchema: true }],
    ["select changes()", { ...PLAIN, readsCounters: true }],
    ["select a from t where a = last_insert_rowid()", { ...PLAIN, readsCounters: true }],
    ["insert into t (b) select TOTAL_CHANGES()", { ...WRITE, readsCounters: true }],
    ["insert or rollback into t values (1, 2)", WRITE],
    ["explain insert or rollback into t values (1, 2)", PLAIN],
    ["explain query plan select * from t", PLAIN],
    ["explain begin", PLAIN],
  ])("%s", (sql, expected) => {
    expect(traitsOf(sql)).toEqual(expected);
  });

  test("a counter read by a trigger is a counter read", () => {
    const schema =
      "create table l (n); create trigger g after insert on t begin insert into l values (changes()); end";
    expect(traitsOf("insert into t values (1, 2)", schema)).toEqual({
      ...WRITE,
      readsCounters: true,
    });
  });

  describe("counters", () => {
    const open = () => {
      const connection = new TestDatabase(engine).connect();
      connection.exec("create table t (a integer primary key, b)");
      connection.exec("insert into t values (1, 1), (2, 2), (3, 3)");
      return connection;
    };

    test("are SQLite's own", () => {
      const connection = open();
      connection.exec("update t set b = 0 where a > 1; insert into t values (9000000000, 1)");
      expect(connection.raw.changes).toBe(1);
      expect(connection.raw.totalChanges).toBe(6);
      expect(connection.raw.lastInsertRowid).toBe(9_000_000_000n);
    });

    test("answer for the session that they are set for, and go on from there", () => {
      const connection = open();
      connection.raw.assumeCounters({
        changes: 41,
        totalChanges: 400,
        lastInsertRowid: -(2n ** 63n),
      });
      const counters = "select changes(), total_changes(), last_insert_rowid()";
      expect(connection.rows(counters, [], "bigint")).toEqual([[41n, 400n, -(2n ** 63n)]]);
      expect(connection.raw.changes).toBe(41);
      expect(connection.raw.lastInsertRowid).toBe(-(2n ** 63n));
      connection.exec("delete from t where a > 1");
      expect(connection.rows(counters, [], "bigint")).toEqual([[2n, 402n, -(2n ** 63n)]]);
    });

    test("of the connection go on counting, whatever a session is told", () => {
      const connection = open();
      connection.raw.assumeCounters({ changes: 0, totalChanges: 0, lastInsertRowid: 0n });
      expect(connection.raw.totalChanges).toBe(3);
      connection.exec("update t set b = 5");
      connection.raw.assumeCounters({ changes: 1, totalChanges: 90, lastInsertRowid: 0n });
      expect(connection.raw.totalChanges).toBe(6);
      connection.exec("delete from t");
      expect(connection.raw.totalChanges).toBe(9);
    });
  });
});

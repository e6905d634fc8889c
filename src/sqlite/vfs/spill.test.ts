import { describe, expect, test } from "vitest";
import { KIB } from "../../base/units.ts";
import { engineOf, INTACT, KINDS, TestDatabase } from "../database.fixture.ts";

const rows = (from: number, to: number) => `with recursive n (i) as
  (select ${from} union all select i + 1 from n where i < ${to})`;
/** Some 1.2 MB in 5000 rows. */
const fill = (from = 1, to = 5000) =>
  `${rows(from, to)} insert into t select i, printf('%0200d', i) from n`;
const sums = "select count(*), sum(a), sum(length(b)) from t";
const FULL = [[5000, 12_502_500, 1_000_000]];

describe.each(KINDS)("a transaction of %s that outgrows its memory", async (kind) => {
  const engine = await engineOf(kind);

  /** Memory for sixteen pages, while a cache of ten leaves the rest to it. */
  const small = () => {
    const database = new TestDatabase(engine);
    database.memory.transactionMemoryBytes = 64 * KIB;
    const connection = database.connect();
    connection.exec("pragma cache_size = 10; create table t (a integer primary key, b)");
    return { database, connection };
  };

  test("commits all of it, and leaves no spill behind", () => {
    const { database, connection } = small();
    connection.exec(`begin; ${fill()}`);
    expect(database.memory.spills.size).toBe(1);
    connection.exec("commit");
    expect(database.memory.spills.size).toBe(0);
    expect(connection.rows(sums)).toEqual(FULL);
    connection.close();
    expect(database.check()).toEqual(INTACT);
  });

  test("sees its own pages, and nobody else does", () => {
    const { database, connection } = small();
    const other = database.connect();
    connection.exec(`begin; ${fill()}; update t set b = b || 'x' where a % 7 = 0`);
    expect(connection.column("select count(*) from t where b like '%x'")).toEqual([714]);
    expect(other.column("select count(*) from t")).toEqual([0]);
    connection.exec("commit");
    expect(other.column("select count(*) from t where b like '%x'")).toEqual([714]);
    connection.close();
    other.close();
    expect(database.check()).toEqual(INTACT);
  });

  test("rolls back to what was, with an index and rows that were there before", () => {
    const { database, connection } = small();
    connection.exec(`${fill()}; create index i on t (b)`);
    const { newestLsn } = database.memory;
    connection.exec(`begin; update t set b = a % 13 || b; delete from t where a % 3 = 0; rollback`);
    expect(connection.rows(sums)).toEqual(FULL);
    expect(database.memory.newestLsn).toBe(newestLsn);
    expect(database.memory.spills.size).toBe(0);
    connection.close();
    expect(database.check()).toEqual(INTACT);
  });

  test("rolls a savepoint back alone, however much of it was spilled", () => {
    const { database, connection } = small();
    connection.exec(`begin; ${fill(1, 2500)};
      savepoint one; ${fill(2501, 5000)}; update t set b = 'y';
      savepoint two; delete from t; rollback to two; release two;
      rollback to one; release one; ${fill(2501, 5000)}; commit`);
    expect(connection.rows(sums)).toEqual(FULL);
    connection.close();
    expect(database.check()).toEqual(INTACT);
  });

  test("may shrink the database below what it had spilled", () => {
    const { database, connection } = small();
    connection.exec(`pragma auto_vacuum = incremental; vacuum; begin; ${fill()};
      delete from t where a > 100; commit; pragma incremental_vacuum; begin; ${fill(101)};
      delete from t where a > 200; pragma incremental_vacuum; commit`);
    expect(connection.rows("select count(*), sum(a) from t")).toEqual([[200, 20_100]]);
    expect(database.memory.spills.size).toBe(0);
    connection.close();
    expect(database.check()).toEqual(INTACT);
  });

  test("may be a VACUUM, which writes every page", () => {
    const { database, connection } = small();
    connection.exec(`${fill()}; delete from t where a % 2 = 0; vacuum`);
    expect(connection.column("select count(*) from t")).toEqual([2500]);
    expect(database.memory.spills.size).toBe(0);
    connection.close();
    expect(database.check()).toEqual(INTACT);
  });

  test.each([512, 1024, 16_384])("may change the size of pages to %i", (pageBytes) => {
    const { database, connection } = small();
    connection.exec(`${fill()}; pragma page_size = ${pageBytes}; vacuum`);
    expect(connection.rows(sums)).toEqual(FULL);
    expect(connection.value("pragma page_size")).toBe(pageBytes);
    expect(database.memory.spills.size).toBe(0);
    connection.exec("update t set b = a");
    connection.close();
    expect(database.check()).toEqual(INTACT);
  });

  test("that is cut off by closing its connection leaves nothing", () => {
    const { database, connection } = small();
    connection.exec(`begin; ${fill()}`);
    connection.close();
    expect(database.memory.spills.size).toBe(0);
    const other = database.connect();
    expect(other.column("select count(*) from t")).toEqual([0]);
    other.exec(fill());
    expect(other.rows(sums)).toEqual(FULL);
    other.close();
    expect(database.check()).toEqual(INTACT);
  });

  test("does the same as one that does not, page by page", () => {
    const script = `${fill()}; create index i on t (b);
      begin; update t set b = a % 17 || b where a % 5 = 0; delete from t where a % 11 = 0;
      savepoint s; update t set b = 'gone'; rollback to s; insert into t values (99999, 'last');
      commit; vacuum; drop index i`;
    const { database, connection } = small();
    const plain = new TestDatabase(engine);
    const other = plain.connect();
    other.exec("pragma cache_size = 10; create table t (a integer primary key, b)");
    for (const each of [connection, other]) each.exec(script);
    const all = "select * from t order by a";
    expect(connection.rows(all)).toEqual(other.rows(all));
    connection.close();
    other.close();
    expect(database.check()).toEqual(INTACT);
  });
});

import { describe, expect, test } from "vitest";
import { StorageError } from "../base/errors.ts";
import { codeOf, engineOf, INTACT, KINDS, TestDatabase } from "./database.fixture.ts";

const FILL = `with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000)
  insert into t select i, printf('%0200d', i) from n`;

describe.each(KINDS)("transactions of %s", async (kind) => {
  const engine = await engineOf(kind);

  const withTable = () => {
    const database = new TestDatabase(engine);
    const connection = database.connect();
    connection.exec("create table t (a integer primary key, b); insert into t values (1, 'one')");
    return { database, connection };
  };

  describe("what is committed", () => {
    test("is seen by others from then on, and not before", () => {
      const { database, connection } = withTable();
      const other = database.connect();
      connection.exec("begin; insert into t values (2, 'two')");
      expect(other.column("select a from t")).toEqual([1]);
      connection.exec("commit");
      expect(other.column("select a from t")).toEqual([1, 2]);
      connection.close();
      other.close();
      expect(database.check()).toEqual(INTACT);
    });

    test("moves lastCommitLsn once a transaction, and a read does not", () => {
      const { database, connection } = withTable();
      const before = connection.raw.lastCommitLsn;
      connection.exec("begin; insert into t values (2, 2); insert into t values (3, 3); commit");
      const after = connection.raw.lastCommitLsn;
      expect(after).toBe(database.memory.newestLsn);
      expect(after).not.toBe(before);
      connection.exec("select * from t; begin; select * from t; commit; begin immediate; commit");
      expect(connection.raw.lastCommitLsn).toBe(after);
      expect(connection.raw.snapshotLsn).toBeUndefined();
    });

    test("changes nothing else when no page changed", () => {
      const { database, connection } = withTable();
      const { newestLsn } = database.memory;
      connection.exec("update t set b = 'x' where a = 99; delete from t where a = 99");
      expect(database.memory.newestLsn).toBe(newestLsn);
    });
  });

  describe("what is rolled back is gone", () => {
    test("by ROLLBACK", () => {
      const { database, connection } = withTable();
      connection.exec("begin; update t set b = 'changed'; insert into t values (2, 2); rollback");
      expect(connection.rows("select * from t")).toEqual([[1, "one"]]);
      connection.close();
      expect(database.check()).toEqual(INTACT);
    });

    test("by ROLLBACK after pages had left the cache", () => {
      const { database, connection } = withTable();
      const { newestLsn } = database.memory;
      connection.exec(`pragma cache_size = 10; begin; delete from t; ${FILL}; rollback`);
      expect(connection.rows("select * from t")).toEqual([[1, "one"]]);
      expect(database.memory.newestLsn).toBe(newestLsn);
      connection.close();
      expect(database.check()).toEqual(INTACT);
    });

    test("by closing the connection in mid-transaction, which gives the lock back", () => {
      const { database, connection } = withTable();
      const other = database.connect();
      connection.exec("begin; insert into t values (2, 2)");
      connection.close();
      other.exec("insert into t values (3, 3)");
      expect(other.column("select a from t")).toEqual([1, 3]);
      other.close();
      expect(database.check()).toEqual(INTACT);
    });

    test("of the first transaction ever, and the database is empty again", () => {
      const database = new TestDatabase(engine);
      const connection = database.connect();
      connection.exec("begin; create table t (a); insert into t values (1); rollback");
      expect(connection.column("select name from sqlite_schema")).toEqual([]);
      connection.exec("create table u (a)");
      connection.close();
      expect(database.check()).toEqual(INTACT);
    });

    test("by a savepoint, alone, however deep and spilled", () => {
      const { database, connection } = withTable();
      connection.exec(`
        pragma cache_size = 10; begin; insert into t values (-1, 'kept');
        savepoint one; ${FILL.replace("select 1 union", "select 2 union")};
        savepoint two; delete from t; rollback to two; release two;
        rollback to one; insert into t values (-2, 'kept too'); release one; commit`);
      expect(connection.column("select a from t order by a")).toEqual([-2, -1, 1]);
      connection.close();
      expect(database.check()).toEqual(INTACT);
    });

    test("by a constraint that fails in mid-statement, that statement alone", () => {
      const { database, connection } = withTable();
      connection.exec("begin; insert into t values (10, 'kept')");
      const bad = "insert into t select value, value from json_each('[20, 21, 22, 10, 23]')";
      expect(codeOf(() => connection.exec(bad))).toBe("SQLITE_CONSTRAINT_PRIMARYKEY");
      expect(connection.raw.autocommit).toBe(false);
      connection.exec("commit");
      expect(connection.column("select a from t order by a")).toEqual([1, 10]);
      connection.close();
      expect(database.check()).toEqual(INTACT);
    });

    test("by ON CONFLICT ROLLBACK, the whole transaction", () => {
      const { connection } = withTable();
      connection.exec("begin; insert into t values (2, 2)");
      const bad = "insert or rollback into t values (1, 1)";
      expect(codeOf(() => connection.exec(bad))).toBe("SQLITE_CONSTRAINT_PRIMARYKEY");
      expect(connection.raw.autocommit).toBe(true);
      expect(connection.column("select a from t")).toEqual([1]);
    });
  });

  describe("readers", () => {
    // evidence: G6
    test("keep their snapshot while others commit, and move on after it", () => {
      const { database, connection } = withTable();
      const reader = database.connect();
      reader.exec("begin");
      expect(reader.column("select a from t")).toEqual([1]);
      connection.exec(
        `pragma cache_size = 10; ${FILL.replace("select 1 union", "select 2 union")}`,
      );
      connection.exec("update t set b = 'x'; vacuum");
      expect(reader.rows("select a, b from t")).toEqual([[1, "one"]]);
      expect(reader.column("pragma integrity_check")).toEqual(["ok"]);
      reader.exec("commit");
      expect(reader.rows("select count(*), max(b) from t")).toEqual([[5000, "x"]]);
      connection.close();
      reader.close();
      expect(database.check()).toEqual(INTACT);
    });

    test("keep a cursor open across another's commits", () => {
      const { database, connection } = withTable();
      connection.exec("delete from t");
      connection.exec(FILL);
      const reader = database.connect();
      const cursor = reader.prepare("select a from t");
      const seen: unknown[] = [];
      while (cursor.step()) {
        seen.push(cursor.value(0, "number"));
        if (seen.length % 1000 === 1) connection.exec(`delete from t where a > ${seen.length}`);
      }
      expect(seen).toEqual(Array.from({ length: 5000 }, (_, index) => index + 1));
      expect(reader.value("select count(*) from t")).toBe(1);
      connection.close();
      reader.close();
      expect(database.check()).toEqual(INTACT);
    });

    test("see no more than their horizon, and their own commits all the same", () => {
      const { database, connection } = withTable();
      const past = database.memory.newestLsn;
      let horizon = past;
      const held = database.connect({ horizon: () => horizon });
      connection.exec("insert into t values (2, 'two')");
      expect(held.column("select a from t")).toEqual([1]);
      expect(held.raw.prepare("select 1").statement?.step()).toBe(true);
      horizon = database.memory.newestLsn;
      held.exec("insert into t values (3, 'three')");
      horizon = past;
      expect(held.column("select a from t")).toEqual([1, 2, 3]);
    });

    test("that go back in time do not see what they have cached of a later moment", () => {
      const { database, connection } = withTable();
      const moments = [database.memory.newestLsn];
      for (let a = 2; a <= 5; a++) {
        connection.exec(`insert into t values (${a}, 'x')`);
        moments.push(database.memory.newestLsn);
      }
      let horizon = database.memory.newestLsn;
      const traveller = database.connect({ horizon: () => horizon });
      for (const index of [4, 0, 3, 1, 4, 2, 2, 0]) {
        horizon = moments[index] ?? horizon;
        expect(traveller.value("select count(*) from t")).toBe(index + 1);
      }
    });

    test("hear of another's commit by data_version, and not of their own", () => {
      const { database, connection } = withTable();
      const other = database.connect();
      const version = () => other.value("pragma data_version");
      const before = version();
      other.exec("insert into t values (2, 2)");
      expect(version()).toBe(before);
      connection.exec("insert into t values (3, 3)");
      expect(version()).not.toBe(before);
    });
  });

  describe("writers", () => {
    test("find the lock taken: SQLITE_BUSY at once, and free again after the commit", () => {
      const { database, connection } = withTable();
      const other = database.connect();
      connection.exec("begin immediate");
      expect(database.locks.holder).toBe(connection.raw);
      expect(codeOf(() => other.exec("begin immediate"))).toBe("SQLITE_BUSY");
      expect(codeOf(() => other.exec("insert into t values (5, 5)"))).toBe("SQLITE_BUSY");
      expect(other.raw.autocommit).toBe(true);
      connection.exec("commit");
      expect(database.locks.holder).toBeUndefined();
      other.exec("insert into t values (5, 5)");
      expect(other.column("select a from t")).toEqual([1, 5]);
    });

    // evidence: G6
    test("with an old snapshot get SQLITE_BUSY_SNAPSHOT, and must begin anew", () => {
      const { database, connection } = withTable();
      const other = database.connect();
      other.exec("begin");
      other.column("select a from t");
      connection.exec("insert into t values (2, 2)");
      expect(codeOf(() => other.exec("insert into t values (3, 3)"))).toBe("SQLITE_BUSY_SNAPSHOT");
      expect(other.raw.autocommit).toBe(false);
      expect(other.column("select a from t")).toEqual([1]);
      other.exec("rollback; insert into t values (3, 3)");
      expect(other.column("select a from t")).toEqual([1, 2, 3]);
      connection.close();
      other.close();
      expect(database.check()).toEqual(INTACT);
    });

    // evidence: G10
    test("that are not admitted hear why, and have done nothing", () => {
      const { database, connection } = withTable();
      const details = { full: "log", retryAfterMs: 5 };
      const full = new StorageError("BOP_BACKPRESSURE", "the log is full", { details });
      let admits = false;
      const admit = () => {
        if (!admits) throw full;
      };
      const other = database.connect({ admit });
      expect(() => other.exec("insert into t values (2, 2)")).toThrow(full);
      expect(() => other.exec("begin immediate")).toThrow(full);
      expect(other.raw.autocommit).toBe(true);
      expect(database.locks.holder).toBeUndefined();
      expect(other.column("select a from t")).toEqual([1]);
      admits = true;
      other.exec("insert into t values (2, 2)");
      expect(connection.column("select a from t")).toEqual([1, 2]);
    });
  });

  test("a deadline ends what runs, by SQLITE_INTERRUPT, and the next statement runs", () => {
    const { connection } = withTable();
    const endless =
      "with recursive n (i) as (select 1 union all select i + 1 from n) select max(i) from n";
    connection.raw.deadline(0);
    expect(codeOf(() => connection.exec(endless))).toBe("SQLITE_INTERRUPT");
    connection.raw.deadline(undefined);
    expect(connection.value("select count(*) from json_each(?)", [JSON.stringify([1, 2])])).toBe(2);
  });

  // SQLite's own rule for an interrupted write, whatever savepoints there are.
  test("a deadline within a write undoes the whole transaction, savepoints included", () => {
    const { database, connection } = withTable();
    connection.exec("begin; insert into t values (2, 'x'); savepoint s");
    connection.raw.deadline(0);
    const slow = FILL.replace("select 1 union", "select 10 union");
    expect(codeOf(() => connection.exec(slow))).toBe("SQLITE_INTERRUPT");
    connection.raw.deadline(undefined);
    expect(connection.raw.autocommit).toBe(true);
    expect(connection.column("select a from t")).toEqual([1]);
    connection.close();
    expect(database.check()).toEqual(INTACT);
  });

  test("a deadline within a read leaves its transaction as it is", () => {
    const { connection } = withTable();
    connection.exec("begin; insert into t values (2, 'x')");
    connection.raw.deadline(0);
    const slow =
      "with recursive n (i) as (select 1 union all select i + 1 from n) select max(i) from n";
    expect(codeOf(() => connection.exec(slow))).toBe("SQLITE_INTERRUPT");
    connection.raw.deadline(undefined);
    connection.exec("commit");
    expect(connection.column("select a from t")).toEqual([1, 2]);
  });

  test("commands run from a cache, and fail as statements do", () => {
    const { connection } = withTable();
    connection.raw.command("begin immediate");
    expect(connection.raw.autocommit).toBe(false);
    expect(codeOf(() => connection.raw.command("begin immediate"))).toBe("SQLITE_ERROR");
    connection.raw.command("rollback");
    connection.raw.command("begin immediate");
    connection.raw.command("commit");
    expect(connection.raw.autocommit).toBe(true);
  });
});

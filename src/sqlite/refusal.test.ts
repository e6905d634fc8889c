import { describe, expect, test } from "vitest";
import { StorageError } from "../base/errors.ts";
import type { MemoryPageSpace, PageSpace } from "../page-store/index.ts";
import { engineOf, INTACT, KINDS, TestDatabase } from "./database.fixture.ts";

const FILL = `with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000)
  insert into t select i, printf('%0200d', i) from n`;

/** Refuses to stage, or to read, while told so. */
class Refusing implements PageSpace {
  readonly #below: MemoryPageSpace;
  readonly refusal = new StorageError("BOP_DISK_FULL", "no room", {
    details: { operation: "write", file: "log" },
  });
  refuses: "stage" | "read" | undefined;
  stagings = 0;

  constructor(below: MemoryPageSpace) {
    this.#below = below;
  }

  get newestLsn() {
    return this.#below.newestLsn;
  }

  pin(...args: Parameters<PageSpace["pin"]>) {
    return this.#below.pin(...args);
  }

  unpin(...args: Parameters<PageSpace["unpin"]>) {
    this.#below.unpin(...args);
  }

  takeBuffer(pageBytes: number) {
    return this.#below.takeBuffer(pageBytes);
  }

  read(...args: Parameters<PageSpace["read"]>) {
    if (this.refuses === "read") throw this.refusal;
    return this.#below.read(...args);
  }

  stage(...args: Parameters<PageSpace["stage"]>) {
    this.stagings += 1;
    if (this.refuses === "stage") throw this.refusal;
    return this.#below.stage(...args);
  }
}

describe.each(KINDS)("pages that are refused to %s", async (kind) => {
  const engine = await engineOf(kind);

  describe("when the page space refuses a commit", () => {
    test.each([
      ["a single statement", "update t set b = 'lost'"],
      ["a transaction", "begin; update t set b = 'lost'; insert into t values (7, 7); commit"],
      ["one that spilled", `pragma cache_size = 10; begin; delete from t; ${FILL}; commit`],
    ])("%s gets its error, nothing has changed, and the connection goes on", (_name, sql) => {
      let space: Refusing | undefined;
      const database = new TestDatabase(engine, (below) => {
        space = new Refusing(below);
        return space;
      });
      const connection = database.connect();
      connection.exec("create table t (a integer primary key, b); insert into t values (1, 'one')");
      const { newestLsn } = database.memory;
      if (space === undefined) return expect.unreachable();
      space.refuses = "stage";
      expect(() => connection.exec(sql)).toThrow(space.refusal);
      expect(connection.raw.autocommit).toBe(true);
      expect(connection.rows("select * from t")).toEqual([[1, "one"]]);
      expect(database.locks.holder).toBeUndefined();
      expect(database.memory.newestLsn).toBe(newestLsn);
      space.refuses = undefined;
      connection.exec("insert into t values (2, 'two')");
      expect(connection.column("select a from t")).toEqual([1, 2]);
      connection.close();
      expect(database.check()).toEqual(INTACT);
    });

    test("a roll-back stages nothing", () => {
      let space: Refusing | undefined;
      const database = new TestDatabase(engine, (below) => {
        space = new Refusing(below);
        return space;
      });
      const connection = database.connect();
      connection.exec("create table t (a integer primary key, b)");
      const before = space?.stagings;
      connection.exec(`pragma cache_size = 10; begin; ${FILL}; rollback`);
      expect(space?.stagings).toBe(before);
    });
  });

  test("a page that cannot be read is its own error, not an I/O error of SQLite", () => {
    let space: Refusing | undefined;
    const database = new TestDatabase(engine, (below) => {
      space = new Refusing(below);
      return space;
    });
    const connection = database.connect();
    connection.exec("create table t (a integer primary key, b)");
    connection.exec(FILL);
    const other = database.connect();
    other.column("select 1 from t limit 1");
    if (space === undefined) return expect.unreachable();
    space.refuses = "read";
    expect(() => other.value("select sum(length(b)) from t")).toThrow(space.refusal);
    space.refuses = undefined;
    expect(other.value("select sum(length(b)) from t")).toBe(1_000_000);
    connection.close();
    other.close();
    expect(database.check()).toEqual(INTACT);
  });
});

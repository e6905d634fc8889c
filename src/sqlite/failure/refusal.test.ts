import { describe, expect, test } from "vitest";
import type { ScratchFile } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { simulatedEnv } from "../../io/index.ts";
import type { MemoryPageSpace, PageSpace, PageSpill } from "../../page-store/index.ts";
import { engineOf, INTACT, KINDS, TestDatabase } from "../database.fixture.ts";
import { loadEngine } from "../engine.ts";

const FILL = `with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000)
  insert into t select i, printf('%0200d', i) from n`;

/** Refuses to stage, to read or to spill, while told so. */
class Refusing implements PageSpace {
  readonly #below: MemoryPageSpace;
  readonly refusal = new StorageError("BOP_DISK_FULL", "no room", {
    details: { operation: "write", file: "log" },
  });
  refuses: "stage" | "read" | "spill" | undefined;
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

  get transactionMemoryBytes() {
    return this.#below.transactionMemoryBytes;
  }

  spill(): PageSpill {
    const spill = this.#below.spill();
    const below = spill.put.bind(spill);
    const put: PageSpill["put"] = (pages) => {
      if (this.refuses === "spill") throw this.refusal;
      below(pages);
    };
    return Object.assign(spill, { put });
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

  test.each(["stage", "spill"] as const)(
    "a transaction beyond its memory is undone when a %s is refused, and the connection goes on",
    (refuses) => {
      let space: Refusing | undefined;
      const database = new TestDatabase(engine, (below) => {
        space = new Refusing(below);
        return space;
      });
      database.memory.transactionMemoryBytes = 64 * 1024;
      const connection = database.connect();
      connection.exec("create table t (a integer primary key, b); pragma cache_size = 10");
      connection.exec(FILL);
      const { newestLsn } = database.memory;
      if (space === undefined) return expect.unreachable();
      connection.exec("begin; update t set b = 'x' || b where a < 2000");
      space.refuses = refuses;
      const rest = "update t set b = 'y' || b; delete from t where a % 3 = 0; commit";
      expect(() => connection.exec(rest)).toThrow(space.refusal);
      expect(connection.raw.autocommit).toBe(true);
      expect(database.locks.holder).toBeUndefined();
      expect(connection.rows("select count(*), sum(length(b)) from t")).toEqual([
        [5000, 1_000_000],
      ]);
      expect(database.memory.newestLsn).toBe(newestLsn);
      expect(database.memory.spills.size).toBe(0);
      space.refuses = undefined;
      connection.exec("update t set b = b || 'z'");
      expect(connection.value("select sum(length(b)) from t")).toBe(1_005_000);
      connection.close();
      expect(database.check()).toEqual(INTACT);
    },
  );

  test("a disk too full for the journal is said to be full, and the connection goes on", async () => {
    const { env } = simulatedEnv({ seed: 3 });
    let room = Number.POSITIVE_INFINITY;
    const scratch = (): ScratchFile => {
      const file = env.storage.scratch();
      return {
        get sizeBytes() {
          return file.sizeBytes;
        },
        read: (into, at) => file.read(into, at),
        write(from, at) {
          room -= from.length;
          if (room < 0) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
          file.write(from, at);
        },
        truncate: (bytes) => file.truncate(bytes),
        close: () => file.close(),
      };
    };
    const { clock, random } = env;
    const storage = Object.assign(Object.create(env.storage), { scratch });
    const own = await loadEngine({ kind, env: { clock, random, storage } });
    const database = new TestDatabase(own);
    const connection = database.connect();
    connection.exec(`create table t (a integer primary key, b); pragma cache_size = 10; ${FILL}`);
    room = 100_000;
    expect(() => connection.exec("update t set b = b || 'x'")).toThrow(
      expect.objectContaining({ code: "BOP_DISK_FULL" }),
    );
    expect(connection.value("select sum(length(b)) from t")).toBe(1_000_000);
    room = Number.POSITIVE_INFINITY;
    connection.exec("update t set b = b || 'x'");
    connection.close();
    expect(database.check()).toEqual(INTACT);
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

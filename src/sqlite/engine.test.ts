import { describe, expect, test } from "vitest";
import { simulatedEnv } from "../io/index.ts";
import { engineOf, INTACT, KINDS, TestDatabase } from "./database.fixture.ts";
import { loadEngine } from "./engine.ts";

const VERSIONS = { sqlite: "3.54.1", libsql: "3.45.1" } as const;

describe.each(KINDS)("an engine of %s", async (kind) => {
  test("says what it is", async () => {
    const engine = await engineOf(kind);
    expect([engine.kind, engine.version]).toEqual([kind, VERSIONS[kind]]);
  });

  test("prints nothing, whatever goes wrong in it", async () => {
    const printed: unknown[] = [];
    const { log, warn, error } = console;
    const note = (...words: unknown[]) => printed.push(words);
    Object.assign(console, { log: note, warn: note, error: note });
    try {
      const engine = await loadEngine({ kind, env: simulatedEnv({ seed: 1 }).env });
      const connection = new TestDatabase(engine).connect();
      for (const sql of ["nonsense", "select * from missing", "select 1 from sqlite_schema('x')"]) {
        expect(() => connection.exec(sql)).toThrow();
      }
      connection.exec("create table t (a unique); insert into t values (1)");
      expect(() => connection.exec("insert into t values (1)")).toThrow();
      engine.close();
    } finally {
      Object.assign(console, { log, warn, error });
    }
    expect(printed).toEqual([]);
  });

  test("has dice that follow from the seed, apart from those of other engines", async () => {
    const dice = async (seed: number) => {
      const engine = await loadEngine({ kind, env: simulatedEnv({ seed }).env });
      const value = new TestDatabase(engine).connect().value("select hex(randomblob(16))");
      engine.close();
      return value;
    };
    const [one, again, other] = [await dice(1), await dice(1), await dice(2)];
    expect(again).toBe(one);
    expect(other).not.toBe(one);
  });

  test("that is closed has closed its connections, and makes no more", async () => {
    const engine = await loadEngine({ kind, env: simulatedEnv({ seed: 1 }).env });
    const database = new TestDatabase(engine);
    const connection = database.connect();
    connection.exec("create table t (a); begin; insert into t values (1)");
    engine.close();
    engine.close();
    expect(connection.raw.open).toBe(false);
    expect(database.locks.holder).toBeUndefined();
    expect(database.memory.pinned).toBe(0);
    expect(() => database.connect()).toThrow("the engine is closed");
  });

  test("that breaks down gives pins and locks back, and says so from then on", async () => {
    const engine = await loadEngine({ kind, env: simulatedEnv({ seed: 1 }).env });
    const database = new TestDatabase(engine);
    const connection = database.connect();
    connection.exec(
      "create table t (a); insert into t values (1); begin; insert into t values (2)",
    );
    const statement = connection.prepare("select a from t");
    const deep = `select 1${" + 1".repeat(900)}`;
    let broken: unknown;
    const dive = (): void => {
      try {
        dive();
      } catch {
        // Out of stack: this frame and those above it have ever more of it left for C.
        if (broken !== undefined) return;
        try {
          connection.raw.prepare(deep).statement?.finalize();
        } catch (error) {
          if (error instanceof RangeError) throw error; // Not enough even to call C.
          broken = error;
        }
      }
    };
    dive();
    expect(broken).toMatchObject({ code: "BOP_CLOSED", details: { what: "engine" } });
    expect(connection.raw.open).toBe(false);
    expect(database.locks.holder).toBeUndefined();
    expect(database.memory.pinned).toBe(0);
    expect(() => connection.raw.prepare("select 1")).toThrow("broke down");
    expect(() => database.connect()).toThrow("broke down");
    expect(() => statement.step()).toThrow("broke down");
    engine.close();
    const next = new TestDatabase(await engineOf(kind), () => database.memory).connect();
    expect(next.column("select a from t")).toEqual([1]);
    expect(next.column("pragma integrity_check")).toEqual(["ok"]);
  });

  test("survives what nests as deep as SQL may, or breaks down and says so", async () => {
    const engine = await loadEngine({ kind, env: simulatedEnv({ seed: 1 }).env });
    const nested = `select json('${"[".repeat(900)}${"]".repeat(900)}')`;
    const database = new TestDatabase(engine);
    const outcome = () => database.connect().rows(nested)[0]?.length;
    // libSQL's build is compiled for debugging, and its frames are large.
    if (kind === "sqlite") expect(outcome()).toBe(1);
    else expect(outcome).toThrow("broke down");
    expect(database.memory.pinned).toBe(0);
  });

  test("serves many databases at once, each with its own pages", async () => {
    const engine = await engineOf(kind);
    const databases = Array.from({ length: 50 }, () => new TestDatabase(engine));
    const connections = databases.map((database) => database.connect());
    for (const connection of connections) connection.exec("begin; create table t (a)");
    for (const [index, connection] of connections.entries()) {
      connection.exec(`insert into t values (${index})`);
    }
    for (const connection of connections) connection.exec("commit");
    for (const [index, connection] of connections.entries()) {
      expect(connection.column("select a from t")).toEqual([index]);
      connection.close();
    }
    for (const database of databases) expect(database.check()).toEqual(INTACT);
  });

  test("a database of one engine is read by an engine of the other kind", async () => {
    const database = new TestDatabase(await engineOf(kind));
    const connection = database.connect();
    connection.exec("create table t (a, b); insert into t values (1, 'x'); vacuum");
    connection.close();
    const other = await engineOf(kind === "sqlite" ? "libsql" : "sqlite");
    const { space, locks } = database;
    const raw = other.connect({
      ...{ space, locks, horizon: () => space.newestLsn, admit: () => {} },
      ...{ profile: "embedded", pageBytes: 4096 },
    });
    const { statement } = raw.prepare("select b from t");
    statement?.step();
    expect(statement?.array("number")).toEqual(["x"]);
    raw.close();
  });
});

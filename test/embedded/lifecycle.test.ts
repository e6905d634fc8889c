import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Manager } from "../../src/index.ts";
import { openDatabase, openStore, temporaryDirectory } from "../support/store.ts";

describe("a store", () => {
  test("what was written is there after closing and opening again, and nothing is replayed", async () => {
    const directory = await temporaryDirectory();
    const first = await openStore({ directory });
    const db = await first.database("notes");
    await db.exec("create table t (v); insert into t values (1), (2)");
    await first.close();
    const second = await openStore({ directory });
    expect(second.diagnostics()).toMatchObject({ recoveredFromCrash: false, replayedCommits: 0 });
    const again = await second.database("notes", { create: false });
    expect(await again.prepare("select v from t").pluck().all()).toEqual([1, 2]);
  });

  // evidence: G8
  test("a second owner is refused with the pid of the first, and may come when it is gone", async () => {
    const directory = await temporaryDirectory();
    const first = await openStore({ directory });
    await expect(Manager.open({ directory })).rejects.toMatchObject({
      code: "BOP_LOCKED",
      details: { pid: process.pid },
    });
    await first.close();
    await openStore({ directory });
  });

  test("closing twice is closing once, and every later call says that it is closed", async () => {
    const manager = await openStore();
    const db = await manager.database("a");
    const statement = db.prepare("select 1");
    await Promise.all([manager.close(), manager.close()]);
    expect(manager.diagnostics().state).toBe("closed");
    for (const call of [
      () => manager.database("a"),
      () => manager.list(),
      () => manager.drop("a"),
      () => manager.checkpoint(),
      () => db.exec("select 1"),
      () => db.connect(),
      () => statement.get(),
      () => db.transaction(() => {}),
    ]) {
      await expect((async () => call())()).rejects.toMatchObject({ code: "BOP_CLOSED" });
    }
  });

  // evidence: G1
  test("closing in the middle of everything keeps what was acknowledged and refuses the rest", async () => {
    const directory = await temporaryDirectory();
    const manager = await openStore({ directory });
    const db = await manager.database("a");
    await db.exec("create table t (id integer primary key, v text)");
    const insert = db.prepare("insert into t (v) values (?)");
    let acknowledged = 0;
    const writers = Array.from({ length: 20 }, async () => {
      for (let i = 0; ; i++) {
        await insert.run(`row ${i}`);
        acknowledged++;
      }
    });
    const dawdler = db.transaction(async (tx) => {
      await tx.exec("insert into t (v) values ('never')");
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await tx.exec("select 1");
    });
    const outcomes = Promise.allSettled([...writers, dawdler]);
    const iterator = db.prepare("select id from t").iterate();
    await iterator.next();
    const checkpoint = manager.checkpoint();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await manager.close();
    await checkpoint;
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "BOP_CLOSED" } });
    }
    await expect(iterator.next()).rejects.toMatchObject({ code: "BOP_CLOSED" });
    const again = await (await openStore({ directory })).database("a");
    const { n } = (await again.prepare("select count(*) as n from t").get()) ?? {};
    expect(n).toBe(acknowledged);
    expect(await again.prepare("select 1 from t where v = 'never'").get()).toBeUndefined();
  });

  test("closing refuses all databases at once, though their connections are closed a few at a time", async () => {
    const manager = await openStore();
    const databases = await Promise.all(
      Array.from({ length: 30 }, (_, index) => manager.database(`tenant-${index}`)),
    );
    const reads = databases.map((db) => db.prepare("select 1"));
    const writes = databases.map((db) => db.prepare("create table t (v)"));
    for (const read of reads) await read.get();
    const closing = manager.close();
    for (const statement of [...reads, ...writes]) {
      await expect(statement.run()).rejects.toMatchObject({ code: "BOP_CLOSED" });
    }
    await closing;
  });

  test("who creates a database while the store closes is not told that nothing was done, if it was", async () => {
    const directory = await temporaryDirectory();
    for (let round = 0; round < 8; round++) {
      const name = `late-${round}`;
      const store = await openStore({ directory });
      const creating = store.database(name).then(
        () => "created",
        (error: { code: string }) => error.code,
      );
      for (let turn = 0; turn < round; turn++) await Promise.resolve();
      await store.close();
      const outcome = await creating;
      const again = await openStore({ directory });
      const isThere = (await again.list({ prefix: name })).length === 1;
      await again.close();
      const allowed = isThere ? ["created", "BOP_OUTCOME_UNKNOWN"] : ["BOP_CLOSED"];
      expect(allowed).toContain(outcome);
    }
  });

  test("a misspelt option and a value out of range are refused by name", async () => {
    const directory = await temporaryDirectory();
    await expect(Manager.open({ directory, cacheByte: 1 } as never)).rejects.toThrow(/"cacheByte"/);
    await expect(Manager.open({ directory, segmentBytes: 5 })).rejects.toThrow(/segmentBytes is 5/);
    await expect(Manager.open({ directory: "" })).rejects.toThrow(/directory must be a path/);
    expect(await readdir(directory)).toEqual([]);
  });
});

describe("databases of a store", () => {
  test("they are listed in order, by prefix and page by page", async () => {
    const manager = await openStore();
    for (const name of ["b-2", "a", "b-1", "b-3", "c"]) await manager.database(name);
    const names = async (options = {}) => (await manager.list(options)).map(({ name }) => name);
    expect(await names()).toEqual(["a", "b-1", "b-2", "b-3", "c"]);
    expect(await names({ prefix: "b-", limit: 2 })).toEqual(["b-1", "b-2"]);
    expect(await names({ prefix: "b-", after: "b-2" })).toEqual(["b-3"]);
    await expect(manager.list({ limit: 0 })).rejects.toThrow(RangeError);
    await expect(manager.list({ order: 1 } as never)).rejects.toThrow(/"order"/);
  });

  test("a renamed one keeps its content and its handles; its old name is free", async () => {
    const manager = await openStore();
    const db = await manager.database("old");
    await db.exec("create table t (v); insert into t values (7)");
    await manager.rename("old", "new");
    expect(db.name).toBe("new");
    const again = await manager.database("new", { create: false });
    expect(await again.prepare("select v from t").pluck().get()).toBe(7);
    await expect(manager.database("old", { create: false })).rejects.toMatchObject({
      code: "BOP_NOT_FOUND",
    });
    await manager.database("old");
    await expect(manager.rename("old", "new")).rejects.toMatchObject({ code: "BOP_EXISTS" });
  });

  test("a dropped one is gone for its handles, and a new one of that name is empty", async () => {
    const directory = await temporaryDirectory();
    const manager = await openStore({ directory });
    const db = await manager.database("a");
    await db.exec("create table t (v)");
    const connection = await db.connect();
    await manager.drop("a");
    await expect(db.exec("select 1")).rejects.toMatchObject({ code: "BOP_DROPPED" });
    await expect(db.prepare("select 1").get()).rejects.toMatchObject({ code: "BOP_DROPPED" });
    await expect(connection.exec("select 1")).rejects.toMatchObject({ code: "BOP_DROPPED" });
    await connection.close();
    await expect(manager.drop("a")).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
    const fresh = await manager.database("a");
    await expect(fresh.prepare("select * from t").all()).rejects.toThrow(/no such table/);
    await manager.close();
    const again = await openStore({ directory });
    expect((await again.list()).map(({ name }) => name)).toEqual(["a"]);
  });

  test("a database remembers its engine, and both engines live in one store", async () => {
    const directory = await temporaryDirectory();
    const manager = await openStore({ directory });
    const vectors = await manager.database("vectors", { engine: "libsql" });
    const plain = await manager.database("plain");
    await vectors.exec("create table v (e F32_BLOB(2))");
    await vectors.exec("insert into v values (vector32('[1,2]'))");
    await plain.exec("create table t (v)");
    await manager.close();
    const second = await openStore({ directory });
    const again = await second.database("vectors");
    expect(again.engine).toBe("libsql");
    expect(await again.prepare("select vector_extract(e) from v").pluck().get()).toBe("[1,2]");
    await expect(second.database("plain", { engine: "libsql" })).rejects.toThrow(/engine "sqlite"/);
  });

  test.each([512, 1024, 8192, 65536])(
    "a database of pages of %i bytes works and survives",
    async (pageBytes) => {
      const directory = await temporaryDirectory();
      const manager = await openStore({ directory });
      const db = await manager.database("a", { pageBytes });
      await db.exec("create table t (id integer primary key, v blob)");
      const blob = new Uint8Array(200_000).fill(7);
      await db.prepare("insert into t (v) values (?)").run(blob);
      expect(await db.pragma("page_size")).toEqual([{ page_size: pageBytes }]);
      await manager.checkpoint();
      await db.prepare("insert into t (v) values (zeroblob(1000))").run();
      await manager.close();
      const again = await (await openStore({ directory })).database("a");
      expect(await again.prepare("select v from t where id = 1").pluck().get()).toEqual(blob);
      expect(await again.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
    },
  );

  test("more databases than connections are served as if all were open", async () => {
    const manager = await openStore({ maxConnections: 10 });
    const names = Array.from({ length: 200 }, (_, index) => `db-${index}`);
    const databases = await Promise.all(names.map((name) => manager.database(name)));
    await Promise.all(databases.map((db) => db.exec("create table t (v)")));
    await Promise.all(
      databases.map((db, index) => db.prepare("insert into t values (?)").run(index)),
    );
    const values = await Promise.all(
      databases.map((db) => db.prepare("select v from t").pluck().get()),
    );
    expect(values).toEqual(names.map((_, index) => index));
  });
});

describe("import and export", () => {
  test("an exported file imports into an equal database, and an existing target is refused", async () => {
    const directory = await temporaryDirectory();
    const db = await openDatabase();
    await db.exec("create table t (id integer primary key, v text); create index i on t (v)");
    await db.exec(`insert into t (v) with recursive n(i) as (
      select 1 union all select i + 1 from n where i < 5000) select 'row ' || i from n`);
    const file = join(directory, "copy.sqlite");
    await db.export(file);
    await expect(db.export(file)).rejects.toMatchObject({ code: "BOP_EXISTS" });
    const manager = await openStore();
    await manager.import(file, "copy");
    await expect(manager.import(file, "copy")).rejects.toMatchObject({ code: "BOP_EXISTS" });
    const copy = await manager.database("copy", { create: false });
    expect(await copy.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
    const sum = "select count(*) as n, sum(length(v)) as s from t";
    expect(await copy.prepare(sum).get()).toEqual(await db.prepare(sum).get());
    expect(await readdir(directory)).toEqual(["copy.sqlite"]);
  });
});

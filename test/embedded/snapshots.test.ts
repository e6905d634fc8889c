/** Snapshots as a program meets them: what they show, for how long, and what they refuse. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Database, DatabaseSnapshot, Manager } from "../../src/index.ts";
import { openStore, temporaryDirectory } from "../support/store.ts";

const COUNT = "select count(*) from note";
const countOf = (database: Database | DatabaseSnapshot) =>
  database.prepare(COUNT).pluck<number>().get();

const add = (database: Database, body: string) =>
  database.prepare("insert into note (body) values (?)").run(body);

async function notesIn(manager: Manager, name = "notes"): Promise<Database> {
  const notes = await manager.database(name);
  await notes.exec("create table note (id integer primary key, body text)");
  return notes;
}

describe("a snapshot", () => {
  // evidence: G22
  test("shows its moment for ever: over commits, checkpoints, VACUUM and a restart", async () => {
    const directory = await temporaryDirectory();
    const manager = await openStore({ directory });
    const notes = await notesIn(manager);
    for (let row = 0; row < 50; row++) await add(notes, `${row} ${"x".repeat(900)}`);
    const text = "select group_concat(body, '|') from note";
    const expected = await notes.prepare(text).pluck().get();
    const taken = await notes.snapshot("half");
    const verify = async (store: Manager) => {
      const moment = await (await store.database("notes")).openSnapshot("half");
      expect(await moment.prepare(text).pluck().get()).toBe(expected);
      expect(await moment.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
      expect(moment).toMatchObject({ ...taken, database: "notes", engine: "sqlite" });
      await moment.close();
    };
    await verify(manager);
    await notes.exec("update note set body = 'changed' where id % 2 = 0");
    await manager.checkpoint();
    await verify(manager);
    await notes.exec("delete from note where id > 3");
    await notes.exec("vacuum");
    await manager.checkpoint();
    await manager.collect();
    await verify(manager);
    expect(await countOf(notes)).toBe(3);
    await manager.close();
    const reopened = await openStore({ directory });
    await verify(reopened);
    expect(await (await reopened.database("notes")).snapshots()).toEqual([taken]);
  });

  test("has what its caller's handle wrote before, awaited or not", async () => {
    const notes = await notesIn(await openStore());
    const writing = add(notes, "not awaited");
    await notes.snapshot("now");
    expect(await countOf(await notes.openSnapshot("now"))).toBe(1);
    await writing;
  });

  test("is read in every way that reads, and refuses every way to write, by its name", async () => {
    const notes = await notesIn(await openStore());
    await add(notes, "one");
    await add(notes, "two");
    await notes.snapshot("now");
    await notes.exec("delete from note");
    const moment = await notes.openSnapshot("now");
    const bodies = moment.prepare("select body from note order by id").pluck<string>();
    expect(await bodies.all()).toEqual(["one", "two"]);
    expect(await bodies.get()).toBe("one");
    const seen: string[] = [];
    for await (const body of bodies.iterate()) seen.push(body);
    expect(seen).toEqual(["one", "two"]);
    expect((await moment.execute("select changes()")).rows).toHaveLength(1);
    expect(await moment.describe(COUNT)).toMatchObject({ isReadonly: true });
    const refused = { code: "BOP_READ_ONLY", message: expect.stringContaining('snapshot "now"') };
    for (const sql of [
      "delete from note",
      "create table b (a)",
      "vacuum",
      "pragma user_version = 7",
    ]) {
      await expect(moment.execute(sql), sql).rejects.toMatchObject(refused);
    }
    await expect(moment.exec("insert into note values (9, '')")).rejects.toMatchObject(refused);
    const connection = await moment.connect();
    await connection.exec("create temp table mine as select body from note where id = 2");
    expect(await connection.prepare("select body from mine").pluck().all()).toEqual(["two"]);
    await expect(connection.exec("begin immediate")).rejects.toMatchObject(refused);
    await connection.close();
    expect(await bodies.all()).toEqual(["one", "two"]);
  });

  test("is exported as the file that it was, while writes go on", async () => {
    const folder = await temporaryDirectory();
    const manager = await openStore({ directory: join(folder, "store") });
    const notes = await notesIn(manager);
    for (let row = 0; row < 200; row++) await add(notes, "x".repeat(3000));
    await notes.snapshot("now");
    const moment = await notes.openSnapshot("now");
    const files = [join(folder, "a.db"), join(folder, "b.db")] as const;
    await moment.export(files[0]);
    const exporting = moment.export(files[1]);
    const closing = moment.close();
    for (let row = 0; row < 20; row++) await notes.exec("update note set body = body || 'y'");
    await Promise.all([exporting, closing]);
    const [first, second] = await Promise.all(files.map((file) => readFile(file)));
    expect(first?.equals(second as Buffer)).toBe(true);
    await manager.import(files[0], "copy");
    const lengths = "select max(length(body)) from note";
    expect(await (await manager.database("copy")).prepare(lengths).pluck().get()).toBe(3000);
  });

  test("that is open outlives its name, until it is closed", async () => {
    const manager = await openStore();
    const notes = await notesIn(manager);
    await add(notes, "x".repeat(5000));
    await notes.snapshot("now");
    const moment = await notes.openSnapshot("now");
    await notes.exec("delete from note");
    await notes.dropSnapshot("now");
    await manager.checkpoint();
    await manager.checkpoint();
    await manager.collect();
    expect(await countOf(moment)).toBe(1);
    expect(await notes.snapshots()).toEqual([]);
    await expect(notes.openSnapshot("now")).rejects.toMatchObject({
      code: "BOP_NOT_FOUND",
      details: { database: "notes", snapshot: "now" },
    });
    await moment.close();
    await moment.close();
    await expect(countOf(moment)).rejects.toMatchObject({ code: "BOP_CLOSED" });
  });

  test("goes with its database, and with the store", async () => {
    const manager = await openStore();
    const notes = await notesIn(manager);
    const other = await notesIn(manager, "other");
    await notes.snapshot("now");
    await manager.snapshot("all");
    const moments = [await notes.openSnapshot("now"), await notes.openSnapshot("all")];
    const rows = moments[0]?.prepare("select 1 union select 2").iterate();
    await rows?.next();
    await manager.drop("notes");
    for (const moment of moments) {
      await expect(countOf(moment)).rejects.toMatchObject({ code: "BOP_DROPPED" });
    }
    await expect(rows?.next()).rejects.toMatchObject({ code: "BOP_DROPPED" });
    const last = await other.openSnapshot("all");
    expect(await countOf(last)).toBe(0);
    await manager.close();
    await expect(countOf(last)).rejects.toMatchObject({ code: "BOP_CLOSED" });
  });

  test("has a name that is its database's own, free again once it is dropped", async () => {
    const manager = await openStore();
    const [a, b] = [await notesIn(manager, "a"), await notesIn(manager, "b")];
    await a.snapshot("now");
    await b.snapshot("now");
    await expect(a.snapshot("now")).rejects.toMatchObject({ code: "BOP_EXISTS" });
    const racing = await Promise.allSettled([a.snapshot("x"), a.snapshot("x")]);
    expect(racing.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await add(a, "later");
    await a.dropSnapshot("now");
    await a.snapshot("now");
    expect(await countOf(await a.openSnapshot("now"))).toBe(1);
    expect(await countOf(await b.openSnapshot("now"))).toBe(0);
    await expect(a.dropSnapshot("none")).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
    await expect(a.snapshot("")).rejects.toThrow(RangeError);
    await expect(a.snapshot(7 as never)).rejects.toThrow(TypeError);
  });

  // evidence: G22
  test("is what a fork may begin with, long after", async () => {
    const manager = await openStore();
    const notes = await notesIn(manager);
    await add(notes, "one");
    await notes.snapshot("early");
    await add(notes, "two");
    await manager.checkpoint();
    await add(notes, "three");
    const fork = await notes.fork("branch", { at: { snapshot: "early" } });
    await notes.dropSnapshot("early");
    await manager.checkpoint();
    await manager.collect();
    await add(fork, "four");
    const bodies = "select group_concat(body) from note";
    expect(await fork.prepare(bodies).pluck().get()).toBe("one,four");
    expect(await notes.prepare(bodies).pluck().get()).toBe("one,two,three");
  });
});

describe("a snapshot of the store", () => {
  // evidence: G22
  test("is one moment of all databases: what was written after it to one is in none", async () => {
    const manager = await openStore();
    const names = ["a", "b", "c"];
    const databases = await Promise.all(names.map((name) => notesIn(manager, name)));
    let isOver = false;
    const writing = (async () => {
      // One after the other, so that at every moment a has as many rows as b, or one more, and so on.
      while (!isOver) for (const database of databases) await add(database, "row");
    })();
    const moments = 12;
    for (let index = 0; index < moments; index++) {
      await manager.snapshot(`moment ${index}`);
      if (index % 4 === 1) await manager.checkpoint();
    }
    isOver = true;
    await writing;
    for (let index = 0; index < moments; index++) {
      const counts: number[] = [];
      for (const database of databases) {
        const moment = await database.openSnapshot(`moment ${index}`);
        counts.push((await countOf(moment)) ?? -1);
        await moment.close();
      }
      expect(counts.toSorted((x, y) => y - x)).toEqual(counts);
      expect((counts[0] ?? 0) - (counts[2] ?? 0)).toBeLessThanOrEqual(1);
    }
  });

  test("is one entry of the log, however many databases there are", async () => {
    const manager = await openStore();
    await Promise.all(Array.from({ length: 50 }, (_, n) => manager.database(`tenant ${n}`)));
    const before = manager.diagnostics().log.commits;
    await manager.snapshot("all");
    expect(manager.diagnostics().log.commits - before).toBe(1);
  });

  test("is found by every database that there was, behind its own of the same name", async () => {
    const manager = await openStore();
    const [a, b] = [await notesIn(manager, "a"), await notesIn(manager, "b")];
    await manager.snapshot("all");
    await add(a, "later");
    await a.snapshot("all");
    const young = await notesIn(manager, "young");
    expect(await countOf(await a.openSnapshot("all"))).toBe(1);
    expect(await countOf(await b.openSnapshot("all"))).toBe(0);
    const missing = { code: "BOP_NOT_FOUND", details: { database: "young", snapshot: "all" } };
    await expect(young.openSnapshot("all")).rejects.toMatchObject(missing);
    await expect(young.fork("c", { at: { snapshot: "all" } })).rejects.toMatchObject(missing);
    const scopes = async (of: Pick<Database, "snapshots">) =>
      (await of.snapshots()).map(({ name, scope }) => `${name} of ${scope}`);
    expect(await scopes(a)).toEqual(["all of database", "all of store"]);
    expect(await scopes(b)).toEqual(["all of store"]);
    expect(await scopes(young)).toEqual([]);
    expect(await scopes(manager)).toEqual(["all of store"]);
    await expect(b.dropSnapshot("all")).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
    const early = await a.fork("early", { at: { snapshot: "all" } });
    expect(await countOf(early)).toBe(1);
    await manager.dropSnapshot("all");
    await expect(manager.dropSnapshot("all")).rejects.toMatchObject({
      code: "BOP_NOT_FOUND",
      details: { database: "", snapshot: "all" },
    });
    await expect(b.openSnapshot("all")).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
  });

  test("that is taken during an import has nothing of it", async () => {
    const folder = await temporaryDirectory();
    const manager = await openStore({ directory: join(folder, "store") });
    const notes = await notesIn(manager);
    for (let row = 0; row < 20; row++) await add(notes, "x".repeat(3000));
    const file = join(folder, "notes.db");
    await notes.export(file);
    const importing = manager.import(file, "copy", {
      onProgress: () => void manager.snapshot("meanwhile").catch(() => undefined),
    });
    await importing;
    await expect.poll(async () => (await manager.snapshots()).length).toBe(1);
    const copy = await manager.database("copy");
    await expect(copy.openSnapshot("meanwhile")).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
    expect(await countOf(await notes.openSnapshot("meanwhile"))).toBe(20);
  });
});

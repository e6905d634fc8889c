/** Forks as a program meets them: what they begin with, what they share, and who may go when. */
import { describe, expect, test } from "vitest";
import type { Database, Manager } from "../../src/index.ts";
import { openStore, temporaryDirectory } from "../support/store.ts";

const rowsOf = (database: Database) =>
  database.prepare("select body from note order by id").pluck<string>().all();

const add = (database: Database, ...bodies: readonly string[]) =>
  database.batch(
    bodies.map((body) => ({ sql: "insert into note (body) values (?)", parameters: [body] })),
  );

async function notesIn(manager: Manager, name = "notes"): Promise<Database> {
  const notes = await manager.database(name);
  await notes.exec("create table note (id integer primary key, body text)");
  return notes;
}

describe("a fork", () => {
  // evidence: G22
  test("begins with what was acknowledged, and each goes its own way from there", async () => {
    const manager = await openStore();
    const notes = await notesIn(manager);
    await add(notes, "common");
    const fork = await notes.fork("branch");
    await Promise.all([add(notes, "of the origin"), add(fork, "of the fork")]);
    expect(await rowsOf(notes)).toEqual(["common", "of the origin"]);
    expect(await rowsOf(fork)).toEqual(["common", "of the fork"]);
    expect(fork.name).toBe("branch");
    expect(await fork.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
    const again = await manager.database("branch", { create: false });
    expect(await rowsOf(again)).toEqual(["common", "of the fork"]);
  });

  test("has what its caller's handle wrote before, awaited or not", async () => {
    const notes = await notesIn(await openStore());
    const writing = add(notes, "not awaited");
    const fork = await notes.fork("branch");
    expect(await rowsOf(fork)).toEqual(["not awaited"]);
    await writing;
  });

  test("has nothing of a transaction that is under way, and does not wait for it", async () => {
    const notes = await notesIn(await openStore());
    await add(notes, "before");
    const fork = await notes.transaction(async (tx) => {
      await tx.exec("insert into note (body) values ('in the transaction')");
      return notes.fork("branch");
    });
    expect(await rowsOf(notes)).toEqual(["before", "in the transaction"]);
    expect(await rowsOf(fork)).toEqual(["before"]);
    await add(fork, "after");
    expect(await rowsOf(fork)).toEqual(["before", "after"]);
  });

  test("of an empty database is an empty database", async () => {
    const manager = await openStore();
    const empty = await manager.database("empty", { pageBytes: 8192 });
    const fork = await empty.fork("branch");
    await fork.exec("create table note (id integer primary key, body text)");
    await add(fork, "first");
    expect(await rowsOf(fork)).toEqual(["first"]);
    expect(await fork.pragma("page_size")).toEqual([{ page_size: 8192 }]);
    expect(await empty.prepare("select count(*) from sqlite_schema").pluck().get()).toBe(0);
  });

  test("of a libSQL database is one", async () => {
    const manager = await openStore();
    const vectors = await manager.database("vectors", { engine: "libsql" });
    await vectors.exec("create table v (e f32_blob(2))");
    await vectors.exec("insert into v values (vector32('[1,2]'))");
    const fork = await vectors.fork("branch");
    expect(fork.engine).toBe("libsql");
    expect(await fork.prepare("select vector_extract(e) from v").pluck().get()).toBe("[1,2]");
  });

  // evidence: G22
  test("costs an entry of the log and no page, whatever the size, also when nothing is in memory", async () => {
    const directory = await temporaryDirectory();
    const first = await openStore({ directory });
    const notes = await notesIn(first);
    await add(notes, ...Array.from({ length: 500 }, () => "x".repeat(4000)));
    await first.close();
    const manager = await openStore({ directory });
    const reopened = await manager.database("notes");
    const before = manager.diagnostics();
    const fork = await reopened.fork("branch");
    const after = manager.diagnostics();
    expect(after.log.frameBytes - before.log.frameBytes).toBeLessThan(256);
    expect(after.log.commits - before.log.commits).toBe(1);
    expect(after.pages.cacheMisses).toBe(before.pages.cacheMisses);
    expect(await fork.prepare("select count(*) from note").pluck().get()).toBe(500);
  });

  // evidence: G22
  test("of a fork of a fork has the rows of each moment, folded or not, reopened or not", async () => {
    const directory = await temporaryDirectory();
    const manager = await openStore({ directory });
    let database = await notesIn(manager, "0");
    const expected: string[] = [];
    for (let depth = 0; depth < 12; depth++) {
      expected.push(`at ${depth}`);
      await add(database, `at ${depth}`);
      if (depth % 3 === 1) await manager.checkpoint();
      const fork = await database.fork(String(depth + 1));
      await add(database, "behind the fork");
      database = fork;
    }
    const verify = async (store: Manager) => {
      for (let depth = 0; depth <= 12; depth++) {
        const found = await rowsOf(await store.database(String(depth), { create: false }));
        const own = depth < 12 ? [`at ${depth}`, "behind the fork"] : [];
        expect(found, `fork ${depth}`).toEqual([...expected.slice(0, depth), ...own]);
      }
    };
    await verify(manager);
    await manager.checkpoint();
    await verify(manager);
    await manager.close();
    await verify(await openStore({ directory }));
  });

  test("may be made while checkpoints run and both are written to", async () => {
    const manager = await openStore();
    const notes = await notesIn(manager);
    await add(notes, ...Array.from({ length: 300 }, () => "x".repeat(2000)));
    const forks: Database[] = [];
    let isOver = false;
    const writing = (async () => {
      for (let row = 0; !isOver; row++) await add(notes, `row ${row}`);
    })();
    for (let round = 0; round < 8; round++) {
      const folding = manager.checkpoint();
      forks.push(await notes.fork(`branch-${round}`));
      await folding;
    }
    isOver = true;
    await writing;
    await manager.checkpoint();
    let before = 300;
    for (const fork of forks) {
      const rows = await fork.prepare("select count(*) from note").pluck<number>().get();
      expect(rows).toBeGreaterThanOrEqual(before);
      expect(await fork.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
      before = rows ?? 0;
    }
  });
});

describe("names of forks", () => {
  test("a taken one is refused, and of two forks that want one name one gets it", async () => {
    const manager = await openStore();
    const notes = await notesIn(manager);
    await expect(notes.fork("notes")).rejects.toMatchObject({ code: "BOP_EXISTS" });
    const racing = await Promise.allSettled([notes.fork("branch"), notes.fork("branch")]);
    expect(racing.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(racing.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: "BOP_EXISTS", details: { name: "branch" } },
    });
    expect((await manager.list()).map(({ name }) => name)).toEqual(["branch", "notes"]);
  });

  test("what makes no sense is refused before anything happens", async () => {
    const manager = await openStore();
    const notes = await notesIn(manager);
    await expect(notes.fork("")).rejects.toThrow(RangeError);
    await expect(notes.fork("a", { on: 1 } as never)).rejects.toThrow(TypeError);
    await expect(notes.fork("a", { at: "noon" as never })).rejects.toThrow(TypeError);
    await expect(notes.fork("a", { at: new Date("never") })).rejects.toThrow(RangeError);
    await expect(notes.fork("a", { at: { lsn: -1 } })).rejects.toThrow(RangeError);
    await expect(notes.fork("a", { at: { snapshot: "none" } })).rejects.toMatchObject({
      code: "BOP_NOT_FOUND",
      details: { database: "notes", snapshot: "none" },
    });
    expect(await manager.list()).toHaveLength(1);
  });

  test("a handle whose database was dropped, or that was closed, forks nothing", async () => {
    const manager = await openStore();
    const notes = await notesIn(manager);
    const dropping = manager.drop("notes");
    await expect(notes.fork("branch")).rejects.toMatchObject({ code: "BOP_DROPPED" });
    await dropping;
    const other = await notesIn(manager, "other");
    await other.close();
    await expect(other.fork("branch")).rejects.toMatchObject({ code: "BOP_CLOSED" });
    expect((await manager.list()).map(({ name }) => name)).toEqual(["other"]);
  });
});

describe("a family", () => {
  const ORDERS = [
    ["a", "b", "c"],
    ["a", "c", "b"],
    ["b", "a", "c"],
    ["b", "c", "a"],
    ["c", "a", "b"],
    ["c", "b", "a"],
  ];

  // evidence: G22
  test.each(ORDERS)(
    "may be dropped in the order %s, %s, %s: who is left keeps all",
    async (...order) => {
      const directory = await temporaryDirectory();
      let manager = await openStore({ directory });
      const a = await notesIn(manager, "a");
      await add(a, "1", "x".repeat(9000));
      await manager.checkpoint();
      const b = await a.fork("b");
      await add(b, "2");
      const c = await b.fork("c");
      await add(c, "3");
      const expected: Record<string, string[]> = { a: ["1"], b: ["1", "2"], c: ["1", "2", "3"] };
      const left = new Set(order);
      for (const [index, name] of order.entries()) {
        await manager.drop(name);
        left.delete(name);
        if (index === 0) await manager.checkpoint();
        if (index === 1) {
          await manager.close();
          manager = await openStore({ directory });
        }
        for (const other of left) {
          const database = await manager.database(other, { create: false });
          const rows = (await rowsOf(database)).filter((body) => body.length < 10);
          expect(rows, `${other} after ${name}`).toEqual(expected[other]);
          expect(await database.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
        }
      }
      await manager.checkpoint();
      await manager.checkpoint();
      await manager.collect();
      expect(manager.diagnostics().pages.chunks).toBe(0);
      expect(manager.diagnostics().manifest.rows).toMatchObject({
        databases: 0,
        mapRows: 0,
        forks: 0,
      });
    },
  );

  test("shows in lists and trees, under the names of now, the dropped in their places", async () => {
    const manager = await openStore();
    const shop = await notesIn(manager, "shop");
    const middle = await shop.fork("middle");
    await middle.fork("leaf");
    await middle.snapshot("kept");
    expect(await manager.tree()).toHaveLength(1);
    await manager.rename("shop", "store");
    const listed = await manager.list();
    expect(
      listed.map(({ name, forkedFrom, snapshots }) => [name, forkedFrom?.name, snapshots]),
    ).toEqual([
      ["leaf", "middle", 0],
      ["middle", "store", 1],
      ["store", undefined, 0],
    ]);
    const [root] = await manager.tree("leaf");
    expect(root).toMatchObject({
      name: "store",
      forks: [
        { name: "middle", snapshots: [{ name: "kept" }], forks: [{ name: "leaf", forks: [] }] },
      ],
    });
    expect(root?.forks[0]?.forkedAtLsn).toBe(listed[1]?.forkedFrom?.lsn);
    expect(root?.forks[0]?.sizeBytes).toBe(listed[1]?.sizeBytes);
    expect(root?.sizeBytes).toBeGreaterThan(0);
    await manager.drop("middle");
    const [after] = await manager.tree("store");
    const [dropped] = after?.forks ?? [];
    expect(dropped).toMatchObject({ state: "dropped", snapshots: [], forks: [{ name: "leaf" }] });
    await expect(manager.tree("middle")).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
    expect(await manager.tree()).toEqual([after]);
  });

  test("is told of in the change log: who was forked from whom, and what is kept", async () => {
    const manager = await openStore();
    await manager.createCursor("reader", { fromNow: true });
    const shop = await notesIn(manager, "shop");
    await shop.fork("branch");
    const { lsn } = await shop.snapshot("mine");
    await manager.snapshot("all");
    await shop.dropSnapshot("mine");
    await manager.rename("shop", "store");
    const seen: object[] = [];
    for await (const {
      ack,
      sequence: _s,
      at: _a,
      generation: _g,
      lsn: _l,
      ...body
    } of manager.changes({ cursor: "reader" })) {
      await ack();
      if (body.kind !== "advanced" && body.kind !== "checkpoint") seen.push(body);
      if (body.kind === "renamed") break;
    }
    const stream = expect.any(Number);
    const [branch] = await manager.list({ prefix: "branch" });
    const origin = { database: "shop", stream, lsn: branch?.forkedFrom?.lsn };
    const mine = { snapshot: "mine", database: "shop", stream, momentLsn: lsn };
    expect(seen).toEqual([
      { kind: "created", database: "shop", stream, engine: "sqlite" },
      { kind: "forked", database: "branch", stream, engine: "sqlite", origin },
      { kind: "snapshot", ...mine },
      {
        kind: "snapshot",
        snapshot: "all",
        database: undefined,
        stream: 0,
        momentLsn: expect.any(Number),
      },
      { kind: "snapshot-dropped", ...mine },
      { kind: "renamed", database: "store", previousName: "shop", stream },
    ]);
  });
});

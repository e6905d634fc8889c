import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Manager } from "../manager/index.ts";
import { createClient } from "./index.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bop-libsql-"));
});
afterEach(() => rm(directory, { recursive: true }));

/** Opens the store as soon as the last client has let go of it. */
async function openWhenFree(): Promise<Manager> {
  for (;;) {
    try {
      return await Manager.open({ directory });
    } catch (error) {
      expect(error).toMatchObject({ code: "BOP_LOCKED" });
    }
  }
}

describe("clients of one directory", () => {
  test("share a store, and each has the database that it names", async () => {
    const one = createClient({ url: `file:${directory}?database=one` });
    const two = createClient({ directory, database: "two" });
    const again = createClient({ directory, database: "one" });
    await Promise.all([one, two].map((client) => client.execute("create table t (a)")));
    await one.execute("insert into t values ('one')");
    expect((await again.execute("select a from t")).rows).toEqual([{ a: "one" }]);
    expect((await two.execute("select a from t")).rows).toEqual([]);
    for (const client of [one, two, again]) client.close();
    await (await openWhenFree()).close();
  });

  test("the last one closes the store cleanly, without what was not committed", async () => {
    const client = createClient({ directory });
    await client.executeMultiple("create table t (a); insert into t values (1)");
    const tx = await client.transaction("write");
    await tx.execute("insert into t values (2)");
    client.close();
    expect(tx.closed).toBe(true);
    const manager = await openWhenFree();
    expect(manager.diagnostics().recoveredFromCrash).toBe(false);
    const database = await manager.database("default", { create: false });
    expect(await database.prepare("select a from t").pluck().all()).toEqual([1]);
    await manager.close();
  });

  test("one that comes while the store is closing waits and opens it anew", async () => {
    for (let i = 0; i < 3; i++) {
      const client = createClient({ directory });
      await client.execute("create table if not exists t (a)");
      await client.execute("insert into t values (?)", [BigInt(i)]);
      client.close();
    }
    const last = createClient({ directory });
    expect((await last.execute("select count(*) as n from t")).rows).toEqual([{ n: 3 }]);
    last.close();
    await (await openWhenFree()).close();
  });

  test("a store that somebody else has is refused with its code, and tried again later", async () => {
    const manager = await Manager.open({ directory });
    const client = createClient({ directory });
    await expect(client.execute("select 1")).rejects.toMatchObject({ code: "BOP_LOCKED" });
    await manager.close();
    expect((await client.execute("select 1 as one")).rows).toEqual([{ one: 1 }]);
    client.close();
    await (await openWhenFree()).close();
  });

  test("a manager that a program brings stays open when its clients close", async () => {
    const manager = await Manager.open({ directory });
    const client = createClient({ manager, database: "notes" });
    await client.execute("create table t (a)");
    client.close();
    const notes = await manager.database("notes", { create: false });
    expect(await notes.prepare("select count(*) from t").pluck().get()).toBe(0);
    await manager.close();
  });
});

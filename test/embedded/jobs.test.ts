import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openStore, temporaryDirectory } from "../support/store.ts";

describe("jobs", () => {
  test("a check of a sound database is done in the background and says so", async () => {
    const manager = await openStore();
    const db = await manager.database("shop");
    await db.exec("create table t (v); create index i on t (v); create table u (w)");
    await db.exec("insert into t values (1), (2)");
    const { id } = await manager.verifyDatabase("shop");
    const over = await manager.job(id).finished();
    expect(over).toMatchObject({
      kind: "integrity-check",
      database: "shop",
      state: "done",
      result: "ok",
      attempts: 1,
      progress: { done: 3, total: 3 },
    });
    expect(manager.jobs()).toEqual([over]);
    await manager.job(id).discard();
    expect(manager.jobs()).toEqual([]);
  });

  test("what is wrong with a database is the result, though the job itself went well", async () => {
    const manager = await openStore();
    const file = join(await temporaryDirectory(), "shop.sqlite");
    const sound = await manager.database("sound");
    await sound.exec(
      "create table t (v); create index i on t (v); insert into t values ('needle')",
    );
    await sound.export(file);
    const bytes = await readFile(file);
    bytes.write("NEEDLE", bytes.indexOf("needle")); // In the table, and not in its index.
    await writeFile(file, bytes);
    await manager.import(file, "shop");
    const { id } = await manager.verifyDatabase("shop");
    const { state, result } = await manager.job(id).finished();
    expect(state).toBe("done");
    expect(result).toContain("missing from index i");
  });

  test("two wishes for the same check are one job", async () => {
    const manager = await openStore();
    await manager.database("shop");
    const [a, b] = await Promise.all([
      manager.verifyDatabase("shop"),
      manager.verifyDatabase("shop"),
    ]);
    expect(a.id).toBe(b.id);
    await manager.job(a.id).finished();
    const later = await manager.verifyDatabase("shop");
    expect(later.id).not.toBe(a.id);
    await manager.job(later.id).finished();
  });

  // evidence: G14
  test("a job that closing cut off is taken up again when the store is opened", async () => {
    const directory = await temporaryDirectory();
    const first = await openStore({ directory });
    const db = await first.database("shop");
    for (let n = 0; n < 20; n++) await db.exec(`create table t${n} (v)`);
    const { id } = await first.verifyDatabase("shop");
    await first.close();
    const second = await openStore({ directory });
    expect(await second.job(id).finished()).toMatchObject({ state: "done", result: "ok" });
  });

  test("a job of a database that was dropped fails for good, and keeps the reason", async () => {
    const manager = await openStore();
    await manager.database("shop");
    const { id } = await manager.verifyDatabase("shop");
    await manager.job(id).finished();
    const job = manager.verifyDatabase("shop");
    await manager.drop("shop");
    const over = await manager.job((await job).id).finished();
    expect(["failed", "done"]).toContain(over.state);
    if (over.state === "failed") expect(over.reason).toContain("dropped");
    expect(over.database).toBeUndefined();
  });

  test("a job that is over cannot be cancelled, and what is not there is refused", async () => {
    const manager = await openStore();
    await manager.database("shop");
    const { id } = await manager.verifyDatabase("shop");
    await manager.job(id).finished();
    await expect(manager.job(id).cancel()).rejects.toThrow(TypeError);
    await expect(manager.job(99).retry()).rejects.toThrow(RangeError);
    await expect(manager.verifyDatabase("none")).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
  });
});

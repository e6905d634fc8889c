import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KIB } from "../../src/base/units.ts";
import type { Database, Manager } from "../../src/index.ts";
import { openStore, temporaryDirectory } from "../support/store.ts";

const MEMORY = { transactionMemoryBytes: 256 * KIB };
const TABLE = "create table t (a integer primary key, b blob not null)";
/** 4,000 rows, about 4 MiB. */
const FILL = `with recursive n (i) as (select 1 union all select i + 1 from n where i < 4000)
  insert into t select i, randomblob(1000) from n`;
const FOUND = "select count(*) as count, sum(length(b)) as bytes from t";
const FULL = { count: 4000, bytes: 4_000_000 };

async function filled(manager: Manager): Promise<Database> {
  const db = await manager.database("large");
  await db.exec(TABLE);
  await db.transaction((tx) => tx.exec(FILL));
  return db;
}

async function expectSound(db: Database, found: object = FULL): Promise<void> {
  expect(await db.prepare(FOUND).get()).toEqual(found);
  expect(await db.prepare("pragma integrity_check").pluck().get()).toBe("ok");
}

async function chunkFiles(directory: string): Promise<number> {
  const names = await readdir(join(directory, "chunks"), { recursive: true });
  return names.filter((name) => name.endsWith(".chunk")).length;
}

describe("a transaction larger than its memory", () => {
  test("commits, and its pages are written once: the log grows by a page, not by megabytes", async () => {
    const manager = await openStore(MEMORY);
    const db = await filled(manager);
    const { log, pages } = manager.diagnostics();
    expect(log.frameBytes).toBeLessThan(4 * KIB);
    expect(pages).toMatchObject({ spilledCommits: 1 });
    expect(pages.overlayBytes).toBeLessThan(64 * KIB);
    await expectSound(db);
    await manager.checkpoint();
    await expectSound(db);
    expect(manager.diagnostics().pages.spilledBytes).toBe(0);
  });

  test("rolls back, and nothing of it stays on disk", async () => {
    const directory = await temporaryDirectory();
    const manager = await openStore({ ...MEMORY, directory });
    const db = await filled(manager);
    await manager.checkpoint();
    const files = await chunkFiles(directory);
    const connection = await db.connect();
    await connection.exec("pragma cache_size = 20; begin; update t set b = randomblob(900)");
    expect(await readdir(join(directory, "tmp"))).toHaveLength(1);
    await connection.exec("delete from t where a % 3 = 0; rollback");
    await connection.close();
    await expectSound(db);
    await manager.close();
    expect(await chunkFiles(directory)).toBe(files);
    expect(await readdir(join(directory, "tmp"))).toEqual([]);
    await expectSound(await (await openStore({ directory })).database("large"));
  });

  test("beyond its limit is refused, and the store goes on", async () => {
    const manager = await openStore({ ...MEMORY, maxTransactionBytes: 1024 * KIB });
    const db = await manager.database("large");
    await db.exec(TABLE);
    await expect(db.transaction((tx) => tx.exec(FILL))).rejects.toMatchObject({
      code: "BOP_TRANSACTION_TOO_LARGE",
      details: { limitBytes: 1024 * KIB },
    });
    await db.exec("insert into t values (1, x'00')");
    await expectSound(db, { count: 1, bytes: 1 });
  });

  test("may be a VACUUM, also one that changes the size of pages", async () => {
    const manager = await openStore(MEMORY);
    const db = await filled(manager);
    await db.exec("delete from t where a % 2 = 0");
    await db.exec("vacuum");
    await expectSound(db, { count: 2000, bytes: 2_000_000 });
    expect(manager.diagnostics().pages.spilledCommits).toBeGreaterThan(1);
  });

  test("goes on beside readers, who keep what they saw, and small ones, which stay in the log", async () => {
    const manager = await openStore(MEMORY);
    const db = await filled(manager);
    const reader = await db.connect();
    await reader.exec("begin");
    expect(await reader.prepare(FOUND).get()).toEqual(FULL);
    await db.transaction((tx) => tx.exec("update t set b = randomblob(500)"));
    await db.exec("update t set b = x'01' where a = 7");
    expect(await reader.prepare(FOUND).get()).toEqual(FULL);
    await manager.checkpoint();
    expect(await reader.prepare(FOUND).get()).toEqual(FULL);
    await reader.exec("commit");
    await reader.close();
    await expectSound(db, { count: 4000, bytes: 3999 * 500 + 1 });
  });
});

// evidence: G11
test("a file larger than a transaction's memory is imported through no log, and exported again", async () => {
  const directory = await temporaryDirectory();
  const first = await openStore(MEMORY);
  await (await filled(first)).export(join(directory, "large.sqlite"));
  const manager = await openStore({ ...MEMORY, directory: join(directory, "store") });
  const progress: number[] = [];
  const onProgress = (done: number, total: number) => progress.push(done / total);
  await manager.import(join(directory, "large.sqlite"), "copy", { onProgress });
  expect(progress.at(-1)).toBe(1);
  expect(manager.diagnostics().log.frameBytes).toBeLessThan(4 * KIB);
  expect(manager.diagnostics().pages.spilledCommits).toBe(1);
  const copy = await manager.database("copy", { create: false });
  await expectSound(copy);
  await copy.exec("delete from t where a > 1000");
  await manager.close();
  const again = await openStore({ directory: join(directory, "store") });
  const reopened = await again.database("copy", { create: false });
  await expectSound(reopened, { count: 1000, bytes: 1_000_000 });
});

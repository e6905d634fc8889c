/** One database out of a bucket. */
import { describe, expect, test } from "vitest";
import { type DatabaseRestore, openPastDatabase } from "./database.ts";
import { openBucket } from "./open-bucket.ts";
import { RestoreRig } from "./restored.fixture.ts";

const TABLE = "create table t (id integer primary key, body text)";

/** All pages as one SQLite file, read by SQLite itself; and what was read for them. */
async function pagesOf(rig: RestoreRig, database: string, at?: DatabaseRestore["at"]) {
  const { env } = rig;
  return rig.run(async () => {
    const opened = await openBucket(rig.objects(), { env });
    try {
      const past = await openPastDatabase({ env, ...opened, database, at });
      const plan = past.plan();
      const images: Uint8Array[] = [];
      for (let from = 1; from <= past.pageCount; from += 50) {
        images.push(...(await past.pages(from, Math.min(past.pageCount, from + 49))));
      }
      const { pageCount, pageBytes, lsn, reads } = past;
      await past.close();
      return { file: Buffer.concat(images), pageCount, pageBytes, lsn, reads, plan };
    } finally {
      await opened.close();
    }
  });
}

/** What the store itself exports at this moment. */
async function exported(rig: RestoreRig, names: readonly string[]) {
  const manager = await rig.open();
  const files = new Map<string, Buffer>();
  for (const name of names) {
    await rig.run(async () => {
      const path = `/export-${name}`;
      await (await manager.database(name)).export(path);
      const file = await rig.env.storage.open(path, "read");
      const bytes = Buffer.alloc(await file.size());
      await file.read(bytes, 0);
      await file.close();
      files.set(name, bytes);
    });
  }
  await rig.run(() => manager.close());
  return files;
}

describe("one database", () => {
  // evidence: G36
  test("every page is that of the store, of forks, renamed and large ones too", async () => {
    const rig = new RestoreRig(11);
    const manager = await rig.open();
    await rig.run(async () => {
      for (const name of ["plain", "origin", "gone"]) {
        const database = await manager.database(name);
        await database.exec(TABLE);
        for (let n = 0; n < 200; n += 1) {
          await database.prepare("insert into t (body) values (?)").run(name.repeat(200) + n);
        }
      }
      const old = await (await manager.database("origin")).fork("old-fork");
      await old.exec("update t set body = 'changed' where id % 7 = 0");
      await (await manager.database("gone")).fork("orphan");
      await manager.drop("gone");
      await manager.checkpoint();
      await (await manager.database("origin")).exec("delete from t where id > 150; vacuum");
      await manager.close();
    });
    await rig.ship();
    const again = await rig.open();
    await rig.run(async () => {
      const origin = await again.database("origin");
      await origin.exec("update t set body = 'later' where id < 20");
      const young = await origin.fork("young-fork");
      await origin.exec("delete from t where id < 100");
      await young.exec("insert into t (body) values ('of the young one')");
      await again.rename("plain", "renamed");
      const made = await again.database("made");
      await made.exec(TABLE);
      const big =
        "insert into t (body) select hex(zeroblob(1500)) from (select 1 from t a, t b limit 800)";
      await (await again.database("renamed")).exec(big);
    });
    rig.kill();
    await rig.ship({ state: false });
    const names = ["renamed", "origin", "orphan", "old-fork", "young-fork", "made"];
    const expected = await exported(rig, names);
    for (const name of names) {
      const { file } = await pagesOf(rig, name);
      expect(file.equals(expected.get(name) as Buffer), name).toBe(true);
    }
    await expect(pagesOf(rig, "plain")).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
    await expect(pagesOf(rig, "gone")).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
  });

  // evidence: G36
  test("one that was dropped since is there at a moment before", async () => {
    const rig = new RestoreRig(12);
    const manager = await rig.open();
    const { lsn } = await rig.run(async () => {
      const database = await manager.database("lost");
      await database.exec(TABLE);
      await database.exec("insert into t (body) values ('kept')");
      await manager.checkpoint();
      const written = await database.prepare("insert into t (body) values ('last')").run();
      await database.exec("insert into t (body) values ('too late')");
      await manager.drop("lost");
      return written;
    });
    rig.kill();
    await rig.ship();
    await expect(pagesOf(rig, "lost")).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
    const { file } = await pagesOf(rig, "lost", { lsn });
    expect(file.includes("last")).toBe(true);
    expect(file.includes("too late")).toBe(false);
  });

  // evidence: G36
  test("what is read does not depend on how many other databases there are", async () => {
    const costs: { readonly objects: number; readonly requests: number; readonly bytes: number }[] =
      [];
    for (const others of [2, 60]) {
      const rig = new RestoreRig(13, 10_000);
      const manager = await rig.open();
      await rig.run(async () => {
        for (let n = 0; n < others; n += 1) {
          const database = await manager.database(`other-${n}`);
          await database.exec(`${TABLE}; insert into t (body) values (hex(randomblob(20000)))`);
        }
        await manager.checkpoint();
        const database = await manager.database("wanted");
        await database.exec(`${TABLE}; insert into t (body) values (hex(randomblob(200000)))`);
        await manager.close();
      });
      await rig.ship();
      const { reads, plan, file } = await pagesOf(rig, "wanted");
      expect(plan.bytes).toBeGreaterThanOrEqual(file.length);
      costs.push(reads);
    }
    const [few, many] = costs;
    expect(many?.objects).toBe(few?.objects);
    expect(many?.requests).toBe(few?.requests);
    // Of the rows it reads whole blocks, which are shared: 32 KiB for each range of keys.
    expect(many?.bytes).toBeLessThan((few?.bytes ?? 0) + 12 * 32 * 1024);
  });
});

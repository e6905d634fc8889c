/** A database restored into a store that is open. */
import { describe, expect, test } from "vitest";
import type { Manager } from "../manager/index.ts";
import { RestoreRig } from "./restored.fixture.ts";

const TABLE = "create table t (id integer primary key, body text)";

/** "shop" has ten rows in the bucket, and more since. */
async function rigWithShop(seed: number) {
  const rig = new RestoreRig(seed);
  const manager = await rig.open();
  await rig.run(async () => {
    const shop = await manager.database("shop");
    await shop.exec(TABLE);
    const insert = shop.prepare("insert into t (body) values (?)");
    for (let n = 0; n < 10; n += 1) await insert.run(`good ${n}`);
    await manager.close();
  });
  await rig.ship();
  const again = await rig.open();
  const { lsn } = await rig.run(async () => {
    const shop = await again.database("shop");
    const last = await shop.prepare("insert into t (body) values ('the last good one')").run();
    await shop.exec("delete from t");
    await again.close();
    return last;
  });
  await rig.ship();
  return { rig, manager: await rig.open(), lsn };
}

const bodies = async (manager: Manager, name: string): Promise<unknown[]> => {
  const database = await manager.database(name, { create: false });
  return database.prepare("select body from t order by id").pluck().all();
};

describe("a database restored into an open store", () => {
  // evidence: G37
  test("under a new name it has exactly the moment, and the other is untouched", async () => {
    const { rig, manager, lsn } = await rigWithShop(21);
    await rig.run(async () => {
      const from = rig.objects();
      const report = await manager.restore({ database: "shop", as: "again", at: { lsn }, from });
      expect(report).toMatchObject({ database: "again", previous: undefined, dryRun: false, lsn });
      expect((await bodies(manager, "again")).at(-1)).toBe("the last good one");
      expect(await bodies(manager, "again")).toHaveLength(11);
      expect(await bodies(manager, "shop")).toEqual([]);
      await expect(manager.restore({ database: "shop", as: "again", from })).rejects.toMatchObject({
        code: "BOP_EXISTS",
      });
      await manager.close();
    });
  });

  // evidence: G37
  test("over the live one it takes its name at once, and can be undone after a crash", async () => {
    const { rig, manager, lsn } = await rigWithShop(22);
    const previous = await rig.run(async () => {
      const shop = await manager.database("shop");
      await shop.exec("insert into t (body) values ('since')");
      const from = rig.objects();
      const report = await manager.restore({ database: "shop", at: { lsn }, from });
      await expect(shop.prepare("select 1").get()).rejects.toMatchObject({ code: "BOP_CLOSED" });
      expect(await bodies(manager, "shop")).toHaveLength(11);
      return report.previous ?? "";
    });
    expect(previous).toMatch(/^shop\.before-\d{8}-\d{6}$/);
    rig.kill("powerCut");
    const again = await rig.open();
    await rig.run(async () => {
      expect((await again.list()).map(({ name }) => name)).toEqual(["shop", previous]);
      expect(await bodies(again, previous)).toEqual(["since"]);
      await again.checkpoint();
      await again.drop("shop");
      await again.rename(previous, "shop");
      expect(await bodies(again, "shop")).toEqual(["since"]);
      await again.close();
    });
  });

  // evidence: G37
  test("a dry run, an abort and a damaged bucket leave everything as it was", async () => {
    const { rig, manager, lsn } = await rigWithShop(23);
    await rig.run(async () => {
      const from = rig.objects();
      const wanted = { database: "shop", at: { lsn }, from };
      const dry = await manager.restore({ ...wanted, dryRun: true });
      expect(dry).toMatchObject({ dryRun: true, previous: undefined });
      expect(dry.chunks.requests).toBeGreaterThan(0);
      const signal = AbortSignal.abort(new Error("enough"));
      await expect(manager.restore({ ...wanted, signal })).rejects.toThrow("enough");
      const chunks = (await from.list("chunks/")).objects;
      for (const { key } of chunks) await from.delete(key);
      await expect(manager.restore(wanted)).rejects.toMatchObject({
        code: "BOP_SINK_CORRUPT",
        details: { key: chunks[0]?.key },
      });
      expect((await manager.list()).map(({ name }) => name)).toEqual(["shop"]);
      expect(await bodies(manager, "shop")).toEqual([]);
      await manager.close();
    });
  });
});

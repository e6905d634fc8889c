/**
 * Collections that let chunks go and were cut off, in stores that then lose their manifest: what the
 * mirror still names must be there, though the manifest names it no more.
 */
import { describe, expect, test } from "vitest";
import type { Manager } from "../manager.ts";
import { Place } from "./rebuild.fixture.ts";

const ROWS = 200;
const FILL = `with recursive n(id) as (select 1 union all select id + 1 from n limit ${ROWS})
  insert into t select id, randomblob(3000) from n`;
const CHANGES_MAX = 40;

/** A chunk of which most pages are superseded, since the snapshot that kept them is gone. */
async function fill(manager: Manager): Promise<void> {
  const database = await manager.database("a");
  await database.exec("create table t (id integer primary key, body blob)");
  await database.exec(FILL);
  await database.snapshot("before");
  const before = await database.openSnapshot("before");
  await manager.checkpoint();
  await database.prepare("update t set body = randomblob(3000) where id <= ?").run(ROWS - 20);
  await database.dropSnapshot("before");
  await manager.checkpoint();
  await before.close();
}

async function expectFilled(manager: Manager): Promise<void> {
  const database = await manager.database("a", { create: false });
  const all = "select count(*), sum(length(body)) from t";
  expect(await database.prepare(all).raw().get()).toEqual([ROWS, ROWS * 3000]);
  expect(await database.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
}

/** The collection dies at its n-th change of the disk. False: it was over before. */
async function cutOffAt(place: Place, n: number): Promise<boolean> {
  const manager = await place.open({ historyMs: 0 });
  await place.world.run(() => fill(manager));
  place.world.disk.crashAt(n, "kill");
  await place.world.run(() => manager.collect()).catch(() => undefined);
  const isOver = place.world.alive;
  if (isOver) place.world.kill();
  place.env = place.world.start();
  return !isOver;
}

describe("a store whose collection was cut off", () => {
  // evidence: G12
  test("is rebuilt, though it was opened in between", async () => {
    let n = 1;
    for (; n <= CHANGES_MAX; n++) {
      const place = new Place(5);
      const wasCutOff = await cutOffAt(place, n);
      await place.open({ historyMs: 0 });
      place.world.kill();
      place.env = place.world.start();
      place.lose();
      await place.rebuild().catch((error: unknown) => {
        throw new Error(`cut off at change ${n}: ${error}`);
      });
      const again = await place.open();
      await place.world.run(async () => {
        await expectFilled(again);
        await again.close();
      });
      if (!wasCutOff) break;
    }
    expect(n).toBeGreaterThan(5);
  });
});

/** The past of stores that lost their manifest: the log of the history is not found again. */
import { expect, test } from "vitest";
import { Place } from "./rebuild.fixture.ts";

/** Of the fixture. */
const SEGMENT_BYTES = 2 ** 20;

// evidence: G12
test("a rebuilt store says that its past begins where forks of it can", async () => {
  const place = new Place(6);
  const manager = await place.open();
  await place.world.run(async () => {
    const database = await manager.database("a");
    await database.exec("create table t (body blob)");
    await manager.checkpoint();
    const insert = database.prepare("insert into t values (randomblob(?))");
    for (let bytes = 0; bytes < 2.5 * SEGMENT_BYTES; bytes += 50_000) await insert.run(50_000);
    await manager.checkpoint();
    await insert.run(1);
    await manager.close();
  });
  place.lose();
  await place.rebuild();
  const again = await place.open();
  await place.world.run(async () => {
    const { fromLsn } = again.diagnostics().log.history;
    const database = await again.database("a", { create: false });
    const fork = await database.fork("past", { at: { lsn: fromLsn } });
    expect(await fork.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
    await again.close();
  });
});

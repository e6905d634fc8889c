/** Forks of the past, cut off by a crash at any of their calls. */
import { describe, expect, test } from "vitest";
import { prepareEngines } from "../../src/sqlite/index.ts";
import { rowsOf, Watched } from "./past.fixture.ts";

describe("a crash while the past is forked", () => {
  // evidence: G3, G23
  test("leaves the fork, whole, or nothing of it", async () => {
    const outcomes = new Set<string>();
    for (let n = 1; n <= 11; n += 1) {
      const how = n % 2 === 0 ? "power" : "kill";
      await prepareEngines("sqlite", 4);
      const watched = new Watched(500 + n);
      const { world, moments } = watched;
      let isForked = false;
      const life = world.run(async () => {
        await watched.open();
        for (let step = 0; step < 6; step += 1) await watched.write();
        const moment = moments[4];
        if (moment === undefined) throw new Error("there are five moments");
        world.disk.crashAt(n, how);
        await watched.fork(moment);
        isForked = true;
        await watched.env.clock.sleep(200);
      });
      await life.catch((error) => {
        if (world.alive) throw error;
      });
      if (world.alive) world.kill();
      await world.run(async () => {
        await watched.open();
        const names = (await watched.manager.list()).map(({ name }) => name);
        const [name, rows] = ["past-0", moments[4]?.rows];
        outcomes.add(String(names.includes(name)));
        if (isForked) expect(names).toContain(name);
        if (names.includes(name)) {
          expect(await rowsOf(await watched.manager.database(name))).toEqual(rows);
        }
        await watched.manager.close();
      });
      world.kill();
    }
    expect([...outcomes].sort()).toEqual(["false", "true"]);
  }, 120_000);
});

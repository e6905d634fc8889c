/** Word of new commits, though the manifest refuses it at first. */
import { describe, expect, test } from "vitest";
import { simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { Manager } from "../manager.ts";

describe("a reader of changes", () => {
  // evidence: G46
  test("hears of the last commit though the manifest refused that once and nobody commits again", async () => {
    const world = simulatedWorld({ seed: 7 });
    const stores = memoryStores(world.random.fork());
    const env = world.start();
    await prepareEngines("sqlite", 1);
    const openKeyValueStore = stores.openerFor(env);
    const options = { directory: "/store", env, openKeyValueStore };
    const manager = await world.run(() => Manager.open(options));
    await world.run(async () => {
      const database = await manager.database("a");
      await database.exec("create table t (x)");
      const kinds: string[] = [];
      const reading = (async () => {
        for await (const { kind } of manager.changes({ cursor: "c" })) kinds.push(kind);
      })().catch(() => undefined); // The store closes.
      await env.clock.sleep(3000);
      expect(kinds).toEqual(["created", "advanced"]);
      stores.failNextCommit({ applied: false });
      await database.exec("insert into t values (1)");
      await env.clock.sleep(10_000);
      expect(kinds).toEqual(["created", "advanced", "advanced"]);
      await manager.close();
      await reading;
    });
  });
});

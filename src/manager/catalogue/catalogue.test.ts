/** The catalogue while the device is slow: lists show what is durable, however many pages they have. */
import { describe, expect, test } from "vitest";
import { simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { Manager } from "../manager.ts";

const FIRST = ["a", "b", "c", "d", "e"];

/** All names, by pages. */
async function namesOf(manager: Manager, limit: number, prefix = ""): Promise<string[]> {
  const names: string[] = [];
  while (true) {
    const page = await manager.list({ limit, prefix, after: names.at(-1) ?? "" });
    names.push(...page.map(({ name }) => name));
    if (page.length < limit) return names;
  }
}

describe("a list while changes are not yet durable", () => {
  // evidence: G2
  test.each([1, 2, 3, 100])("in pages of %i shows what was, and then what is", async (limit) => {
    await prepareEngines("sqlite", 1);
    const world = simulatedWorld({ seed: 5 });
    const stores = memoryStores(world.random.fork());
    const env = world.start();
    await world.run(async () => {
      const openKeyValueStore = stores.openerFor(env);
      const options = { directory: "/store", env, openKeyValueStore, inlineFlushMs: 0 };
      const manager = await Manager.open(options);
      for (const name of FIRST) await manager.database(name);
      world.disk.hangNext({ operation: "sync", pathPattern: /\.wal$/, ms: 5000 });
      world.disk.hangNext({ operation: "write", pathPattern: /\.wal$/, ms: 5000 });
      let told = 0;
      const changes = [
        manager.database("bb"),
        manager.rename("a", "z"), // To behind the others,
        manager.rename("e", "aa"), // and to before them.
        manager.drop("c"),
        manager.rename("z", "y"), // Twice.
        manager.database("a"), // A name that is free again.
        manager.drop("d").then(() => manager.database("d")),
      ];
      for (const change of changes) void change.then(() => (told += 1));
      await env.clock.sleep(1000);
      expect(told).toBe(0);
      expect(await namesOf(manager, limit)).toEqual(FIRST);
      expect(await namesOf(manager, limit, "a")).toEqual(["a"]);
      await Promise.all(changes);
      expect(await namesOf(manager, limit)).toEqual(["a", "aa", "b", "bb", "d", "y"]);
      expect(await namesOf(manager, limit, "a")).toEqual(["a", "aa"]);
      await manager.close();
    });
  });
});

import { expect, test } from "vitest";
import { simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { Manager } from "../manager.ts";

/** Recovery reads the catalogue to its end before any commit of a log: it meets the drop first. */
test.each([false, true])(
  "a log that was dropped since the last checkpoint is nobody's after a crash, and the store opens (in the manifest: %s)",
  async (isInManifest) => {
    const world = simulatedWorld({ seed: 5 });
    const stores = memoryStores(world.random.fork());
    const open = async () => {
      await prepareEngines("sqlite", 1);
      const env = world.start();
      const openKeyValueStore = stores.openerFor(env);
      const options = { directory: "/store", env, openKeyValueStore, segmentBytes: 2 ** 20 };
      return world.run(() => Manager.open(options));
    };
    const entry = (index: bigint) => ({ term: 1n, index, payload: new Uint8Array(100) });
    const manager = await open();
    await world.run(async () => {
      const [kept, dropped] = [await manager.log("kept"), await manager.log("dropped")];
      if (isInManifest) await manager.checkpoint();
      await dropped.append([entry(1n), entry(2n)]);
      await kept.append([entry(7n)]);
      await manager.dropLog("dropped");
    });
    world.powerCut();
    const again = await open();
    await world.run(async () => {
      expect((await again.logs()).map(({ name }) => name)).toEqual(["kept"]);
      expect((await again.log("kept", { create: false })).lastIndex).toBe(7n);
      const anew = await again.log("dropped");
      expect(anew.lastIndex).toBeUndefined();
      await again.checkpoint();
      await again.close();
    });
  },
);

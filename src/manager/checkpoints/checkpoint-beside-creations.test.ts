import { expect, test } from "vitest";
import { simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { Manager } from "../manager.ts";

/** The manifest may hear of them before it hears of the checkpoint, which began before they were. */
test("databases that are created while a checkpoint with record logs runs do not refuse it", async () => {
  await prepareEngines("sqlite", 1);
  const world = simulatedWorld({ seed: 5 });
  const env = world.start();
  const openKeyValueStore = memoryStores(world.random.fork()).openerFor(env);
  await world.run(async () => {
    const manager = await Manager.open({ directory: "/store", env, openKeyValueStore });
    const log = await manager.log("raft");
    let index = 0n;
    for (let round = 0; round < 3; round++) {
      index += 1n;
      await log.append([{ term: 1n, index, payload: new Uint8Array(200_000) }]);
      let isRunning = true;
      const checkpoint = manager.checkpoint().finally(() => {
        isRunning = false;
      });
      checkpoint.catch(() => undefined);
      for (let n = 0; isRunning; n++) await manager.database(`${round} ${n}`);
      await checkpoint;
    }
    expect(manager.diagnostics().recordLogs.chunks).toBeGreaterThan(0);
    await manager.close();
  });
});

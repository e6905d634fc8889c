/** Disks that know less, or not more, than what was put into their bucket by themselves. */
import { describe, expect, test } from "vitest";
import { bucketKey } from "../../sink/index.ts";
import { Machine, shipping } from "./ship.fixture.ts";

const statesIn = ({ service }: Machine) =>
  service.bucket.keys(Number.MAX_SAFE_INTEGER).filter((key) => key.startsWith("manifest/"));

describe("a disk with the log of its bucket", () => {
  // evidence: G33
  test("is ahead of no state that came of it later: an older copy is refused, however often it is opened", async () => {
    const machine = new Machine(41);
    let putBack = (): void => undefined;
    await machine.live(async (env) => {
      const store = await shipping(machine, env);
      await store.remote(await store.commit(100));
      await store.checkpoint();
      await env.clock.sleep(5000);
      putBack = machine.backup();
      const before = statesIn(machine).length;
      await store.snapshot("later"); // Nothing is committed by it.
      await env.clock.sleep(5000);
      expect(statesIn(machine).length).toBe(before + 1);
    });
    machine.world.kill();
    putBack();
    const objects = statesIn(machine);
    for (let opening = 0; opening < 5; opening++) {
      await machine.live(async (env) => {
        const store = await machine.open(env);
        const refused = { code: "BOP_SINK_AHEAD" };
        await expect(store.controller.start()).rejects.toMatchObject(refused);
      });
      machine.world.kill();
      expect((await machine.manifestState()).remoteChains).not.toEqual([]);
    }
    expect(statesIn(machine)).toEqual(objects);
  });

  // evidence: G33
  test("goes on wherever its process dies around a state, and knows of every one that it has put", async () => {
    const found = new Set<string>();
    for (let delayMs = 0; delayMs <= 40; delayMs += 5) {
      const machine = new Machine(42);
      await machine.live(async (env) => {
        const store = await shipping(machine, env);
        await store.remote(await store.commit(100));
        await env.clock.sleep(5000);
        await store.checkpoint();
        await env.clock.sleep(delayMs);
      });
      machine.world.kill();
      const before = await machine.manifestState();
      const { epoch, lastNumber = 0 } = before.remoteChains.at(-1) ?? { epoch: 0 };
      const next = bucketKey({ kind: "manifest", epoch, number: lastNumber + 1 });
      found.add(statesIn(machine).includes(next) ? "put and not noted" : "noted, or not put");
      await machine.live(async (env) => {
        const store = await shipping(machine, env);
        await store.remote(await store.commit(100));
        await store.close();
      });
      const chains = (await machine.manifestState()).remoteChains;
      expect(chains.map((chain) => chain.epoch)).toContain(epoch);
    }
    expect([...found].sort()).toEqual(["noted, or not put", "put and not noted"]);
  });
});

/** Further images of a crash, each in a world of its own. */
import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { filled, madeFile, outcomes, swallow } from "./world.fixture.ts";
import { type SimulatedWorld, simulatedEnv } from "./world.ts";

const valuesIn = (world: SimulatedWorld, path: string) =>
  [...new Set(world.disk.contents(path) ?? filled(1, 99))].sort().join();

/** Ones that are durable, and twos over them that are not; a name that is not; a write under way. */
async function unsynced(world: SimulatedWorld, env: Env): Promise<void> {
  await world.run(async () => {
    const file = await madeFile(env);
    await file.write(filled(512, 2), 0);
    await env.storage.rename("/a", "/b");
    file.write(filled(1024, 3), 2048).catch(swallow);
  });
}

describe("echoes of a crash", () => {
  test("each is something that the crash could have left, and together they show what it could", async () => {
    const seen = new Set<string>();
    const { world, env } = simulatedEnv({ seed: 4 });
    world.echoesPerCrash = 200;
    await unsynced(world, env);
    world.powerCut();
    for (const echo of world.takeEchoes()) {
      for (const path of ["/a", "/b"]) {
        if (echo.disk.contents(path) === undefined) continue;
        const bytes = echo.disk.contents(path) ?? filled(0, 0);
        expect(bytes.length).toBe(4096);
        // Nobody has written there since it was durable.
        expect([...new Set(bytes.subarray(512, 2048))]).toEqual([1]);
        seen.add(`${path} begins with ${bytes[0]}`);
        if (bytes[2048] === 3) seen.add(bytes[2560] === 3 ? "all of what was under way" : "a part");
      }
    }
    for (const each of ["/a begins with 1", "/a begins with 2", "/b begins with 1"]) {
      expect(seen).toContain(each);
    }
    expect(seen).toContain("all of what was under way");
    expect(seen).toContain("a part");
  });

  test("what the world itself is left with is what it would have been left with", async () => {
    const left = async (echoes: number) => {
      const all = await outcomes(30, async (world, env) => {
        world.echoesPerCrash = echoes;
        await unsynced(world, env);
        world.disk.crashAt(1, "power");
        await world.run(env.storage.mkdir("/c")).catch(swallow);
        for (const echo of world.takeEchoes()) echo.powerCut();
        const found = ["/a", "/b"].map((path) => `${world.disk.contents(path)}`);
        return `${world.nowMs} ${found} ${await world.run(world.start().storage.list("/"))}`;
      });
      return [...all];
    };
    expect(await left(7)).toEqual(await left(0));
  });

  test("an echo that is written to changes neither the world nor another echo", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    world.echoesPerCrash = 2;
    await world.run(() => madeFile(env));
    world.kill();
    const [first, second] = world.takeEchoes();
    if (first === undefined || second === undefined) return expect.fail("two were asked for");
    const file = await first.run(first.start().storage.open("/a", "write"));
    await first.run(file.write(filled(4096, 5), 0));
    expect(valuesIn(first, "/a")).toBe("5");
    expect(valuesIn(second, "/a")).toBe("1");
    expect(valuesIn(world, "/a")).toBe("1");
    const ours = await world.run(world.start().storage.open("/a", "write"));
    await world.run(ours.write(filled(4096, 6), 0));
    expect(valuesIn(first, "/a")).toBe("5");
    expect(valuesIn(second, "/a")).toBe("1");
  });

  test("what a killed process wrote and one of an echo syncs survives a power cut there", async () => {
    const { world, env } = simulatedEnv({ seed: 3 });
    world.echoesPerCrash = 60;
    await world.run(async () => {
      const file = await madeFile(env);
      await file.write(filled(4096, 2), 0);
      await env.storage.rename("/a", "/b");
      file.write(filled(1024, 3), 2048).catch(swallow);
    });
    world.kill();
    let synced = 0;
    for (const echo of world.takeEchoes()) {
      const [before, older] = [echo.disk.contents("/b"), echo.disk.contents("/a")];
      if (before?.[0] !== 2) continue; // The power was cut there.
      const { storage } = echo.start();
      const file = await echo.run(storage.open("/b", "write"));
      await echo.run(Promise.all([file.sync(), storage.syncDirectory("/")]));
      echo.powerCut();
      expect(echo.disk.contents("/b")).toEqual(before);
      expect(echo.disk.contents("/a")).toEqual(older);
      synced += 1;
    }
    expect(synced).toBeGreaterThan(5);
  });

  test("a process of an echo is none that has been, so what the dead one owned is free", async () => {
    const { world, env } = simulatedEnv({ seed: 2 });
    world.echoesPerCrash = 1;
    await world.run(() => madeFile(env));
    world.kill();
    const [echo] = world.takeEchoes();
    const next = echo?.start();
    expect(next?.process.isAlive(env.process)).toBe(false);
    expect(next?.process.pid).not.toBe(env.process.pid);
    expect(echo?.nowMs).toBe(world.nowMs);
    expect(world.takeEchoes()).toEqual([]);
  });
});

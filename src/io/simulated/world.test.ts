import { describe, expect, test } from "vitest";
import { DeadProcessError } from "./system-error.ts";
import { filled, madeFile, outcomes, sameBytes } from "./world.fixture.ts";
import { simulatedEnv, simulatedWorld } from "./world.ts";

describe("a power cut", () => {
  test("what was synced is there afterwards, with any seed", async () => {
    const seen = await outcomes(100, async (world, env) => {
      await world.run(() => madeFile(env));
      world.powerCut();
      return String(world.disk.contents("/a")?.every((byte) => byte === 1));
    });
    expect([...seen]).toEqual(["true"]);
  });

  test("unsynced sectors are each old, new or garbage", async () => {
    const kinds = new Set<string>();
    await outcomes(200, async (world, env) => {
      await world.run(async () => {
        const file = await madeFile(env);
        await file.write(filled(4096, 2), 0);
      });
      world.powerCut();
      const found = world.disk.contents("/a") ?? filled(0, 0);
      expect(found.length).toBe(4096);
      let kindsOfFile = "";
      for (let at = 0; at < 4096; at += 512) {
        const sector = found.subarray(at, at + 512);
        const values = new Set(sector);
        kindsOfFile += values.size > 1 ? "g" : values.has(1) ? "o" : "n";
      }
      for (const kind of kindsOfFile) kinds.add(kind);
      if (/o.*n/.test(kindsOfFile)) kinds.add("later kept, earlier lost");
      return "";
    });
    expect([...kinds].sort()).toEqual(["g", "later kept, earlier lost", "n", "o"]);
  });

  test("a file whose directory was not synced may be gone, though it was synced itself", async () => {
    const seen = await outcomes(100, async (world, env) => {
      await world.run(async () => {
        const file = await env.storage.open("/a", "create");
        await file.write(filled(8, 1), 0);
        await file.sync();
      });
      world.powerCut();
      return world.disk.contents("/a")?.toString() ?? "gone";
    });
    expect([...seen].sort()).toEqual(["1,1,1,1,1,1,1,1", "gone"]);
  });

  test("of an unsynced rename both names, neither, the old or the new one may be there", async () => {
    const seen = await outcomes(200, async (world, env) => {
      await world.run(async () => {
        await madeFile(env);
        await env.storage.rename("/a", "/b");
      });
      world.powerCut();
      return ["/a", "/b"].filter((path) => world.disk.contents(path) !== undefined).join();
    });
    expect([...seen].sort()).toEqual(["", "/a", "/a,/b", "/b"]);
  });

  test("a removed file may come back until its directory is synced, and then not", async () => {
    for (const synced of [false, true]) {
      const seen = await outcomes(60, async (world, env) => {
        await world.run(async () => {
          await madeFile(env);
          await env.storage.unlink("/a");
          if (synced) await env.storage.syncDirectory("/");
        });
        world.powerCut();
        return String(world.disk.contents("/a") === undefined);
      });
      expect(seen.size).toBe(synced ? 1 : 2);
    }
  });

  test("a size may move without its data, or the data be there without it", async () => {
    const seen = await outcomes(200, async (world, env) => {
      await world.run(async () => {
        const file = await madeFile(env);
        await file.write(filled(512, 2), 4096);
      });
      world.powerCut();
      const found = world.disk.contents("/a");
      return `${found?.length} ${found?.[4096]}`;
    });
    for (const outcome of ["4096 undefined", "4608 0", "4608 2"]) expect(seen).toContain(outcome);
  });

  test("a sync covers what was written before it was called, and not what comes later", async () => {
    const seen = await outcomes(200, async (world, env) => {
      const file = await world.run(() => madeFile(env));
      await world.run(async () => {
        await file.write(filled(512, 2), 0);
        await Promise.all([file.sync(), file.write(filled(512, 3), 512)]);
      });
      world.powerCut();
      const found = world.disk.contents("/a") ?? filled(0, 0);
      expect(found[0]).toBe(2);
      return found[512] === 3 ? "landed" : "lost";
    });
    expect(seen).toEqual(new Set(["landed", "lost"]));
  });

  test("a second cut cannot undo what the next boot has found", async () => {
    for (let seed = 0; seed < 50; seed++) {
      const { world, env } = simulatedEnv({ seed });
      await world.run(async () => (await madeFile(env)).write(filled(4096, 2), 0));
      world.powerCut();
      const first = world.disk.contents("/a");
      world.powerCut();
      expect(sameBytes(world.disk.contents("/a"), first)).toBe(true);
    }
  });
});

describe("a kill", () => {
  test("keeps every write that was completed, synced or not", async () => {
    const seen = await outcomes(50, async (world, env) => {
      await world.run(async () => (await madeFile(env)).write(filled(4096, 2), 0));
      world.kill();
      return String(world.disk.contents("/a")?.every((byte) => byte === 2));
    });
    expect([...seen]).toEqual(["true"]);
  });

  test("leaves a prefix of the sectors of a write that was under way", async () => {
    const seen = await outcomes(200, async (world, env) => {
      const file = await world.run(() => madeFile(env));
      const writing = file.write(filled(4096, 2), 0);
      world.kill();
      await expect(writing).rejects.toBeInstanceOf(DeadProcessError);
      const found = world.disk.contents("/a") ?? filled(0, 0);
      const landed = found.lastIndexOf(2) + 1;
      expect(landed % 512).toBe(0);
      expect(found.subarray(0, landed).every((byte) => byte === 2)).toBe(true);
      return String(landed);
    });
    expect(seen).toContain("0");
    expect(seen).toContain("4096");
    expect(seen.size).toBe(9);
  });

  test("what it kept may still be lost by a later power cut", async () => {
    const seen = await outcomes(50, async (world, env) => {
      await world.run(async () => (await madeFile(env)).write(filled(512, 2), 0));
      world.kill();
      world.powerCut();
      return String(world.disk.contents("/a")?.[0]);
    });
    expect(seen).toContain("1");
    expect(seen).toContain("2");
  });
});

describe("a dead process", () => {
  test("every later call of it rejects and changes nothing, and its timers are still", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    const file = await world.run(() => madeFile(env));
    let fired = 0;
    env.clock.every(1, () => {
      fired += 1;
    });
    const sleeping = env.clock.sleep(1000);
    world.kill();
    await expect(sleeping).rejects.toBeInstanceOf(DeadProcessError);
    await expect(file.write(filled(1, 9), 0)).rejects.toBeInstanceOf(DeadProcessError);
    await expect(env.storage.unlink("/a")).rejects.toBeInstanceOf(DeadProcessError);
    await expect(env.clock.sleep(1)).rejects.toBeInstanceOf(DeadProcessError);
    expect(() => file.writeSync(filled(1, 9), 0)).toThrow(DeadProcessError);
    await world.pass(100);
    expect(fired).toBe(0);
    expect(world.disk.contents("/a")?.[0]).toBe(1);
  });

  test("the next process knows that it is dead, and another boot knows it too", () => {
    for (const crash of ["kill", "powerCut"] as const) {
      const { world, env } = simulatedEnv({ seed: 1 });
      const other = world.start();
      expect(other.process.isAlive(env.process)).toBe(true);
      world[crash]();
      expect(world.start().process.isAlive(env.process)).toBe(false);
    }
  });
});

describe("crashing at the n-th change", () => {
  test("ends the process in the middle of exactly that call", async () => {
    for (let n = 1; n <= 4; n++) {
      const { world, env } = simulatedEnv({ seed: n });
      const file = await world.run(() => madeFile(env));
      world.disk.crashAt(n, "kill");
      let done = 0;
      const work = async () => {
        for (let sector = 0; sector < 4; sector++) {
          await file.write(filled(512, 2), sector * 512);
          done += 1;
        }
      };
      await expect(world.run(work)).rejects.toBeInstanceOf(DeadProcessError);
      expect(done).toBe(n - 1);
      expect(world.alive).toBe(false);
    }
  });

  test("a synchronous call is cut in the middle too", async () => {
    const { world, env } = simulatedEnv({ seed: 2 });
    const file = await world.run(() => madeFile(env));
    world.disk.crashAt(2, "power");
    file.writeSync(filled(512, 2), 0);
    expect(() => file.syncSync()).toThrow(DeadProcessError);
  });
});

describe("time and order", () => {
  test("the buffer of a write is read when the write completes, so reusing it early shows", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    const file = await world.run(() => madeFile(env));
    const buffer = filled(512, 2);
    const writing = file.write(buffer, 0);
    buffer.fill(9);
    await world.run(writing);
    expect(world.disk.contents("/a")?.[0]).toBe(9);
  });

  test("calls overtake each other, and the same seed gives the same order", async () => {
    const orderOf = async (seed: number) => {
      const { world, env } = simulatedEnv({ seed });
      const file = await world.run(() => madeFile(env));
      const order: number[] = [];
      await world.run(() =>
        Promise.all(
          Array.from({ length: 8 }, async (_, n) => {
            await file.write(filled(1, n), n);
            order.push(n);
          }),
        ),
      );
      return `${order.join()} at ${world.nowMs}`;
    };
    expect(await orderOf(1)).toBe(await orderOf(1));
    expect(new Set([await orderOf(1), await orderOf(2), await orderOf(3)]).size).toBe(3);
    expect(await orderOf(1)).not.toContain("0,1,2,3,4,5,6,7");
  });

  test("sleeps end in the order of their length, whatever the order of the calls", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    const order: number[] = [];
    await world.run(() =>
      Promise.all(
        [30, 10, 1e6, 20].map(async (ms) => {
          await env.clock.sleep(ms);
          order.push(ms);
        }),
      ),
    );
    expect(order).toEqual([10, 20, 30, 1e6]);
    expect(world.nowMs).toBeGreaterThanOrEqual(1e6);
  });

  test("an aborted sleep rejects at once, and a disposed timer never fires", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    const controller = new AbortController();
    let fired = 0;
    env.clock
      .after(1, () => {
        fired += 1;
      })
      .dispose();
    const sleeping = env.clock.sleep(1e6, controller.signal);
    controller.abort(new Error("enough"));
    await expect(sleeping).rejects.toThrow("enough");
    await world.pass(10);
    expect(fired).toBe(0);
    expect(world.nowMs).toBeLessThan(100);
  });

  test("waiting for what can never happen is an error, not a hang", async () => {
    const world = simulatedWorld({ seed: 1, realWaitMs: 20 });
    const env = world.start();
    await expect(world.run(new Promise(() => undefined))).rejects.toThrow("deadlock");
    env.clock.every(1000, () => undefined);
    await expect(world.run(new Promise(() => undefined))).rejects.toThrow("3600000 ms");
  });

  test("something real may end while the world has nothing to do", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    const late = new Promise<void>((resolve) => {
      setTimeout(resolve, 10);
    });
    await world.run(async () => {
      await late;
      await env.clock.sleep(5);
    });
    expect(world.nowMs).toBeGreaterThanOrEqual(5);
  });
});

import { describe, expect, test } from "vitest";
import { systemCode } from "../../base/errors.ts";
import { filled, madeFile, outcomes, sameBytes, swallow } from "./world.fixture.ts";
import { simulatedEnv } from "./world.ts";

describe("faults", () => {
  test("only the calls that an order names fail, as often as it says", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    world.disk.failNext({
      operation: "write",
      pathPattern: /b$/,
      error: "ENOSPC",
      skip: 1,
      times: 2,
    });
    const codes = await world.run(async () => {
      const [a, b] = [await madeFile(env, "/a"), await env.storage.open("/b", "create")];
      const seen: (string | undefined)[] = [];
      for (let n = 0; n < 4; n++) {
        await a.write(filled(1, 1), 0);
        seen.push(await b.write(filled(1, 1), n).then(() => "ok", systemCode));
      }
      return seen;
    });
    expect(codes).toEqual(["ok", "ENOSPC", "ENOSPC", "ok"]);
  });

  test("after a failed sync the next one succeeds and makes nothing durable that was lost", async () => {
    for (const after of ["kept", "dropped"] as const) {
      const seen = await outcomes(40, async (world, env) => {
        const file = await world.run(() => madeFile(env));
        world.disk.failNext({ operation: "sync", after });
        await world.run(async () => {
          await file.write(filled(512, 2), 0);
          expect(await file.sync().then(() => "ok", systemCode)).toBe("EIO");
        });
        expect(world.disk.contents("/a")?.[0]).toBe(after === "kept" ? 2 : 1);
        await world.run(() => file.sync());
        world.powerCut();
        return String(world.disk.contents("/a")?.[0]);
      });
      expect(seen).toContain("1");
      if (after === "dropped") expect(seen.size).toBe(1);
    }
  });

  test("a partly failed sync makes some sectors durable and loses others", async () => {
    const seen = await outcomes(60, async (world, env) => {
      const file = await world.run(() => madeFile(env));
      world.disk.failNext({ operation: "sync", after: "partial" });
      await world.run(async () => {
        await file.write(filled(4096, 2), 0);
        await file.sync().catch(swallow);
        await file.sync();
      });
      world.powerCut();
      return String(new Set(world.disk.contents("/a")).size);
    });
    expect(seen).toContain("2");
  });

  test("writing again what a failed sync lost makes it durable", async () => {
    for (let seed = 0; seed < 40; seed++) {
      const { world, env } = simulatedEnv({ seed });
      const file = await world.run(() => madeFile(env));
      world.disk.failNext({ operation: "sync" });
      await world.run(async () => {
        await file.write(filled(4096, 2), 0);
        await file.sync().catch(swallow);
        await file.write(filled(4096, 2), 0);
        await file.sync();
      });
      world.powerCut();
      expect(sameBytes(world.disk.contents("/a"), filled(4096, 2))).toBe(true);
    }
  });

  test("a failed write may have landed in part, and a short read ends too soon", async () => {
    const lengths = await outcomes(60, async (world, env) => {
      const file = await world.run(() => madeFile(env));
      world.disk.failNext({ operation: "write" });
      await world.run(() => file.write(filled(4096, 2), 0).catch(swallow));
      return String((world.disk.contents("/a") ?? filled(0, 0)).lastIndexOf(2) + 1);
    });
    expect(lengths.size).toBeGreaterThan(4);
    const { world, env } = simulatedEnv({ seed: 5 });
    const file = await world.run(() => madeFile(env));
    world.disk.failNext({ operation: "read", error: "SHORT" });
    expect(await world.run(() => file.read(filled(4096, 0), 0))).toBeLessThan(4096);
  });

  test("a full disk refuses what grows a file, and nothing else", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    const file = await world.run(() => madeFile(env));
    world.disk.capacityBytes = 5000;
    const codes = await world.run(async () => [
      await file.write(filled(4096, 2), 0).then(() => "ok", systemCode),
      await file.write(filled(4096, 2), 4096).then(() => "ok", systemCode),
      await file.preallocate(6000).then(() => "ok", systemCode),
      await env.storage.freeBytes("/"),
    ]);
    expect(codes).toEqual(["ok", "ENOSPC", "ENOSPC", 904]);
  });

  test("chance makes some calls fail, and healing ends it", async () => {
    const { world, env } = simulatedEnv({ seed: 3 });
    const file = await world.run(() => madeFile(env));
    const failures = () =>
      world.run(async () => {
        let failed = 0;
        for (let n = 0; n < 200; n++) {
          await file.sync().catch(() => {
            failed += 1;
          });
        }
        return failed;
      });
    world.disk.failSometimes({ sync: 0.2 });
    expect(await failures()).toBeGreaterThan(10);
    world.disk.heal();
    expect(await failures()).toBe(0);
  });
});

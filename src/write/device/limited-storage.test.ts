import { describe, expect, test } from "vitest";
import { simulatedEnv } from "../../io/index.ts";
import { limitedStorage } from "../index.ts";

describe("storage with a limit", () => {
  test("has no more writes under way than it may, and they begin in order of arrival", async () => {
    const { world, env } = simulatedEnv({ seed: 2 });
    const limited = limitedStorage(env.storage, 2);
    await world.run(async () => {
      await limited.mkdir("/d");
      const file = await limited.open("/d/a", "create");
      const before = world.disk.calls.write ?? 0;
      const ended: number[] = [];
      const writes = Array.from({ length: 6 }, (_, n) =>
        file.write(Uint8Array.of(n), n).then(() => ended.push(n)),
      );
      await Promise.resolve();
      expect((world.disk.calls.write ?? 0) - before).toBe(2);
      await file.read(new Uint8Array(1), 0); // A read is not held up.
      await Promise.all(writes);
      expect(ended).toHaveLength(6);
      const found = new Uint8Array(6);
      await file.read(found, 0);
      expect([...found]).toEqual([0, 1, 2, 3, 4, 5]);
    });
  });

  test("a write that fails gives its place to the next", async () => {
    const { world, env } = simulatedEnv({ seed: 2 });
    const limited = limitedStorage(env.storage, 1);
    await world.run(async () => {
      await limited.mkdir("/d");
      const file = await limited.open("/d/a", "create");
      world.disk.failNext({ operation: "write" });
      const [first, second] = [file.write(Uint8Array.of(1), 0), file.write(Uint8Array.of(2), 1)];
      await expect(first).rejects.toThrow(/EIO/);
      await second;
      await file.sync();
      await file.close();
    });
  });

  test("the log's own driver does not wait for anybody", async () => {
    const { world, env } = simulatedEnv({ seed: 2 });
    const limited = limitedStorage(env.storage, 1);
    await world.run(async () => {
      await limited.mkdir("/d");
      const other = await limited.open("/d/other", "create");
      const made = await limited.open("/d/log", "create");
      await made.preallocate(8192);
      world.disk.hangNext({ operation: "write", pathPattern: /other/, ms: 60_000 });
      const hanging = other.write(Uint8Array.of(1), 0);
      const driver = await limited.driver({ directory: "/d", io: "direct" });
      const file = await driver.open("/d/log");
      await file.write(driver.allocate(4096).fill(1), 0);
      expect(world.nowMs).toBeLessThan(1000);
      await hanging;
      expect(world.nowMs).toBeGreaterThan(59_000);
    });
  });
});

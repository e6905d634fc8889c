import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { simulatedEnv } from "../../io/index.ts";
import { FileSystemStore } from "./file-system-store.ts";

const DIRECTORY = "/srv/backup";
const OLD_ID = "00".repeat(16);
const NEW_ID = "11".repeat(16);
const OTHER_ID = "22".repeat(16);
const OLD = Buffer.alloc(5000, 1);
const NEW = Buffer.alloc(9000, 2);

const open = (env: Env) => FileSystemStore.open({ env, directory: DIRECTORY });
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    (value) => value,
    (error: { code?: string }) => error.code,
  );

interface Acknowledged {
  old: boolean;
  replaced: boolean;
  created: boolean;
  deleted: boolean;
}

/** Puts, replaces, creates and deletes; notes what it was told, as far as it gets. */
async function workload(env: Env, told: Acknowledged): Promise<void> {
  const store = await open(env);
  await store.put("wal/1/a", OLD, { putId: OLD_ID });
  told.old = true;
  await store.put("wal/1/a", NEW, { putId: NEW_ID });
  told.replaced = true;
  await store.putIfAbsent("epoch/1", NEW, { putId: NEW_ID });
  told.created = true;
  await store.delete("wal/1/a");
  told.deleted = true;
}

async function assertKept(env: Env, told: Acknowledged, when: string): Promise<void> {
  const store = await open(env);
  const replaced = await store.get("wal/1/a"); // Throws if it is there and not whole.
  const id = replaced?.info.putId;
  if (told.deleted) expect(id, when).toBeUndefined();
  else if (!told.old) expect([undefined, OLD_ID], when).toContain(id);
  else if (!told.replaced) expect([OLD_ID, NEW_ID], when).toContain(id);
  else if (!told.created) expect(id, when).toBe(NEW_ID);
  const created = await store.get("epoch/1");
  if (told.created) expect(created?.info.putId, when).toBe(NEW_ID);
  expect([undefined, NEW_ID], when).toContain(created?.info.putId);
  expect(await env.storage.list(`${DIRECTORY}/.unfinished`), when).toEqual([]);
  // What was not acknowledged can be put again, and then it is.
  const put = await store.putIfAbsent("epoch/1", NEW, { putId: NEW_ID });
  expect(put, when).toEqual({ type: "created" });
}

describe("a folder under crashes", () => {
  // evidence: G28
  test.each(["kill", "power"] as const)(
    "holds after a %s at any call what was acknowledged, and every object whole or not at all",
    async (how) => {
      let finished = false;
      for (let call = 1; !finished; call++) {
        for (let seed = 0; seed < 2; seed++) {
          const { world, env } = simulatedEnv({ seed: call * 100 + seed });
          const told = { old: false, replaced: false, created: false, deleted: false };
          world.disk.crashAt(call, how);
          finished = await world
            .run(() => workload(env, told))
            .then(
              () => true,
              () => false,
            );
          if (finished) break;
          if (world.alive) world.powerCut();
          const next = world.start();
          await world.run(() => assertKept(next, told, `call ${call}, seed ${world.seed}`));
        }
        expect(call).toBeLessThan(100);
      }
    },
  );

  test("and refused calls keeps every object whole, says what is unclear, and takes it again", async () => {
    const operations = ["create", "write", "sync", "rename", "link", "unlink", "syncDirectory"];
    for (const [index, operation] of (operations as "sync"[]).entries()) {
      for (let skip = 0; skip < 6; skip++) {
        const { world, env } = simulatedEnv({ seed: index * 10 + skip });
        await world.run(async () => {
          const store = await open(env);
          world.disk.failNext({ operation, skip });
          const options = { putId: NEW_ID };
          const first = await codeOf(store.putIfAbsent("a/b", NEW, options));
          const when = `${operation} ${skip}: ${String(first)}`;
          if (typeof first === "string") expect(first, when).toMatch(/^BOP_SINK_UN/);
          world.disk.heal();
          expect(await codeOf(store.putIfAbsent("a/b", NEW, options)), when).toEqual({
            type: "created",
          });
        });
        world.powerCut();
        const next = world.start();
        await world.run(async () => {
          const found = await (await open(next)).get("a/b");
          expect(found?.info.putId, `${operation} ${skip}`).toBe(NEW_ID);
        });
      }
    }
  });

  test("whose directory could not be synced says that the outcome is unclear, and writes it anew", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    await world.run(async () => {
      const store = await open(env);
      await store.put("a/first", OLD, { putId: OLD_ID });
      world.disk.failNext({ operation: "syncDirectory", pathPattern: /\/a$/ });
      const options = { putId: NEW_ID };
      expect(await codeOf(store.putIfAbsent("a/b", NEW, options))).toBe("BOP_SINK_UNKNOWN");
      const before = world.disk.calls.rename ?? 0;
      expect(await store.putIfAbsent("a/b", NEW, options)).toEqual({ type: "created" });
      expect((world.disk.calls.rename ?? 0) - before).toBe(1);
      expect(await store.putIfAbsent("a/b", OLD, { putId: OTHER_ID })).toMatchObject({
        type: "exists",
        info: { putId: NEW_ID },
      });
    });
  });

  test("that is full says so, leaves nothing unfinished, and goes on when there is room", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    await world.run(async () => {
      const store = await open(env);
      world.disk.capacityBytes = 6000;
      expect(await codeOf(store.put("a", NEW, { putId: NEW_ID }))).toBe("BOP_SINK_UNAVAILABLE");
      expect(await env.storage.list(`${DIRECTORY}/.unfinished`)).toEqual([]);
      world.disk.capacityBytes = 100_000;
      await store.put("a", NEW, { putId: NEW_ID });
      expect((await store.head("a"))?.sizeBytes).toBe(NEW.length);
    });
  });

  test("that somebody else opens meanwhile loses at most what is unfinished, and says so", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    const other = world.start();
    await world.run(async () => {
      const store = await open(env);
      let lost = 0;
      for (let round = 0; round < 30; round++) {
        const key = `a/${round}`;
        const [outcome] = await Promise.all([
          codeOf(store.putIfAbsent(key, NEW, { putId: NEW_ID })),
          open(other),
        ]);
        if (typeof outcome === "string") {
          expect(outcome).toBe("BOP_SINK_UNAVAILABLE");
          expect(await store.get(key)).toBeUndefined();
          lost += 1;
        } else expect((await store.get(key))?.info.putId).toBe(NEW_ID);
      }
      expect(lost).toBeGreaterThan(0);
      expect(lost).toBeLessThan(30);
    });
  });

  test("tells what it cannot do there from what it can do later", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    await world.run(async () => {
      const store = await open(env);
      await store.put("a", OLD, { putId: OLD_ID });
      expect(await codeOf(store.put("a/b", NEW, { putId: NEW_ID }))).toBe("BOP_SINK_REFUSED");
      world.disk.failNext({ operation: "create", error: "EACCES" });
      expect(await codeOf(store.put("c", NEW, { putId: NEW_ID }))).toBe("BOP_SINK_REFUSED");
      world.disk.failNext({ operation: "create", error: "EIO" });
      expect(await codeOf(store.put("c", NEW, { putId: NEW_ID }))).toBe("BOP_SINK_UNAVAILABLE");
    });
  });
});

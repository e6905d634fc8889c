import { describe, expect, test } from "vitest";
import type { Env } from "../base/env.ts";
import { isStorageError } from "../base/errors.ts";
import { seeded, simulatedWorld } from "../io/index.ts";
import { claimOwnership, ownerDirectory } from "./owner.ts";
import { seal } from "./rows/envelope.ts";
import { OWNER_KEY } from "./rows/keys.ts";
import { memoryStores } from "./stores/memory-store.ts";

const directory = "/store";

function makeWorld(seed: number) {
  const world = simulatedWorld({ seed });
  const stores = memoryStores(seeded(seed));
  const start = () => {
    const env = world.start();
    const openStore = stores.openerFor(env);
    const claim = () => world.run(() => claimOwnership({ openStore, env, owned: directory }));
    return { env, openStore, claim };
  };
  return { world, stores, start };
}

/** A process of another container: it cannot see whether the others live. */
function contained(env: Env): Env {
  return { ...env, process: { ...env.process, isAlive: () => false } };
}

describe("the owner of a directory", () => {
  test("a directory that was released is claimed as clean", async () => {
    const { world, start } = makeWorld(1);
    const first = await start().claim();
    expect(first.previousCrashed).toBe(false);
    await world.run(() => Promise.all([first.release(), first.release()]));
    expect((await start().claim()).previousCrashed).toBe(false);
  });

  // evidence: G8
  test("a living owner refuses another process, and says who it is", async () => {
    const { start } = makeWorld(2);
    const owner = start();
    await owner.claim();
    const error = await start()
      .claim()
      .catch((error: unknown) => error);
    const { pid, startedAt } = owner.env.process;
    const openedAtMs = 1_767_225_600_000;
    expect(isStorageError(error, "BOP_LOCKED") && error.details).toEqual({
      directory,
      pid,
      startedAt,
      openedAtMs,
    });
  });

  // evidence: G8
  test("a living owner refuses who cannot see that it lives, and a dead one does not", async () => {
    const { world, start } = makeWorld(8);
    const owner = start();
    await owner.claim();
    const { env, openStore } = start();
    const far = { openStore, env: contained(env), owned: directory };
    const error = await world.run(() => claimOwnership(far)).catch((error: unknown) => error);
    expect(isStorageError(error, "BOP_LOCKED") && error.details.pid).toBe(owner.env.process.pid);
    expect(String(error)).toMatch(/process \d+ of another container, since 2026-01-01T00:00:00/);
    world.kill();
    const next = start();
    const late = { openStore: next.openStore, env: contained(next.env), owned: directory };
    expect((await world.run(() => claimOwnership(late))).lastStop).toBe("crash");
  });

  test("a first open, a clean stop and a crash are told apart and counted", async () => {
    const { world, start } = makeWorld(9);
    const first = await start().claim();
    await world.run(() => first.release());
    const second = await start().claim();
    world.kill();
    const third = await start().claim();
    world.powerCut();
    const fourth = await start().claim();
    await world.run(() => fourth.release());
    const fifth = await start().claim();
    const all = [first, second, third, fourth, fifth];
    expect(all.map(({ lastStop }) => lastStop)).toEqual([
      "first-open",
      "clean",
      "crash",
      "crash",
      "clean",
    ]);
    expect(all.map(({ openCount }) => openCount)).toEqual([1, 2, 3, 4, 5]);
    expect(all.map(({ crashCount }) => crashCount)).toEqual([0, 0, 1, 2, 2]);
  });

  test("a damaged record keeps nobody out, and counts as a crash", async () => {
    const { world, start } = makeWorld(10);
    const first = await start().claim();
    await world.run(() => first.release());
    const { openStore, claim } = start();
    await world.run(async () => {
      const store = await openStore(ownerDirectory(directory));
      const record = store.get(OWNER_KEY) ?? new Uint8Array();
      record[5] = (record[5] ?? 0) ^ 1;
      await store.commit([{ key: OWNER_KEY, value: record }]);
      await store.close();
    });
    expect((await claim()).lastStop).toBe("crash");
  });

  test("a record of a newer version is refused, not guessed at", async () => {
    const { world, start } = makeWorld(11);
    const { openStore, claim } = start();
    const value = seal(Uint8Array.of(1), { key: OWNER_KEY, version: 9, generation: 0 });
    await world.run(async () => {
      const store = await openStore(ownerDirectory(directory));
      await store.commit([{ key: OWNER_KEY, value }]);
      await store.close();
    });
    expect(isStorageError(await claim().catch((e: unknown) => e), "BOP_FORMAT")).toBe(true);
  });

  test("a crash while it is claimed leaves the claim of before or of after", async () => {
    const stops = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const { world, start } = makeWorld(seed);
      await start().claim();
      world.kill();
      const { env, openStore } = start();
      void claimOwnership({ env, openStore, owned: directory }).catch(() => undefined);
      await world.pass(seed / 25);
      world.powerCut();
      const { lastStop, openCount } = await start().claim();
      expect([2, 3]).toContain(openCount);
      stops.add(`${lastStop} ${openCount}`);
    }
    expect([...stops].sort()).toEqual(["crash 2", "crash 3"]);
  });

  // evidence: G8
  test("the same process cannot own a directory twice, and can again once it released it", async () => {
    const { world, start } = makeWorld(3);
    const { claim } = start();
    const first = await claim();
    expect(isStorageError(await claim().catch((e: unknown) => e), "BOP_LOCKED")).toBe(true);
    await world.run(() => first.release());
    expect((await claim()).previousCrashed).toBe(false);
  });

  test("a killed owner is taken over, and counted as a crash", async () => {
    for (const crash of ["kill", "powerCut"] as const) {
      const { world, start } = makeWorld(4);
      await start().claim();
      world[crash]();
      expect((await start().claim()).previousCrashed).toBe(true);
    }
  });

  // evidence: G8
  test("of two processes that claim at once exactly one wins", async () => {
    for (let seed = 0; seed < 50; seed++) {
      const { world, start } = makeWorld(seed);
      const [a, b] = [start(), start()];
      const outcomes = await world.run(() =>
        Promise.allSettled([a, b].map((each) => claimOwnership({ ...each, owned: directory }))),
      );
      const won = outcomes.filter(({ status }) => status === "fulfilled");
      expect(won, `seed ${seed}`).toHaveLength(1);
    }
  });

  test("a release that the disk refused leaves a claim that this process may take over", async () => {
    const { world, stores, start } = makeWorld(5);
    const { claim } = start();
    const first = await claim();
    stores.failNextCommit({ applied: false });
    await world.run(() => first.release());
    expect((await claim()).previousCrashed).toBe(true);
  });

  test("releasing late does not remove the claim of the next owner", async () => {
    const { world, stores, start } = makeWorld(6);
    const { claim } = start();
    const first = await claim();
    stores.failNextCommit({ applied: true });
    await world.run(() => first.release());
    const second = await claim();
    await world.run(() => first.release());
    expect(isStorageError(await claim().catch((e: unknown) => e), "BOP_LOCKED")).toBe(true);
    await world.run(() => second.release());
  });
});

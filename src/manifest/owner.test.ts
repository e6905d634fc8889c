import { describe, expect, test } from "vitest";
import { isStorageError } from "../base/errors.ts";
import { seeded, simulatedWorld } from "../io/index.ts";
import { memoryStores } from "./memory-store.ts";
import { claimOwnership } from "./owner.ts";

const directory = "/store/manifest";

function makeWorld(seed: number) {
  const world = simulatedWorld({ seed });
  const stores = memoryStores(seeded(seed));
  const start = () => {
    const env = world.start();
    const openStore = stores.openerFor(env);
    const claim = () =>
      world.run(() => claimOwnership({ openStore, env, directory, owned: directory }));
    return { env, openStore, claim };
  };
  return { world, stores, start };
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
    expect(isStorageError(error, "BOP_LOCKED") && error.details).toEqual({
      directory,
      pid,
      startedAt,
    });
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
        Promise.allSettled(
          [a, b].map((each) => claimOwnership({ ...each, directory, owned: directory })),
        ),
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

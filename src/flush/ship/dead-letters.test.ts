import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { chunkId, LSN_ZERO } from "../../base/units.ts";
import type { ManifestPump } from "./ports.ts";
import {
  batchesInBucket,
  commitsInBucket,
  Machine,
  type OpenOptions,
  pumpOver,
  type RunningStore,
} from "./ship.fixture.ts";

const HOUR = 3_600_000;
const sealed = (machine: Machine) => machine.commits.map(({ lsn }) => lsn);

/** Makes a checkpoint when the sink wants one, as a store does. */
async function opened(
  machine: Machine,
  env: Env,
  options: OpenOptions = {},
): Promise<RunningStore> {
  const store = await machine.open(env, options);
  store.controller.onBaseWanted(() => void store.checkpoint());
  await store.controller.start();
  return store;
}

/** A store that ships, and dies with a letter of its log. */
async function refused(machine: Machine): Promise<{ readonly id: number; readonly lsn: number }> {
  let found = { id: 0, lsn: 0 };
  await machine.live(async (env) => {
    const store = await opened(machine, env);
    await store.remote(await store.commit(100));
    machine.service.faults.state.denied = true;
    const lsn = await store.commit(3000);
    await env.clock.sleep(2000);
    const [letter] = store.controller.deadLetters;
    expect(letter).toMatchObject({ kind: "log", bytes: expect.any(Number) });
    expect(letter?.bytes).toBeGreaterThan(3000);
    found = { id: letter?.id ?? 0, lsn };
  });
  machine.world.kill();
  return found;
}

/** The pump as it is, but for what `mayShip` says of its rounds. */
const refusing =
  (mayShip: () => boolean) =>
  (real: ManifestPump): ManifestPump =>
    pumpOver(real, {
      round: (signal) => {
        if (mayShip()) return real.round(signal);
        const at = { store: "bucket", operation: "put", key: "manifest/1", status: 413 };
        const details = at as never;
        return Promise.reject(new StorageError("BOP_SINK_REFUSED", "too large", { details }));
      },
    });

/** A store that has given up log, and more of it when nothing was put behind that. */
async function givenUpTwice(
  machine: Machine,
  work: (store: RunningStore) => Promise<void>,
  options: OpenOptions = {},
): Promise<void> {
  const { id } = await refused(machine);
  const { state } = machine.service.faults;
  await machine.live(async (env) => {
    const store = await machine.open(env, options);
    const { controller } = store;
    await controller.start();
    state.denied = false;
    await controller.discardDeadLetter(id);
    await env.clock.sleep(1000);
    state.denied = true;
    await store.commit(3000);
    await env.clock.sleep(2000);
    state.denied = false;
    await controller.discardDeadLetter(controller.deadLetters[0]?.id ?? 0);
    await env.clock.sleep(1000);
    expect(controller.facts).toMatchObject({ state: "shipping", lostWindows: [{}, {}] });
    await work(store);
  });
}

describe("a dead letter of the log", () => {
  // evidence: G42
  test("is there for the next process, which asks nothing of the bucket until it is retried", async () => {
    const machine = new Machine(80);
    const { id } = await refused(machine);
    machine.service.faults.state.denied = false;
    await machine.live(async (env) => {
      const store = await opened(machine, env);
      const { calls } = machine.service;
      await store.commit(100);
      await env.clock.sleep(HOUR / 2);
      expect(machine.service.calls).toBe(calls);
      expect(store.controller.facts).toMatchObject({ state: "halted", deadLetters: 1 });
      expect(store.controller.deadLetters).toMatchObject([{ id, kind: "log" }]);
      await store.controller.retryDeadLetter(id);
      await store.remote(store.log.durableLsn);
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
      expect(store.controller.facts).toMatchObject({ deadLetters: 0, lostWindows: [] });
      await store.close();
    });
    await machine.live(async (env) => {
      const store = await opened(machine, env);
      expect(store.controller.facts).toMatchObject({ state: "shipping", deadLetters: 0 });
      await store.close();
    });
  });

  test("that is retried in vain is a new one, with what the bucket says now", async () => {
    const machine = new Machine(81);
    const { id } = await refused(machine);
    await machine.live(async (env) => {
      const store = await opened(machine, env);
      await store.controller.retryDeadLetter(id);
      await env.clock.sleep(1000);
      const [letter] = store.controller.deadLetters;
      expect(letter?.id).toBeGreaterThan(id);
      await expect(store.controller.retryDeadLetter(id)).rejects.toThrow(RangeError);
      await store.close();
    });
  });

  // evidence: G42
  test("that is discarded leaves a lost window and a new base, though the bucket refused until the next process", async () => {
    const machine = new Machine(82);
    const { id, lsn } = await refused(machine);
    let given = 0;
    await machine.live(async (env) => {
      const store = await opened(machine, env);
      given = store.controller.remoteLsn;
      await store.controller.discardDeadLetter(id);
      await env.clock.sleep(1000);
    });
    machine.world.kill();
    machine.service.faults.state.denied = false;
    await machine.live(async (env) => {
      const store = await opened(machine, env);
      expect(store.controller.facts).toMatchObject({ state: "shipping", deadLetters: 0 });
      const [window] = store.controller.facts.lostWindows;
      expect(window).toMatchObject({ letter: id, epochBefore: 1, reason: expect.any(String) });
      expect(window?.fromLsn).toBe(given);
      expect(window?.toLsn).toBeGreaterThanOrEqual(lsn);
      // The checkpoint that was asked for makes the base: nothing else is needed.
      await store.remote(await store.commit(10));
      expect(() => commitsInBucket(machine.service)).toThrow("a gap");
      await store.close();
    });
    await machine.live(async (env) => {
      const store = await opened(machine, env);
      expect(store.controller.facts.lostWindows).toHaveLength(1);
      await store.remote(await store.commit(10));
      await store.close();
    });
  });

  // evidence: G42
  test("that was discarded leaves nothing remote before a base leads behind it, whichever process ships", async () => {
    const machine = new Machine(83);
    const { id } = await refused(machine);
    machine.service.faults.state.denied = false;
    let before = LSN_ZERO;
    await machine.live(async (env) => {
      const store = await machine.open(env);
      await store.controller.start();
      before = store.controller.remoteLsn;
      await store.controller.discardDeadLetter(id);
      await env.clock.sleep(1000);
      const inBucket = batchesInBucket(machine.service).length;
      await store.commit(100);
      await env.clock.sleep(HOUR / 2);
      expect(batchesInBucket(machine.service).length).toBeGreaterThan(inBucket);
      expect(store.controller.remoteLsn).toBe(before);
    });
    machine.world.kill();
    await machine.live(async (env) => {
      const store = await machine.open(env);
      await store.controller.start();
      await store.commit(100);
      await env.clock.sleep(HOUR / 2);
      expect(store.controller.remoteLsn).toBe(before);
    });
    machine.world.kill();
    await machine.live(async (env) => {
      const store = await machine.open(env);
      expect(store.controller.remoteLsn).toBe(before);
      await store.controller.start();
      const lsn = await store.commit(100);
      await store.checkpoint();
      await store.remote(lsn);
      await store.close();
    });
  });

  // evidence: G42
  test("that is discarded where nothing was put behind the window before counts alone, for the next process too", async () => {
    const machine = new Machine(84);
    await givenUpTwice(machine, async ({ env }) => {
      await env.clock.sleep(1000);
    });
    machine.world.kill();
    await machine.live(async (env) => {
      const store = await opened(machine, env);
      const [first, second] = store.controller.facts.lostWindows;
      expect(second?.fromLsn).toBe(first?.fromLsn);
      expect(second?.toLsn).toBeGreaterThan(first?.toLsn ?? Number.POSITIVE_INFINITY);
      await store.remote(await store.commit(10));
      const shipped = batchesInBucket(machine.service).map(({ startLsn }) => startLsn);
      expect(shipped.find((startLsn) => startLsn >= (first?.fromLsn ?? 0))).toBe(second?.toLsn);
      await store.close();
    });
  });

  // evidence: G42
  test("that is discarded where nothing was put behind the window before counts alone, for the next epoch too", async () => {
    const machine = new Machine(85);
    const work = async (store: RunningStore): Promise<void> => {
      const { controller, env } = store;
      await store.checkpoint();
      await env.clock.sleep(5000);
      const [letter] = controller.deadLetters;
      expect(letter).toMatchObject({ kind: "manifest" });
      const { epoch = 0 } = controller;
      await controller.discardDeadLetter(letter?.id ?? 0);
      await env.clock.sleep(60_000);
      expect(controller.epoch).toBe(epoch + 1);
    };
    await givenUpTwice(machine, work, { pump: refusing(() => false) });
  });

  // evidence: G42
  test("that is discarded in a quiet store gives up nothing that the next process writes", async () => {
    const machine = new Machine(86);
    const { state } = machine.service.faults;
    await machine.live(async (env) => {
      const store = await opened(machine, env);
      await store.remote(await store.commit(100));
      // The process ends before the checkpoint that is asked for.
      store.checkpoint = () => Promise.resolve();
      state.denied = true;
      await store.commit(3000);
      await env.clock.sleep(60_000);
      state.denied = false;
      await store.controller.discardDeadLetter(store.controller.deadLetters[0]?.id ?? 0);
      await env.clock.sleep(1000);
      expect(store.controller.facts).toMatchObject({ state: "shipping", lostWindows: [{}] });
    });
    machine.world.kill();
    await machine.live(async (env) => {
      const store = await opened(machine, env);
      const lsn = await store.commit(10);
      const [window] = store.controller.facts.lostWindows;
      expect(window?.toLsn).toBeLessThanOrEqual(lsn);
      await store.remote(lsn);
      await store.close();
    });
  });

  // evidence: G42
  test("names the log also where a chunk that a commit names is damaged: discarding it gives up the log", async () => {
    const machine = new Machine(87);
    await machine.live(async (env) => {
      const store = await opened(machine, env);
      await store.remote(await store.commit(100));
      const lsn = await store.commit(100, { spilled: chunkId(7) });
      await env.clock.sleep(5000);
      const [letter] = store.controller.deadLetters;
      expect(letter).toMatchObject({
        kind: "log",
        reason: expect.stringContaining("/store/chunks/7"),
      });
      await store.controller.discardDeadLetter(letter?.id ?? 0);
      await env.clock.sleep(5000);
      const [window] = store.controller.facts.lostWindows;
      expect(window?.toLsn).toBeGreaterThanOrEqual(lsn);
      await store.close();
    });
  });

  // evidence: G42
  test("is held or given up for good wherever its process dies, and its window is told once", async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 10; seed++) {
      const machine = new Machine(100 + seed);
      const { id } = await refused(machine);
      machine.service.faults.state.denied = false;
      const { world } = machine;
      const env = world.start();
      const life = opened(machine, env).then(async (store) => {
        await store.controller.discardDeadLetter(id);
        await env.clock.sleep(HOUR);
      });
      life.catch(() => undefined);
      await world.pass(world.random.fraction() * 150);
      world.kill();
      await machine.live(async (env) => {
        const store = await opened(machine, env);
        const isHeld = store.controller.deadLetters.length > 0;
        outcomes.add(isHeld ? "held" : "given up");
        if (isHeld) {
          expect(store.controller.deadLetters[0]?.id, `seed ${seed}`).toBe(id);
          await store.controller.discardDeadLetter(id);
        }
        await store.remote(await store.commit(10));
        const { lostWindows } = store.controller.facts;
        expect(
          lostWindows.map(({ letter }) => letter),
          `seed ${seed}`,
        ).toEqual([id]);
        await store.close();
      });
    }
    expect(outcomes).toEqual(new Set(["held", "given up"]));
  });
});

describe("a dead letter of states", () => {
  // evidence: G42
  test("holds up states in the next process too, and the log goes on", async () => {
    const machine = new Machine(90);
    let isOpen = false;
    const pump = refusing(() => isOpen);
    await machine.live(async (env) => {
      const store = await opened(machine, env, { pump });
      await store.commit(100);
      await env.clock.sleep(5000);
      expect(store.controller.deadLetters).toMatchObject([{ kind: "manifest" }]);
    });
    machine.world.kill();
    isOpen = true;
    await machine.live(async (env) => {
      const store = await opened(machine, env, { pump });
      await store.commit(100);
      await env.clock.sleep(5000);
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
      expect(store.controller.facts).toMatchObject({ state: "halted", remoteLsn: 0 });
      const [letter] = store.controller.deadLetters;
      await store.controller.discardDeadLetter(letter?.id ?? 0);
      await store.remote(store.log.durableLsn);
      expect(store.controller.facts).toMatchObject({ deadLetters: 0, lostWindows: [] });
      await store.close();
    });
  });
});

describe("a dead letter of states and one of the log", () => {
  // evidence: G42
  test("are decided each for itself: nothing of the log goes on before its own is", async () => {
    const machine = new Machine(91);
    const { state } = machine.service.faults;
    await machine.live(async (env) => {
      const store = await opened(machine, env, { pump: refusing(() => !state.denied) });
      const { controller } = store;
      await store.remote(await store.commit(100));
      state.denied = true;
      await store.commit(3000);
      await store.checkpoint();
      await env.clock.sleep(5000);
      const idOf = (wanted: string): number =>
        controller.deadLetters.find(({ kind }) => kind === wanted)?.id ?? 0;
      const log = idOf("log");
      state.denied = false;
      const before = batchesInBucket(machine.service).length;
      await controller.discardDeadLetter(idOf("manifest"));
      await store.commit(100);
      await env.clock.sleep(HOUR / 2);
      expect(batchesInBucket(machine.service)).toHaveLength(before);
      expect(controller.deadLetters).toMatchObject([{ id: log, kind: "log" }]);
      expect(controller.facts).toMatchObject({ state: "halted" });
      await controller.retryDeadLetter(log);
      await store.remote(store.log.durableLsn);
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine));
      expect(controller.facts).toMatchObject({ state: "shipping", lostWindows: [] });
      await store.close();
    });
  });
});

/** What waits for the sink, in a store that is opened while its sink is away. */
import { describe, expect, test } from "vitest";
import { MIB } from "../../base/units.ts";
import type { ManifestPump } from "./ports.ts";
import { commitsInBucket, Machine, pumpOver, shipping } from "./ship.fixture.ts";

const HOUR = 3_600_000;
const COMMIT_BYTES = 100_000;
const limits = { maxUnshippedBytes: MIB };

/** Ships log, and no state. */
const stateless = (real: ManifestPump) =>
  pumpOver(real, { round: () => new Promise(() => undefined) });

const sealed = (machine: Machine) => machine.commits.map(({ lsn }) => lsn);

describe("a store whose sink is away", () => {
  // evidence: G31
  test("counts no log that was checkpointed before it had a sink, lets none go, and takes transactions", async () => {
    const machine = new Machine(51);
    const { state } = machine.service.faults;
    await machine.live(async (env) => {
      const store = await machine.open(env, { limits });
      for (let n = 0; n < 20; n++) await store.commit(COMMIT_BYTES);
      await store.checkpoint();
    });
    machine.world.kill();
    await machine.live(async (env) => {
      const store = await machine.open(env, { limits, pump: stateless });
      expect(store.controller.unshippedBytes).toBeLessThan(COMMIT_BYTES);
      await store.controller.start();
    });
    machine.world.kill();
    state.down = true;
    await machine.live(async (env) => {
      const store = await machine.open(env, { limits });
      void store.controller.start();
      expect(() => store.log.admit()).not.toThrow();
      expect(store.controller.unshippedBytes).toBeLessThan(COMMIT_BYTES);
      expect(store.log.stats.marks.archivedLsn).toBe(0);
      for (let n = 0; n < 11; n++) await store.commit(COMMIT_BYTES);
      expect(() => store.log.admit()).toThrow("wait for the sink");
      expect(store.controller.unshippedBytes).toBeGreaterThan(MIB);
      state.down = false;
      await store.remote(store.log.durableLsn);
      expect(() => store.log.admit()).not.toThrow();
      expect(commitsInBucket(machine.service)).toEqual(sealed(machine).slice(-11));
    });
  });

  // evidence: G42
  test("counts no log that was given up, and its letters count what waits", async () => {
    const machine = new Machine(52);
    const { state } = machine.service.faults;
    await machine.live(async (env) => {
      const store = await shipping(machine, env, { limits });
      await store.remote(await store.commit(COMMIT_BYTES));
      await env.clock.sleep(5000);
      state.denied = true;
      for (let n = 0; n < 20; n++) await store.commit(COMMIT_BYTES);
      await env.clock.sleep(5000);
    });
    machine.world.kill();
    state.denied = false;
    await machine.live(async (env) => {
      const store = await machine.open(env, { limits, pump: stateless });
      void store.controller.start();
      expect(() => store.log.admit()).toThrow("wait for the sink");
      const { unshippedBytes, deadLetters } = store.controller;
      expect(unshippedBytes).toBeLessThan(store.log.durableLsn);
      expect(unshippedBytes).toBeGreaterThan(20 * COMMIT_BYTES);
      expect(deadLetters).toHaveLength(1);
      await store.controller.discardDeadLetter(deadLetters[0]?.id ?? 0);
      while (store.controller.facts.state !== "shipping") await env.clock.sleep(10);
    });
    machine.world.kill();
    state.down = true;
    await machine.live(async (env) => {
      const store = await machine.open(env, { limits });
      void store.controller.start();
      await env.clock.sleep(HOUR / 4);
      expect(() => store.log.admit()).not.toThrow();
      expect(store.controller.unshippedBytes).toBeLessThan(COMMIT_BYTES);
    });
  });
});

/**
 * A bucket in trouble with deletes: shipping goes on meanwhile, and closing takes no longer than it may.
 */
import { describe, expect, test } from "vitest";
import { Machine, type RunningStore, withShippedCheckpoints } from "./ship.fixture.ts";

async function msToClose(machine: Machine, store: RunningStore): Promise<number> {
  const { clock } = store.env;
  const beganMs = clock.monotonicMs();
  await machine.world.run(() => store.close(1000));
  return clock.monotonicMs() - beganMs;
}

describe("garbage that is being deleted", () => {
  test("holds up neither states nor remote while the bucket does not answer to that", async () => {
    const machine = new Machine(12);
    const { world, service } = machine;
    const store = await withShippedCheckpoints(machine);
    service.faults.failNext({ fault: "timeout-before", operation: "delete", times: 1e6 });
    const hits = () => service.faults.injected.get("timeout-before") ?? 0;
    for (let minute = 0; minute < 9 * 24 * 60 && hits() === 0; minute++) await world.pass(60_000);
    await world.run(async () => {
      const before = hits();
      while (hits() === before) await store.env.clock.sleep(1);
      // One has just not been answered, and is tried again: it goes on.
      const lsn = await store.commit(100);
      await store.checkpoint();
      await store.remote(lsn);
      await store.env.clock.sleep(3000);
      expect(store.controller.stats.lastState?.checkpointLsn).toBeGreaterThanOrEqual(lsn);
    });
    service.faults.heal();
    await msToClose(machine, store);
  });
});

describe("closing takes no longer than it may", () => {
  // evidence: G46
  test("while garbage is being deleted, and the bucket does not answer to that", async () => {
    const machine = new Machine(11);
    const { world, service } = machine;
    const store = await withShippedCheckpoints(machine);
    service.faults.failNext({ fault: "timeout-before", operation: "delete", times: 1e6 });
    const hits = () => service.faults.injected.get("timeout-before") ?? 0;
    for (let minute = 0; minute < 9 * 24 * 60 && hits() === 0; minute++) await world.pass(60_000);
    expect(hits()).toBeGreaterThan(0);
    expect(await msToClose(machine, store)).toBeLessThan(1500);
  });
});

import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { simulatedWorld } from "../../io/index.ts";
import type { ObjectStore } from "../object-store.ts";
import { probe } from "../probe.ts";
import { Retrier } from "../retry/retrier.ts";
import { SINK_FAULTS, type SinkFault } from "./faults.ts";
import { simulatedService } from "./service.ts";
import { SimulatedStore } from "./simulated-store.ts";

const PUT_ID = "ab".repeat(16);
const OTHER_ID = "cd".repeat(16);
const BODY = Buffer.from("a body of some length");
const MINUTES = 60_000;

function place(seed: number) {
  const world = simulatedWorld({ seed });
  const service = simulatedService(seed);
  const open = () => {
    const env = world.start();
    const store = new SimulatedStore({ service, clock: env.clock, latencyMsMax: 20 });
    return { env, store };
  };
  return { world, service, open };
}

const outcomeOf = (promise: Promise<unknown>) =>
  promise.then(
    (value) => value,
    (error: { code?: string }) => error.code,
  );

/** What a call that meets the fault is told, and whether the object is there afterwards. */
async function meeting(fault: SinkFault, call: (store: ObjectStore) => Promise<unknown>) {
  const { world, service, open } = place(3);
  const { env, store } = open();
  return world.run(async () => {
    await store.put("there", BODY, { putId: OTHER_ID });
    service.faults.failNext({ fault });
    const outcome = await outcomeOf(call(store));
    const [now, later] = [
      service.bucket.keys(env.clock.monotonicMs()),
      env.clock.sleep(20 * MINUTES),
    ];
    await later;
    return { outcome, now, later: service.bucket.keys(env.clock.monotonicMs()) };
  });
}

describe("a simulated service", () => {
  test.each([
    ["error-before", "BOP_SINK_UNKNOWN", false, false],
    ["error-after", "BOP_SINK_UNKNOWN", true, true],
    ["slow-down", "BOP_SINK_UNKNOWN", false, false],
    ["slow-down-after", "BOP_SINK_UNKNOWN", true, true],
    ["throttled", "BOP_SINK_UNAVAILABLE", false, false],
    ["timeout-before", "BOP_SINK_UNKNOWN", false, false],
    ["timeout-after", "BOP_SINK_UNKNOWN", true, true],
    ["delayed", "BOP_SINK_UNKNOWN", false, true],
    ["conflict", "BOP_SINK_UNKNOWN", false, false],
    ["refused", "BOP_SINK_UNAVAILABLE", false, false],
    ["reset", "BOP_SINK_UNKNOWN", false, false],
    ["damaged-put", "BOP_SINK_UNAVAILABLE", false, false],
  ] as const)("that does '%s' to a put says %s", async (fault, code, now, later) => {
    const found = await meeting(fault, (store) => store.putIfAbsent("a", BODY, { putId: PUT_ID }));
    expect(found.outcome).toBe(code);
    expect([found.now.includes("a"), found.later.includes("a")]).toEqual([now, later]);
  });

  test.each([
    ["truncated", "BOP_SINK_UNAVAILABLE"],
    ["damaged", "BOP_SINK_CORRUPT"],
    ["reset", "BOP_SINK_UNAVAILABLE"],
    ["timeout-before", "BOP_SINK_UNAVAILABLE"],
    ["missing", undefined],
  ] as const)("that does '%s' to a get gives no wrong byte", async (fault, outcome) => {
    const found = await meeting(fault, (store) => store.get("there"));
    expect(found.outcome).toBe(outcome);
  });

  test("refuses what waiting cannot mend, for as long as that lasts", () => {
    const { world, service, open } = place(1);
    const { store } = open();
    return world.run(async () => {
      const { state } = service.faults;
      const put = () => outcomeOf(store.put("a", BODY, { putId: PUT_ID }));
      state.denied = true;
      expect(await put()).toBe("BOP_SINK_REFUSED");
      service.faults.heal();
      state.gone = true;
      expect(await put()).toBe("BOP_SINK_REFUSED");
      service.faults.heal();
      state.down = true;
      expect(await put()).toBe("BOP_SINK_UNAVAILABLE");
      service.faults.heal();
      expect(await put()).toBeUndefined();
    });
  });

  test("whose lists lag shows an older bucket, and whose gets lag does not find what was put", () => {
    const { world, service, open } = place(1);
    const { env, store } = open();
    return world.run(async () => {
      await store.put("old", BODY, { putId: PUT_ID });
      await store.put("gone", BODY, { putId: PUT_ID });
      await env.clock.sleep(10_000);
      service.faults.state.listLagMs = 5000;
      service.faults.state.missingMs = 5000;
      await store.put("new", BODY, { putId: PUT_ID });
      await store.delete("gone");
      const keys = async () => (await store.list("")).objects.map(({ key }) => key);
      expect(await keys()).toEqual(["gone", "old"]);
      expect(await store.get("new")).toBeUndefined();
      await env.clock.sleep(6000);
      expect(await keys()).toEqual(["new", "old"]);
      expect((await store.get("new"))?.bytes).toEqual(new Uint8Array(BODY));
    });
  });

  test("lets land what a process sent before it died", () => {
    const { world, service, open } = place(1);
    const { store } = open();
    service.faults.failNext({ fault: "delayed" });
    return world
      .run(async () => {
        void store.put("a", BODY, { putId: PUT_ID }).catch(() => undefined);
      })
      .then(() => world.pass(100))
      .then(async () => {
        world.kill();
        const next = open();
        await world.run(async () => {
          expect(await next.store.head("a")).toBeUndefined();
          await next.env.clock.sleep(20 * MINUTES);
          expect((await next.store.head("a"))?.putId).toBe(PUT_ID);
        });
      });
  });

  test("is the same for the same seed", async () => {
    const run = () => {
      const { world, service, open } = place(9);
      const { env, store } = open();
      service.faults.failSometimes(0.5);
      return world.run(async () => {
        const seen: unknown[] = [];
        for (let n = 0; n < 40; n++) {
          seen.push(await outcomeOf(store.putIfAbsent(`k/${n % 7}`, BODY, { putId: PUT_ID })));
          seen.push(await outcomeOf(store.get(`k/${n % 5}`)));
        }
        return [seen, env.clock.monotonicMs(), service.calls];
      });
    };
    expect(await run()).toEqual(await run());
  });
});

describe("creating under every fault", () => {
  // evidence: G28
  test("has at most one winner, who knows it, and whose body is the one that is there for ever", async () => {
    let [winners, losers, unclear] = [0, 0, 0];
    for (let seed = 0; seed < 40; seed++) {
      const { world, service, open } = place(seed);
      const writers = Array.from({ length: 3 }, (_, index) => ({ ...open(), index }));
      await world.run(async () => {
        service.faults.failSometimes(0.5);
        const told = await Promise.all(
          writers.map(async ({ env, store, index }) => {
            const retrier = new Retrier(env, { what: "s", attemptsMax: 6 });
            const putId = `${index}`.padStart(32, "0");
            const put = () => store.putIfAbsent("epoch/1", Buffer.from(putId), { putId });
            const outcome = await retrier.run(put).catch((error: unknown) => error);
            retrier.close();
            return { putId, outcome };
          }),
        );
        service.faults.heal();
        const { env, store } = writers[0] as (typeof writers)[0];
        await env.clock.sleep(30 * MINUTES);
        const there = await store.get("epoch/1");
        for (const { putId, outcome } of told) {
          const type = (outcome as { type?: string }).type;
          if (type === "created") expect(there?.info.putId, `seed ${seed}`).toBe(putId);
          if (type === "exists") expect(there?.info.putId, `seed ${seed}`).not.toBe(putId);
          if (type === undefined)
            expect(
              isStorageError(outcome, "BOP_SINK_UNKNOWN") ||
                isStorageError(outcome, "BOP_SINK_UNAVAILABLE"),
              `seed ${seed}`,
            ).toBe(true);
          if (type === "created") winners += 1;
          else if (type === "exists") losers += 1;
          else unclear += 1;
        }
        const created = told.filter(
          ({ outcome }) => (outcome as { type?: string }).type === "created",
        );
        expect(created.length, `seed ${seed}`).toBeLessThanOrEqual(1);
        if (there !== undefined) {
          expect(Buffer.from(there.bytes).toString(), `seed ${seed}`).toBe(there.info.putId);
        }
      });
    }
    expect(winners).toBeGreaterThan(25);
    expect(losers).toBeGreaterThan(40);
    expect(unclear).toBeLessThan(40);
  });
});

describe("the table of faults", () => {
  test("names an operation for every fault, and each can be ordered for each", () => {
    const { service } = place(1);
    for (const [fault, operations] of Object.entries(SINK_FAULTS)) {
      expect(operations.length).toBeGreaterThan(0);
      for (const operation of operations) {
        service.faults.failNext({ fault: fault as SinkFault, operation, keyPattern: /^x$/ });
        expect(service.faults.next(operation, "y")).toBeUndefined();
        expect(service.faults.next(operation, "x")).toBe(fault);
      }
    }
    expect(() => service.faults.failNext({ fault: "truncated", operation: "put" })).toThrow();
  });
});

describe("the probe", () => {
  test("finds a simulated service fit through its troubles, and leaves nothing behind", () => {
    const { world, service, open } = place(2);
    const { env, store } = open();
    service.faults.failNext({ fault: "timeout-after", operation: "putIfAbsent", times: 2 });
    return world.run(async () => {
      const report = await probe(store, { random: env.random });
      expect(report.fit).toBe(true);
      expect(service.bucket.keys(env.clock.monotonicMs())).toEqual([]);
    });
  });
});

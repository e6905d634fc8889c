import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { seeded, simulatedEnv } from "../../io/index.ts";
import { sinkError } from "../sink-error.ts";
import type { RetryOptions } from "./options.ts";
import { Retrier } from "./retrier.ts";

const call = { store: "s", operation: "put", key: "a" } as const;
const unknown = () => sinkError(call, { status: 500, word: "InternalError" });
const unavailable = (retryAfterMs?: number) =>
  sinkError(call, { status: 429, word: "TooManyRequests", retryAfterMs });
const refused = () => sinkError(call, { status: 403, word: "AccessDenied" });
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

/** A call that fails with these, one after the other, and then succeeds. */
function failing(...errors: Error[]): { attempt: () => Promise<string>; count: () => number } {
  let count = 0;
  const attempt = async () => {
    count += 1;
    const error = errors[count - 1];
    if (error !== undefined) throw error;
    return "value";
  };
  return { attempt, count: () => count };
}

function inWorld(
  options: RetryOptions,
  program: (retrier: Retrier, world: ReturnType<typeof simulatedEnv>) => Promise<void>,
): Promise<void> {
  const simulated = simulatedEnv({ seed: 5 });
  const retrier = new Retrier(simulated.env, { what: "s", ...options });
  return simulated.world.run(() => program(retrier, simulated));
}

describe("a call that is repeated", () => {
  test("succeeds when an attempt does, and gives up after as many as there may be", () =>
    inWorld({ failuresMax: 100 }, async (retrier) => {
      const twice = failing(unavailable(), unknown());
      expect(await retrier.run(twice.attempt)).toBe("value");
      expect(twice.count()).toBe(3);
      const always = failing(...Array.from({ length: 9 }, () => unavailable()));
      expect(await codeOf(retrier.run(always.attempt))).toBe("BOP_SINK_UNAVAILABLE");
      expect(always.count()).toBe(5);
      expect(retrier.stats).toMatchObject({ attempts: 8, failures: 7, waiting: 0 });
    }));

  test("is not repeated if waiting cannot help, nor if it is no error of the world", () =>
    inWorld({}, async (retrier) => {
      for (const error of [refused(), new TypeError("misuse")]) {
        const once = failing(error);
        await codeOf(retrier.run(once.attempt));
        expect(once.count()).toBe(1);
      }
    }));

  test("whose outcome was unclear once is told so in the end, whatever came after", () =>
    inWorld({ attemptsMax: 2, failuresMax: 100 }, async (retrier) => {
      const { attempt } = failing(unknown(), unavailable());
      expect(await codeOf(retrier.run(attempt))).toBe("BOP_SINK_UNKNOWN");
      const then = failing(unknown(), refused());
      expect(await codeOf(retrier.run(then.attempt))).toBe("BOP_SINK_REFUSED");
    }));

  test("is left alone for as long as the service asks", () =>
    inWorld({}, async (retrier, { world }) => {
      const beganMs = world.nowMs;
      await retrier.run(failing(unavailable(7000)).attempt);
      expect(world.nowMs - beganMs).toBeGreaterThanOrEqual(7000);
    }));

  test("is not left alone for longer than the breaker would, though the service asks for a day", () =>
    inWorld({ pauseMsMax: 30_000 }, async (retrier, { env }) => {
      const call = failing(unavailable(86_400_000));
      expect(await retrier.run(call.attempt)).toBe("value");
      expect(env.clock.monotonicMs()).toBeLessThanOrEqual(30_001);
    }));

  test("that was under way at the close is told what it failed with, and waits for nothing", () =>
    inWorld({}, async (retrier) => {
      let fail: (error: Error) => void = () => undefined;
      const attempt = () => new Promise<never>((_, reject) => (fail = reject));
      const told = codeOf(retrier.run(attempt));
      await Promise.resolve();
      retrier.close();
      fail(unknown());
      expect(await told).toBe("BOP_SINK_UNKNOWN");
      expect(retrier.stats).toMatchObject({ attempts: 1, waiting: 0 });
    }));

  test("ends with its signal's reason while it waits, and leaves nobody in the queue", () =>
    inWorld({}, async (retrier, { env }) => {
      const controller = new AbortController();
      const { attempt } = failing(unavailable(60_000));
      const running = codeOf(retrier.run(attempt, { signal: controller.signal }));
      await env.clock.sleep(10);
      expect(retrier.stats.waiting).toBe(1);
      controller.abort(new Error("given up"));
      expect(await running).toBe("given up");
      expect(retrier.stats.waiting).toBe(0);
    }));

  test("is told that the sink was closed, and so is every later one", () =>
    inWorld({}, async (retrier, { env }) => {
      const running = codeOf(retrier.run(failing(unavailable(60_000)).attempt));
      await env.clock.sleep(10);
      retrier.close();
      retrier.close();
      expect(await running).toBe("BOP_CLOSED");
      expect(await codeOf(retrier.run(failing().attempt))).toBe("BOP_CLOSED");
    }));

  test("fails with what its attempt failed with if there is no room to wait in", () =>
    inWorld({ waitingMax: 2, failuresMax: 100 }, async (retrier, { env }) => {
      const waiting = Array.from({ length: 3 }, () =>
        codeOf(retrier.run(failing(unavailable(5000)).attempt)),
      );
      await env.clock.sleep(10);
      expect(retrier.stats.waiting).toBe(2);
      expect((await Promise.all(waiting)).sort()).toEqual(["BOP_SINK_UNAVAILABLE", "done", "done"]);
    }));
});

describe("a service in an outage", () => {
  test("is called by probes only, and all who waited are served when it is back, none twice", () =>
    inWorld({ attemptsMax: 1000 }, async (retrier, { env, world }) => {
      let up = false;
      let calls = 0;
      const service = async () => {
        calls += 1;
        if (!up) throw unavailable();
      };
      const served: number[] = [];
      const all = Array.from({ length: 20 }, async (_, index) => {
        await retrier.run(service);
        served.push(index);
      });
      await env.clock.sleep(10 * 60_000);
      expect(served).toEqual([]);
      expect(retrier.stats.breaker).not.toBe("closed");
      // Ten minutes of probes, each pause at least half of thirty seconds, and what it took to open.
      expect(calls).toBeLessThan(20 + 60);
      const backMs = world.nowMs;
      up = true;
      const before = calls;
      await Promise.all(all);
      expect(calls - before).toBe(20);
      expect(world.nowMs - backMs).toBeLessThan(60_000);
      expect(retrier.stats).toMatchObject({ breaker: "closed", waiting: 0 });
    }));

  test("is told at once to those who would rather not wait", () =>
    inWorld({ failuresMax: 1, attemptsMax: 1 }, async (retrier) => {
      await codeOf(retrier.run(failing(unavailable()).attempt));
      const next = failing();
      const error = await retrier.run(next.attempt, { whenOpen: "fail" }).catch((each) => each);
      expect(isStorageError(error, "BOP_SINK_UNAVAILABLE")).toBe(true);
      expect(error.details.retryAfterMs).toBeGreaterThan(0);
      expect(next.count()).toBe(0);
    }));

  test("that refuses, or serves one damaged object, is there: the breaker stays closed", () =>
    inWorld({ failuresMax: 1, attemptsMax: 1 }, async (retrier) => {
      for (let round = 0; round < 5; round++) await codeOf(retrier.run(failing(refused()).attempt));
      expect(retrier.stats.breaker).toBe("closed");
    }));

  test("is not given more repetitions than the budget has, by all callers together", () =>
    inWorld({ failuresMax: 1000, attemptsMax: 1000, baseMs: 1, maxMs: 1 }, async (retrier) => {
      const calls = Array.from({ length: 50 }, () =>
        codeOf(retrier.run(failing(...Array.from({ length: 99 }, unavailable)).attempt)),
      );
      expect(new Set(await Promise.all(calls))).toEqual(new Set(["BOP_SINK_UNAVAILABLE"]));
      expect(retrier.stats.attempts).toBeLessThan(50 + 110);
      expect(retrier.stats.overBudget).toBe(50);
    }));
});

describe("options of retrying", () => {
  test("that are unknown or out of range are refused by name", () => {
    const { env } = simulatedEnv({ seed: 1 });
    const make = (options: object) => () => new Retrier(env, { what: "s", ...options });
    expect(make({ attempts: 3 })).toThrow('unknown option "attempts"');
    expect(make({ attemptsMax: 0 })).toThrow("attemptsMax is 0; want 1 to 1000");
    expect(make({ baseMs: seeded(1).fraction() })).toThrow(RangeError);
  });
});

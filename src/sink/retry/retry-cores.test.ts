import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seeded } from "../../io/index.ts";
import { backoffLimitMs, backoffMs } from "./backoff.ts";
import { CircuitBreaker, type Ticket } from "./breaker.ts";
import { RetryBudget } from "./budget.ts";
import { DueQueue } from "./due-queue.ts";

const LIMITS = { failuresMax: 3, probesMin: 2, pauseMs: 100, pauseMsMax: 1000 };

describe("backoff", () => {
  test("stays between nothing and its maximum for every attempt there can be", () => {
    const attempt = fc.oneof(fc.nat(100), fc.nat(), fc.maxSafeNat());
    const limits = fc.record({
      baseMs: fc.integer({ min: 1, max: 60_000 }),
      maxMs: fc.integer({ min: 1, max: 3_600_000 }),
    });
    fc.assert(
      fc.property(attempt, limits, fc.integer(), (count, range, seed) => {
        const waitMs = backoffMs(count, { ...range, random: seeded(seed) });
        expect(Number.isSafeInteger(waitMs) && waitMs >= 0 && waitMs <= range.maxMs).toBe(true);
        const [now, next] = [backoffLimitMs(count, range), backoffLimitMs(count + 1, range)];
        expect(next >= now && next <= Math.max(now * 2, 1)).toBe(true);
      }),
    );
  });

  test("spreads those who failed together over the whole of it", () => {
    const random = seeded(7);
    const limits = { baseMs: 100, maxMs: 10_000, random };
    const waits = Array.from({ length: 1000 }, () => backoffMs(3, limits));
    const quarters = new Set(waits.map((ms) => Math.floor(ms / 200.25)));
    expect([...quarters].sort()).toEqual([0, 1, 2, 3]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(800);
  });
});

describe("the budget", () => {
  test("never lets more repetitions through than were earned, whatever the order and the clock", () => {
    const limits = { max: 10, perSuccess: 0.2, perSecond: 1 };
    const steps = fc.array(
      fc.oneof(fc.constant("succeeded" as const), fc.integer({ min: -500, max: 5000 })),
    );
    fc.assert(
      fc.property(steps, (all) => {
        const budget = new RetryBudget(limits, 0);
        let [nowMs, newestMs, spent, successes] = [0, 0, 0, 0];
        for (const step of all) {
          if (step === "succeeded") {
            budget.succeeded();
            successes += 1;
            continue;
          }
          nowMs += step;
          newestMs = Math.max(newestMs, nowMs);
          if (budget.spend(nowMs)) spent += 1;
          const earned = limits.max + successes * limits.perSuccess + newestMs / 1000;
          expect(spent).toBeLessThanOrEqual(earned + 1e-6);
          expect(budget.kept).toBeLessThanOrEqual(limits.max);
        }
      }),
    );
  });

  test("that is spent earns again by successes and by time", () => {
    const budget = new RetryBudget({ max: 1, perSuccess: 0.5, perSecond: 1 }, 0);
    expect([budget.spend(0), budget.spend(0)]).toEqual([true, false]);
    budget.succeeded();
    budget.succeeded();
    expect([budget.spend(0), budget.spend(999), budget.spend(1000)]).toEqual([true, false, true]);
  });
});

describe("the breaker", () => {
  const go = (breaker: CircuitBreaker, nowMs: number): Ticket => {
    const answer = breaker.ask(nowMs);
    if (answer.type !== "go") throw new Error("it does not let go");
    return answer.ticket;
  };
  const fail = (breaker: CircuitBreaker, nowMs: number) =>
    breaker.settle(go(breaker, nowMs), { outcome: "failed", nowMs });
  const opened = () => {
    const breaker = new CircuitBreaker(LIMITS, seeded(1));
    for (let count = 0; count < 3; count++) fail(breaker, 0);
    return breaker;
  };

  test("opens after so many failures in a row, and a success forgets those before it", () => {
    const breaker = new CircuitBreaker(LIMITS, seeded(1));
    fail(breaker, 0);
    fail(breaker, 0);
    breaker.settle(go(breaker, 0), { outcome: "succeeded", nowMs: 0 });
    fail(breaker, 0);
    fail(breaker, 0);
    breaker.settle(go(breaker, 0), { outcome: "abandoned", nowMs: 0 });
    expect(breaker.state).toBe("closed");
    fail(breaker, 0);
    expect(breaker.state).toBe("open");
  });

  test("lets nobody go until its pause is over, then one at a time, and closes when they succeed", () => {
    const breaker = opened();
    const answer = breaker.ask(1);
    const untilMs = answer.type === "wait" ? answer.untilMs : 0;
    expect(untilMs >= 50 && untilMs <= 100).toBe(true);
    const probe = go(breaker, untilMs);
    expect(breaker.ask(untilMs).type).toBe("wait");
    breaker.settle(probe, { outcome: "succeeded", nowMs: untilMs });
    expect(breaker.state).toBe("half-open");
    breaker.settle(go(breaker, untilMs), { outcome: "succeeded", nowMs: untilMs });
    expect(breaker.state).toBe("closed");
  });

  test("pauses longer each time that a probe fails, up to its maximum", () => {
    const breaker = opened();
    let nowMs = 0;
    const pauses: number[] = [];
    for (let round = 0; round < 8; round++) {
      const answer = breaker.ask(nowMs);
      const untilMs = answer.type === "wait" ? answer.untilMs : nowMs;
      pauses.push(untilMs - nowMs);
      nowMs = untilMs;
      fail(breaker, nowMs);
    }
    const limits = [100, 200, 400, 800, 1000, 1000, 1000, 1000];
    for (const [round, limitMs] of limits.entries()) {
      expect(pauses[round]).toBeGreaterThanOrEqual(limitMs / 2);
      expect(pauses[round]).toBeLessThanOrEqual(limitMs);
    }
  });

  test("does not heed the word of calls that began before its last move", () => {
    const breaker = new CircuitBreaker(LIMITS, seeded(1));
    const late = [go(breaker, 0), go(breaker, 0)];
    for (let count = 0; count < 3; count++) fail(breaker, 0);
    for (const ticket of late) breaker.settle(ticket, { outcome: "succeeded", nowMs: 1 });
    expect(breaker.state).toBe("open");
    const probe = go(breaker, 1000);
    for (const ticket of late) breaker.settle(ticket, { outcome: "failed", nowMs: 1000 });
    expect(breaker.state).toBe("half-open");
    breaker.settle(probe, { outcome: "abandoned", nowMs: 1000 });
    expect(breaker.ask(1000).type).toBe("go");
  });

  test("lets at most one go while half-open and none while open, whatever happens in which order", () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant("ask" as const), afterMs: fc.nat(400) }),
      fc.record({
        type: fc.constant("settle" as const),
        which: fc.nat(20),
        outcome: fc.constantFrom("succeeded", "failed", "abandoned"),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, seed) => {
        const breaker = new CircuitBreaker(LIMITS, seeded(seed));
        const out: { ticket: Ticket; move: number }[] = [];
        let nowMs = 0;
        for (const each of steps) {
          if (each.type === "ask") {
            nowMs += each.afterMs;
            const answer = breaker.ask(nowMs);
            if (answer.type === "wait") expect(answer.untilMs).toBeGreaterThan(nowMs);
            else out.push({ ticket: answer.ticket, move: breaker.moves });
            if (answer.type === "go") expect(breaker.state).not.toBe("open");
          } else if (out.length > 0) {
            const [settled] = out.splice(each.which % out.length, 1);
            if (settled) breaker.settle(settled.ticket, { outcome: each.outcome, nowMs });
          }
          const probing = out.filter(({ move }) => move === breaker.moves).length;
          if (breaker.state === "half-open") expect(probing).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("the queue of who waits", () => {
  test("gives out everybody once, when due, in the order of times and of arrival", () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ type: fc.constant("add" as const), dueMs: fc.nat(50) }),
        fc.record({ type: fc.constant("take" as const), nowMs: fc.nat(60) }),
        fc.record({ type: fc.constant("remove" as const), which: fc.nat(10) }),
      ),
    );
    fc.assert(
      fc.property(steps, (all) => {
        const queue = new DueQueue<number>(5);
        let model: { item: number; entry: { item: number; dueMs: number } }[] = [];
        for (const [item, step] of all.entries()) {
          if (step.type === "add") {
            const entry = queue.add(item, step.dueMs);
            expect(entry === undefined).toBe(model.length === 5);
            if (entry) model.push({ item, entry });
          } else if (step.type === "take") {
            const due = model.filter(({ entry }) => entry.dueMs <= step.nowMs);
            due.sort((a, b) => a.entry.dueMs - b.entry.dueMs || a.item - b.item);
            expect(queue.takeDue(step.nowMs)).toEqual(due.map(({ item: one }) => one));
            model = model.filter((one) => !due.includes(one));
          } else if (model.length > 0) {
            const [one] = model.splice(step.which % model.length, 1);
            if (one)
              expect([queue.remove(one.entry), queue.remove(one.entry)]).toEqual([true, false]);
          }
          const next = model.map(({ entry }) => entry.dueMs);
          expect(queue.nextDueMs).toBe(next.length === 0 ? undefined : Math.min(...next));
        }
      }),
    );
  });
});

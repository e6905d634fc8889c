import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { streamId } from "../base/units.ts";
import { type JobEvent, type JobRow, mayMeet, moveJob, newJob, pauseMsMax } from "./job-state.ts";

const LEASE = { type: "lease", holder: "us", leaseMs: 1000 } as const;
const FAIL = { type: "fail", reason: "no luck", final: false } as const;
const at = (nowMs: number, below = (limit: number) => limit - 1) => ({ nowMs, below });
const fresh = (maxAttempts = 3) =>
  newJob({ id: 1, kind: "k", stream: streamId(7), maxAttempts, nowMs: 100 });
const moved = (job: JobRow, ...events: JobEvent[]) =>
  events.reduce((row, event) => moveJob(row, event, at(200)), job);

describe("a job", () => {
  test("that is done has a result, and no lease", () => {
    const done = moved(fresh(), LEASE, {
      type: "complete",
      result: "ok",
      progress: { done: 3, total: 3 },
    });
    expect(done).toMatchObject({ state: "done", message: "ok", attempts: 1, lease: undefined });
  });

  test("that failed waits for a time that was drawn, and says why", () => {
    const waiting = moved(fresh(), LEASE, FAIL);
    expect(waiting).toMatchObject({ state: "waiting", message: "no luck", dueAtMs: 200 + 1000 });
    const soon = moveJob(
      moved(fresh(), LEASE),
      FAIL,
      at(200, () => 0),
    );
    expect(soon.dueAtMs).toBe(200);
  });

  test("that has no attempt left failed for good, and keeps its reason until it is retried", () => {
    const failed = moved(fresh(1), LEASE, FAIL);
    expect(failed).toMatchObject({ state: "failed", message: "no luck" });
    expect(moved(failed, { type: "retry" })).toMatchObject({
      state: "queued",
      attempts: 0,
      message: "",
    });
  });

  test("that no retry can mend fails at once", () => {
    expect(moved(fresh(9), LEASE, { ...FAIL, final: true }).state).toBe("failed");
  });

  test("whose process dies again and again runs out of attempts like any other", () => {
    const expire = { type: "expire", reason: "its process ended" } as const;
    const twice = moved(fresh(2), LEASE, expire, LEASE, expire);
    expect(twice).toMatchObject({ state: "failed", attempts: 2, message: "its process ended" });
  });

  test("the longest pause doubles up to five minutes, however many attempts there were", () => {
    expect([1, 2, 3, 9].map(pauseMsMax)).toEqual([1000, 2000, 4000, 256_000]);
    for (const attempts of [10, 50, 2000, 2 ** 40]) expect(pauseMsMax(attempts)).toBe(300_000);
  });

  test("a reason of any length is cut to what a row may hold", () => {
    const failed = moved(fresh(1), LEASE, { ...FAIL, reason: "x".repeat(100_000) });
    expect(failed.message.length).toBeLessThan(3000);
  });

  test("whatever happens, attempts stay within their limit, and only a leased one has a lease", () => {
    const event: fc.Arbitrary<JobEvent> = fc.oneof(
      fc.constant(LEASE),
      fc.constant(FAIL),
      fc.constantFrom<JobEvent>(
        { type: "renew", leaseMs: 5, progress: { done: 1, total: 2 } },
        { type: "complete", result: "ok", progress: { done: 2, total: 2 } },
        { type: "expire", reason: "gone" },
        { type: "due" },
        { type: "cancel" },
        { type: "retry" },
      ),
    );
    fc.assert(
      fc.property(fc.array(event), fc.integer({ min: 1, max: 4 }), (events, maxAttempts) => {
        let job = fresh(maxAttempts);
        for (const each of events) {
          if (!mayMeet(job, each.type)) {
            expect(() => moveJob(job, each, at(300))).toThrow(job.state);
            continue;
          }
          job = moveJob(job, each, at(300));
          expect(job.attempts).toBeLessThanOrEqual(maxAttempts);
          expect(job.lease !== undefined).toBe(job.state === "leased");
        }
      }),
    );
  });
});

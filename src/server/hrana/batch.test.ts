import { describe, expect, test } from "vitest";
import { holds } from "./batch.ts";
import type { Condition, StepOutcome } from "./protocol.ts";

const done: StepOutcome = {
  type: "ok",
  result: {
    columns: [],
    rows: [],
    changes: 0,
    lastInsertRowid: 0n,
    isReadonly: true,
    durationMs: 0,
  },
};
const failed: StepOutcome = { type: "error", error: { message: "no", code: "SQLITE_ERROR" } };
const skipped = undefined;

const ok = (step: number): Condition => ({ type: "ok", step });
const error = (step: number): Condition => ({ type: "error", step });
const not = (condition: Condition): Condition => ({ type: "not", condition });

const outcomes = [done, failed, skipped];
const check = (condition: Condition, isAutocommit = true) =>
  holds(condition, { outcomes, isAutocommit });

describe("conditions of a batch", () => {
  test("ok holds for a step that was done, and for no other", () => {
    expect([0, 1, 2].map((step) => check(ok(step)))).toEqual([true, false, false]);
  });

  test("error holds for a step that failed or was skipped", () => {
    expect([0, 1, 2].map((step) => check(error(step)))).toEqual([false, true, true]);
  });

  test("not turns a condition around", () => {
    expect(check(not(ok(0)))).toBe(false);
    expect(check(not(ok(1)))).toBe(true);
  });

  test("and needs all, or needs one; of nothing and holds, or does not", () => {
    expect(check({ type: "and", conditions: [ok(0), error(1)] })).toBe(true);
    expect(check({ type: "and", conditions: [ok(0), ok(1)] })).toBe(false);
    expect(check({ type: "or", conditions: [ok(1), ok(0)] })).toBe(true);
    expect(check({ type: "or", conditions: [ok(1), ok(2)] })).toBe(false);
    expect(check({ type: "and", conditions: [] })).toBe(true);
    expect(check({ type: "or", conditions: [] })).toBe(false);
  });

  test("is_autocommit says whether a transaction is open", () => {
    expect(check({ type: "is_autocommit" }, true)).toBe(true);
    expect(check({ type: "is_autocommit" }, false)).toBe(false);
  });
});

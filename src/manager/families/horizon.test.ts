import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LSN_ZERO, lsn } from "../../base/units.ts";
import { type HorizonFacts, horizonOf } from "./horizon.ts";

const HOUR_MS = 3_600_000;
const checkpoints = [10, 20, 30, 40].map((at) => ({ lsn: lsn(at), createdAtMs: at * 60_000 }));

function horizonAt(minute: number, facts: Partial<HorizonFacts> = {}): number {
  const nowMs = minute * 60_000;
  const window = { historyMs: HOUR_MS, floorLsn: LSN_ZERO, passedLsn: LSN_ZERO };
  return horizonOf({ checkpoints, nowMs, ...window, ...facts });
}

describe("the horizon", () => {
  test("is the newest checkpoint that is as old as the window", () => {
    expect([69, 70, 79, 80, 99, 500].map((minute) => horizonAt(minute))).toEqual([
      0, 10, 10, 20, 30, 40,
    ]);
  });

  test("is raised to the first checkpoint above what history may take", () => {
    expect(horizonAt(70, { floorLsn: lsn(21) })).toBe(30);
    expect(horizonAt(500, { floorLsn: lsn(21) })).toBe(40);
    expect(horizonAt(70, { floorLsn: lsn(45) })).toBe(45);
  });

  test("never falls, whatever the clock and the checkpoints are", () => {
    const facts = fc.record({
      checkpoints: fc
        .uniqueArray(fc.nat(100), { maxLength: 6 })
        .map((at) => at.sort((a, b) => a - b).map((n) => ({ lsn: lsn(n), createdAtMs: n * 7 }))),
      nowMs: fc.nat(1000),
      historyMs: fc.nat(500),
      floorLsn: fc.nat(120).map(lsn),
      passedLsn: fc.nat(100).map(lsn),
    });
    fc.assert(
      fc.property(facts, (given) => {
        const horizon = horizonOf(given);
        expect(horizon).toBeGreaterThanOrEqual(given.passedLsn);
        expect(horizon).toBeGreaterThanOrEqual(given.floorLsn);
        const cut = given.nowMs - given.historyMs;
        const young = given.checkpoints.filter(({ createdAtMs }) => createdAtMs > cut);
        const isForced = given.floorLsn > given.passedLsn;
        const isYoung = young.some((each) => each.lsn === horizon);
        expect(isYoung && !isForced && horizon > given.passedLsn).toBe(false);
      }),
    );
  });
});

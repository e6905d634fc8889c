import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LSN_ZERO, type Lsn, lsn } from "../../base/units.ts";
import type { ShippingRow } from "../../manifest/index.ts";
import { type FlushState, moveFlush } from "./flush-state.ts";
import { keptOf, rememberedOf, restorableLsn, waitsFrom } from "./remembered.ts";
import { RemoteMark } from "./remote-mark.ts";
import { WalSchedule } from "./wal-schedule.ts";

const LIMITS = { flushBytes: 1000, flushIntervalMs: 100 };

describe("the life of shipping", () => {
  test("ends in closed from everywhere, and does not come back from what is for good", () => {
    const states: FlushState[] = ["offline", "claiming", "comparing", "taking-over", "shipping"];
    for (const state of [...states, "halted", "fenced", "diverged"] as FlushState[]) {
      const life = { state };
      moveFlush(life, "closed");
      expect(() => moveFlush(life, "offline")).toThrow(/no move/);
    }
    for (const state of ["fenced", "diverged"] as const) {
      expect(() => moveFlush({ state }, "claiming")).toThrow(/no move/);
    }
    expect(() => moveFlush({ state: "claiming" }, "shipping")).toThrow(/no move/);
  });
});

describe("the mark of what is remote", () => {
  test("never falls, never passes what is settled, and stands still until a state leads to the log", () => {
    const step = fc.record({
      bytes: fc.nat(100),
      settled: fc.option(fc.nat(100), { nil: undefined }),
      state: fc.option(fc.nat(120), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step), fc.boolean(), fc.nat(50), (steps, isAnchored, from) => {
        const mark = new RemoteMark(LSN_ZERO);
        mark.begin(lsn(from), { isAnchored });
        let [before, end, settledMax, hasState] = [0, from, 0, isAnchored];
        for (const { bytes, settled, state } of steps) {
          end += bytes;
          const settledLsn = settled === undefined ? undefined : lsn(Math.min(end, from + settled));
          settledMax = Math.max(settledMax, settledLsn ?? 0);
          mark.shipped(lsn(end), settledLsn);
          if (state !== undefined) mark.stateShipped(lsn(state));
          hasState ||= state !== undefined && state >= from;
          expect(mark.isAnchored).toBe(hasState);
          expect(mark.remoteLsn).toBe(hasState ? settledMax : 0);
          expect(mark.remoteLsn).toBeGreaterThanOrEqual(before);
          before = mark.remoteLsn;
        }
      }),
    );
  });
});

describe("what a disk remembers of a bucket", () => {
  const shipping: ShippingRow = {
    bucket: "a",
    epoch: 2,
    walNumber: 3,
    shippedLsn: lsn(8192),
    manifestNumber: 4,
    shippedGeneration: 5,
    fencedBelow: 2,
    atMs: 9,
    restored: false,
    location: "file:///a",
  };
  const epochs = [{ epoch: 2, startLsn: lsn(4096), claimedAtMs: 8 }];
  const opened = { shipping, epochs, checkpointLsn: lsn(6000) };

  test("counts for its own place, for none, and for any if its place is not known", () => {
    expect(rememberedOf(opened, "file:///a")).toEqual(opened);
    expect(rememberedOf(opened, undefined)).toEqual(opened);
    const unknown = { ...opened, shipping: { ...shipping, location: undefined } };
    expect(rememberedOf(unknown, "file:///b")).toEqual(unknown);
    const long = `file:///${"x".repeat(5000)}`;
    const kept = { ...opened, shipping: { ...shipping, location: keptOf(long) } };
    expect(rememberedOf(kept, long)).toEqual(kept);
  });

  test("counts for nothing elsewhere: log waits from the checkpoint on, and none can be restored", () => {
    const elsewhere = rememberedOf(opened, "file:///b");
    expect(restorableLsn(elsewhere.shipping)).toBe(LSN_ZERO);
    expect(waitsFrom(elsewhere)).toBe(6000);
    expect(waitsFrom(opened)).toBe(8192);
    expect(restorableLsn(shipping)).toBe(8192);
    expect(restorableLsn({ ...shipping, shippedGeneration: 0 })).toBe(LSN_ZERO);
  });
});

describe("the schedule of log objects", () => {
  const at = (bytes: number): Lsn => lsn(bytes);

  test("waits its interval for a little, and not at all for a whole object or for who waits", () => {
    const schedule = new WalSchedule(LIMITS, LSN_ZERO);
    expect(schedule.dueMs(5)).toBeUndefined();
    expect(schedule.durable(at(10), 5)).toBe(true);
    expect(schedule.durable(at(20), 50)).toBe(false); // Its timer is set.
    expect(schedule.dueMs(60)).toBe(105);
    expect(schedule.durable(at(1000), 60)).toBe(true);
    expect(schedule.dueMs(60)).toBe(60);
    schedule.shipped(at(1000), 70);
    expect(schedule.dueMs(70)).toBeUndefined();
    schedule.durable(at(1010), 70);
    expect(schedule.wanted(at(1010))).toBe(true);
    expect(schedule.wanted(at(1010))).toBe(false);
    expect(schedule.dueMs(71)).toBe(71);
  });

  test("does not look again at what was nothing to ship, until more is durable or it is asked for", () => {
    const schedule = new WalSchedule(LIMITS, LSN_ZERO);
    schedule.durable(at(10), 5);
    schedule.nothing(at(10), LSN_ZERO);
    schedule.hurry();
    expect(schedule.dueMs(1000)).toBeUndefined();
    schedule.floor(at(10));
    expect(schedule.dueMs(1000)).toBe(1000);
    schedule.nothing(at(10), at(10));
    expect(schedule.dueMs(1000)).toBeUndefined();
    schedule.durable(at(11), 1001);
    expect(schedule.dueMs(1001)).toBe(1001);
  });
});

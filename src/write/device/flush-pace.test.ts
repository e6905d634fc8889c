import { describe, expect, test } from "vitest";
import { FlushPace } from "./flush-pace.ts";

describe("the pace of flushes", () => {
  test("of flushes through the pool the quickest of a run counts, for the loop adds to the others", () => {
    const pace = new FlushPace();
    expect(pace.ms).toBeUndefined();
    pace.throughPool(4);
    expect(pace.ms).toBe(4);
    for (let i = 0; i < 31; i++) pace.throughPool(i === 7 ? 0.4 : 5);
    expect(pace.ms).toBe(0.4);
    for (let i = 0; i < 32; i++) pace.throughPool(30);
    expect(pace.ms).toBe(30);
  });

  test("flushes within calls move the estimate as they come, so that slow ones end them soon", () => {
    const pace = new FlushPace();
    for (let i = 0; i < 100; i++) pace.withinCall(0.2);
    expect(pace.ms).toBeCloseTo(0.2);
    pace.withinCall(20);
    expect(pace.ms).toBeGreaterThan(1);
  });
});

import { describe, expect, test } from "vitest";
import { seeded } from "./seeded.ts";

describe("seeded dice", () => {
  test("a seed gives the same throws in every version", () => {
    const dice = seeded(42);
    const throws = Array.from({ length: 6 }, () => dice.below(1000));
    expect(throws).toEqual(GOLDEN);
  });

  test("throws are spread evenly, and forked dice are their own", () => {
    const dice = seeded(7);
    const counts = new Array<number>(10).fill(0);
    for (let n = 0; n < 20_000; n++) {
      const at = dice.below(10);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(250);
    const [a, b] = [seeded(9), seeded(9)];
    const forked = a.fork();
    b.fork();
    forked.bytes(1000);
    expect(a.below(1e9)).toBe(b.below(1e9));
  });
});

/** Written down once; a change would make every recorded seed worthless. */
const GOLDEN: readonly number[] = [294, 912, 152, 763, 352, 765];

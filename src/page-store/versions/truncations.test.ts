import { describe, expect, test } from "vitest";
import { lsn } from "../../base/units.ts";
import { Truncations } from "./truncations.ts";

function truncated(...list: readonly (readonly [at: number, pageCount: number])[]): Truncations {
  const truncations = new Truncations();
  for (const [at, pageCount] of list) truncations.add(lsn(at), pageCount);
  return truncations;
}

describe("a truncation", () => {
  test("hides what was above the new end before it, from those who look at or after it", () => {
    const truncations = truncated([20, 5]);
    expect(truncations.hides(6, lsn(10), lsn(20))).toBe(true);
    expect(truncations.hides(5, lsn(10), lsn(20))).toBe(false);
    expect(truncations.hides(6, lsn(10), lsn(19))).toBe(false);
    expect(truncations.hides(6, lsn(20), lsn(30))).toBe(false);
  });

  test("is one of several: the smallest size between two moments is what counts", () => {
    const truncations = truncated([20, 5], [30, 2], [40, 3]);
    expect(truncations.smallest(lsn(10), lsn(25))).toBe(5);
    expect(truncations.smallest(lsn(10), lsn(50))).toBe(2);
    expect(truncations.smallest(lsn(30), lsn(50))).toBe(3);
    expect(truncations.smallest(lsn(40), lsn(50))).toBeUndefined();
  });

  test("that page maps show already is forgotten, a later one is not", () => {
    const truncations = truncated([20, 5], [30, 2]);
    truncations.forget(lsn(20));
    expect(truncations.hides(6, lsn(10), lsn(25))).toBe(false);
    expect(truncations.hides(6, lsn(10), lsn(30))).toBe(true);
  });

  test("that a stronger one follows is kept for who looks between the two, and only then", () => {
    const many = Array.from({ length: 12 }, (_, index) => [10 * (index + 1), 5] as const);
    const looked = truncated(...many);
    looked.collapse(() => 45);
    expect(looked.hides(6, lsn(5), lsn(45))).toBe(true);
    expect(looked.hides(6, lsn(41), lsn(50))).toBe(true);
    expect(looked.hides(6, lsn(41), lsn(49))).toBe(false);
    expect(looked.hides(6, lsn(5), lsn(35))).toBe(false);
    const weaker = truncated(...many.slice(1), [999, 8]);
    weaker.collapse(() => 10_000);
    expect(weaker.hides(6, lsn(115), lsn(10_000))).toBe(true);
  });
});

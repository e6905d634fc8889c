import { describe, expect, test } from "vitest";
import { seeded } from "../../io/index.ts";
import { SlotMap } from "./slot-map.ts";

describe("a slot map", () => {
  test("finds what was set and nothing else, far apart and across its rows", () => {
    const slots = new SlotMap();
    for (const page of [1, 1023, 1024, 1025, 5_000_000]) slots.set(page, page * 2);
    expect([1, 1023, 1024, 1025, 5_000_000].map((page) => slots.find(page))).toEqual([
      2, 2046, 2048, 2050, 10_000_000,
    ]);
    expect([2, 1022, 1026, 4_999_999].map((page) => slots.find(page))).toEqual(
      Array(4).fill(undefined),
    );
    expect([...slots.pageNumbers()]).toEqual([1, 1023, 1024, 1025, 5_000_000]);
  });

  test("keeps the slot of a page that was cut off, for when it is written again", () => {
    const slots = new SlotMap();
    for (const page of [1, 2, 3, 2000]) slots.set(page, page - 1);
    slots.cut(2);
    expect([slots.find(2), slots.find(3), slots.find(2000)]).toEqual([1, undefined, undefined]);
    expect([slots.reserved(3), slots.reserved(2000), slots.reserved(4)]).toEqual([
      2,
      1999,
      undefined,
    ]);
    expect([...slots.gone()]).toEqual([3, 2000]);
    slots.set(3, 2);
    slots.cut(3);
    expect([...slots.pageNumbers()]).toEqual([1, 2, 3]);
    expect([...slots.gone()]).toEqual([2000]);
  });

  test("is a map of numbers, whatever is done to it", () => {
    const random = seeded(5);
    const slots = new SlotMap();
    const there = new Map<number, number>();
    const reserved = new Map<number, number>();
    for (let step = 0; step < 5000; step += 1) {
      const page = 1 + random.below(4000);
      if (random.below(50) === 0) {
        slots.cut(page);
        for (const known of there.keys()) if (known > page) there.delete(known);
      } else {
        const slot = reserved.get(page) ?? step;
        slots.set(page, slot);
        there.set(page, slot);
        reserved.set(page, slot);
      }
    }
    for (let page = 1; page <= 4000; page += 1) {
      expect([slots.find(page), slots.reserved(page)]).toEqual([
        there.get(page),
        reserved.get(page),
      ]);
    }
    expect([...slots.pageNumbers()]).toEqual([...there.keys()].sort((a, b) => a - b));
  });
});

import { expect, test } from "vitest";
import type { Clock } from "../../base/env.ts";
import { simulatedEnv } from "../../io/index.ts";
import { Slices, sliceAfter } from "./slices.ts";

const after = (turns: readonly number[]) => turns.reduce(sliceAfter, 2);

test("slices grow while nobody else has anything to do, up to a bound, and are short again at once", () => {
  expect(after([0, 0])).toBe(4.5);
  expect(after(Array(20).fill(0.1))).toBe(8);
  expect(after([...Array(20).fill(0.1), 1])).toBe(2);
});

/** A clock that a test moves, and whose turns take as long as the others need. */
function clockOf(others: { ms: number }): { clock: Clock; work: (ms: number) => void } {
  const { clock } = simulatedEnv({ seed: 1 }).env;
  let nowMs = 0;
  return {
    work: (ms) => {
      nowMs += ms;
    },
    clock: {
      ...clock,
      monotonicMs: () => nowMs,
      turn: (fn) =>
        queueMicrotask(() => {
          nowMs += others.ms;
          fn();
        }),
    },
  };
}

test("work steps aside after a short slice beside others, and after longer ones alone", async () => {
  const others = { ms: 1 };
  const { clock, work } = clockOf(others);
  const slices = new Slices(clock, () => false);
  const sliceMs = async () => {
    for (let ms = 0; ; ms += 0.5) {
      const pause = slices.pause();
      await pause;
      if (pause !== undefined) return ms;
      work(0.5);
    }
  };
  expect([await sliceMs(), await sliceMs(), await sliceMs()]).toEqual([2, 2, 2]);
  others.ms = 0;
  expect(await sliceMs()).toBe(2);
  for (let turn = 0; turn < 10; turn++) await sliceMs();
  expect(await sliceMs()).toBe(8);
  others.ms = 1;
  await sliceMs();
  expect(await sliceMs()).toBe(2);
});

test("work that is no longer wanted ends when it steps aside", async () => {
  const { clock, work } = clockOf({ ms: 0 });
  let isClosing = false;
  const slices = new Slices(clock, () => isClosing);
  isClosing = true;
  expect(slices.pause()).toBeUndefined();
  work(10);
  await expect(slices.pause()).rejects.toMatchObject({ code: "BOP_CLOSED" });
  work(10);
  await slices.aside(); // Unless it must come to its end.
});

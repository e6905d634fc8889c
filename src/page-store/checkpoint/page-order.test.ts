import { expect, test } from "vitest";
import { seeded, simulatedEnv } from "../../io/index.ts";
import { inOrder } from "./page-order.ts";
import { Slices } from "./slices.ts";

const { env } = simulatedEnv({ seed: 1 });
const slices = (isClosing = () => false) => {
  let nowMs = 0;
  const turns: number[] = [];
  const clock = {
    ...env.clock,
    monotonicMs: () => {
      nowMs += 0.5; // Each look at the clock takes long: there are many slices.
      return nowMs;
    },
    turn: (fn: () => void) => {
      turns.push(nowMs);
      queueMicrotask(fn);
    },
  };
  return { turns, slices: new Slices(clock, isClosing) };
};

test("numbers come in order and once each, whatever order they were in", async () => {
  const random = seeded(7);
  for (const count of [0, 1, 2, 65, 4097, 20_000]) {
    for (const limit of [3, 5000, 2 ** 32 - 1]) {
      const numbers = Array.from({ length: count }, () => 1 + random.below(limit));
      const expected = [...new Set(numbers)].sort((a, b) => a - b);
      expect([...(await inOrder(numbers, slices().slices))]).toEqual(expected);
    }
  }
});

test("many of them are sorted in many slices, and sorting ends when it is no longer wanted", async () => {
  const numbers = Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 100_003);
  const { turns, slices: patient } = slices();
  await inOrder(numbers, patient);
  expect(turns.length).toBeGreaterThan(20);
  const { slices: closing } = slices(() => true);
  await expect(inOrder(numbers, closing)).rejects.toMatchObject({ code: "BOP_CLOSED" });
});

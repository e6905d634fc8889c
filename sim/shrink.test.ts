import { describe, expect, test } from "vitest";
import { seeded } from "../src/io/index.ts";
import { runSeed } from "./seeds.ts";
import { kindOf, shrink } from "./shrink.ts";
import { swarm } from "./swarm.ts";

const DRAWN = { ...swarm(seeded(1)), lives: 4, clients: 6, operations: 9, changesMax: 400 };

describe("shrinking a seed that fails", () => {
  test("ends with the least that still fails, and leaves alone what does not matter to it", async () => {
    const smaller = await shrink({ ...DRAWN, checkpoints: 20 }, async (options) => {
      const { lives, clients, checkpoints } = { ...DRAWN, checkpoints: 20, ...options };
      return lives >= 2 && clients >= 3 && checkpoints >= 5;
    });
    expect(smaller).toMatchObject({ lives: 2, clients: 3, checkpoints: 5, operations: 1 });
  });

  test("leaves only the kind of work that it needs", async () => {
    const weights = { ...DRAWN.weights, vacuum: 5, insert: 1, read: 2 };
    const smaller = await shrink({ ...DRAWN, weights }, async (options) => {
      return { weights, ...options }.weights.vacuum > 0;
    });
    const left = Object.entries(smaller.weights ?? {}).filter(([, weight]) => weight > 0);
    expect(left).toEqual([["vacuum", 5]]);
  });

  test("a seed that fails only as it was drawn stays as it was drawn", async () => {
    expect(await shrink(DRAWN, async () => false)).toEqual({});
  });

  test("failures that differ in numbers only are the same", () => {
    const lost = (n: number) => new Error(`recovered [${n},7] is no state: ${n} is missing`);
    expect(kindOf(lost(1))).toBe(kindOf(lost(22)));
    expect(kindOf(lost(1))).not.toBe(kindOf(new Error("something else")));
  });
});

test("a seed lives with the options that it is given, in place of what it draws", async () => {
  const verdict = await runSeed({ scenario: "crash", seed: 3, smaller: { lives: 1, clients: 1 } });
  expect(verdict.failure).toBeUndefined();
  expect(verdict.options).toMatchObject({ lives: 1, clients: 1 });
});

/** FENCING, all of it: every order of the steps of a few writers, with every fate of their puts. */
import { describe, expect, test } from "vitest";
import {
  type Bounds,
  broken,
  firstModel,
  looksFor,
  type Mistake,
  type Model,
  nextModels,
} from "./fencing-model.fixture.ts";

interface Findings {
  readonly states: number;
  readonly problem: string | undefined;
  /** How many states had more than one epoch that acknowledged something. */
  readonly handovers: number;
  readonly fenced: number;
}

/** Depth first, every state once, until one is broken. */
function explore(bounds: Bounds, mistake?: Mistake): Findings {
  const met = new Set<string>();
  const stack: Model[] = [firstModel(bounds)];
  let [handovers, fenced] = [0, 0];
  for (let model = stack.pop(); model !== undefined; model = stack.pop()) {
    const problem = broken(model);
    if (problem !== undefined) return { states: met.size, problem, handovers, fenced };
    if (new Set(model.acknowledged.flat()).size > 1) handovers += 1;
    if (model.writers.some(({ type }) => type === "fenced")) fenced += 1;
    for (const next of nextModels(model, bounds, mistake)) {
      const name = JSON.stringify(next);
      if (met.has(name)) continue;
      met.add(name);
      stack.push(next);
    }
  }
  return { states: met.size, problem: undefined, handovers, fenced };
}

const TWO: Bounds = { writers: 2, appends: 2, troubles: 1, publishes: false };
const TWO_PUBLISHING: Bounds = { writers: 2, appends: 1, troubles: 1, publishes: true };
const THREE: Bounds = { writers: 3, appends: 1, troubles: 0, publishes: false };

describe("every order of the steps of a few writers", () => {
  // evidence: G29
  // evidence: G30
  test.each([
    ["two writers, and a put in trouble", TWO],
    ["two writers that publish and delete", TWO_PUBLISHING],
    ["three writers", THREE],
  ])("%s: no LSN is acknowledged twice, and what was is in the chain", (_, bounds) => {
    const { states, problem, handovers, fenced } = explore(bounds);
    expect(problem).toBeUndefined();
    expect(handovers).toBeGreaterThan(100);
    expect(fenced).toBeGreaterThan(100);
    expect(states).toBeGreaterThan(2000);
  });

  test.each([
    ["unclear is done", TWO],
    ["unclear is failed", TWO],
    ["no fence", TWO],
    ["newest epoch only", THREE],
  ] as const)("a writer that gets it wrong (%s) is found out", (mistake, bounds) => {
    expect(explore(bounds, mistake).problem).toBeDefined();
  });
});

describe("the end of a sequence", () => {
  test("is found in few questions, however long it is", () => {
    for (let count = 0; count < 300; count++) expect(looksFor(count)).toBeLessThan(18);
    expect(looksFor(100_000)).toBeLessThan(36);
    expect(looksFor(100_000, 99_999)).toBeLessThan(4);
  });
});

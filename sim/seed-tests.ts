/** How test files run seeds: a few at a time, so that a test that fails names the seeds that did. */
import { expect, test } from "vitest";
import type { ScenarioName } from "./scenarios/index.ts";
import { replayCommand, runSeeds, type Verdict } from "./seeds.ts";

const SEEDS_PER_TEST = 50;
const TEST_MS_MAX = 300_000;

export function seedTests(
  scenario: ScenarioName,
  { fact, seeds }: { readonly fact: string; readonly seeds: number },
): void {
  for (let from = 1; from <= seeds; from += SEEDS_PER_TEST) {
    const numbers = Array.from(
      { length: Math.min(SEEDS_PER_TEST, seeds + 1 - from) },
      (_, n) => n + from,
    );
    test(`${fact} (seeds ${from} to ${numbers.at(-1)})`, { timeout: TEST_MS_MAX }, async () => {
      const report = await runSeeds({ seeds: numbers.map((seed) => ({ scenario, seed })) });
      expect(report.failures.map(describeFailure)).toEqual([]);
      expect(report.count).toBe(numbers.length);
    });
  }
}

export function describeFailure({ seed, failure }: Verdict): string {
  const text = failure instanceof Error ? failure.message : String(failure);
  return `${replayCommand(seed)}: ${text}`;
}

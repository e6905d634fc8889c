/** How test files run seeds: a few at a time, so that a test that fails names the seeds that did. */
import { expect, test } from "vitest";
import type { ScenarioName } from "./scenarios/index.ts";
import { replayCommand, runSeeds, type Verdict } from "./seeds.ts";
import type { Smaller } from "./shrink.ts";

const SEEDS_PER_TEST = 50;
const TEST_MS_MAX = 300_000;
/** Every so many seeds have echoes, so many for each crash. */
const ECHOED = 8;
const ECHOES = 2;

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
      const seeds = numbers.map((seed) => ({ scenario, seed, smaller: fewEchoes(seed) }));
      const report = await runSeeds({ seeds });
      expect(report.failures.map(describeFailure)).toEqual([]);
      expect(report.count).toBe(numbers.length);
    });
  }
}

/** Further images of a crash are looked at by the night; here, of some. */
function fewEchoes(seed: number): Smaller {
  return { echoes: seed % ECHOED === 0 ? ECHOES : 0 };
}

export function describeFailure({ seed, failure }: Verdict): string {
  const text = failure instanceof Error ? failure.message : String(failure);
  return `${replayCommand(seed)}: ${text}`;
}

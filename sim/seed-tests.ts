/**
 * How test files run seeds: a few at a time, so that a test that fails names the seeds that did.
 *
 * (1) The first seed is lived twice, and its two lives are the same to the last byte. So is that of every
 *     scenario of which a seed takes no minutes.
 */
import { expect, test } from "vitest";
import { LONG_SCENARIOS, type ScenarioName } from "./scenarios/index.ts";
import { replayCommand, runSeed, runSeeds, type Verdict } from "./seeds.ts";
import type { Smaller } from "./shrink.ts";
import type { Tally } from "./tally.ts";

const SEEDS_PER_TEST = 50;
const TEST_MS_MAX = 300_000;
/** Every so many seeds have echoes, so many for each crash; and the first has. */
const ECHOED = 8;
const ECHOES = 2;

export interface SeedsOfATest {
  readonly fact: string;
  readonly seeds: number;
  /** Told what they have exercised. */
  readonly seen?: (tally: Tally) => void;
}

export function seedTests(
  scenario: ScenarioName,
  { fact, seeds, seen = () => {} }: SeedsOfATest,
): void {
  const isLong = LONG_SCENARIOS.includes(scenario);
  if (!isLong) livedTwice(scenario, { fact, seen });
  for (let from = isLong ? 1 : 2; from <= seeds; from += SEEDS_PER_TEST) {
    const numbers = Array.from(
      { length: Math.min(SEEDS_PER_TEST, seeds + 1 - from) },
      (_, n) => n + from,
    );
    test(`${fact} (seeds ${from} to ${numbers.at(-1)})`, { timeout: TEST_MS_MAX }, async () => {
      const seeds = numbers.map((seed) => ({ scenario, seed, smaller: fewEchoes(seed) }));
      const report = await runSeeds({ seeds });
      expect(report.failures.map(describeFailure)).toEqual([]);
      expect(report.count).toBe(numbers.length);
      seen(report.tally);
    });
  }
}

/** See (1). */
function livedTwice(
  scenario: ScenarioName,
  { fact, seen }: Required<Pick<SeedsOfATest, "fact" | "seen">>,
): void {
  test(`${fact} (seed 1, twice the same to the last byte)`, { timeout: TEST_MS_MAX }, async () => {
    const life = { scenario, seed: 1, traceDisk: true, smaller: { echoes: ECHOES } };
    const [first, second] = [await runSeed(life), await runSeed(life)];
    const failed = [first, second].filter(({ failure }) => failure !== undefined);
    expect(failed.map(describeFailure)).toEqual([]);
    expect(first.digest).toBeDefined();
    expect(second.digest).toBe(first.digest);
    expect(second.tally.entries()).toEqual(first.tally.entries());
    seen(first.tally);
  });
}

/** Further images of a crash are looked at by the night; here, of some. */
function fewEchoes(seed: number): Smaller {
  return { echoes: seed % ECHOED === 0 ? ECHOES : 0 };
}

export function describeFailure({ seed, failure }: Verdict): string {
  const text = failure instanceof Error ? failure.message : String(failure);
  return `${replayCommand(seed)}: ${text}`;
}

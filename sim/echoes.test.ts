/** Further images of a crash: they are looked at, and the life that goes on is not changed by them. */
import { describe, expect, test } from "vitest";
import type { ScenarioName } from "./scenarios/index.ts";
import { runSeed } from "./seeds.ts";
import { ECHO_IMAGES, IMAGES } from "./tally.ts";

const SCENARIOS: readonly ScenarioName[] = ["pages", "log", "crash", "families"];

async function lived(scenario: ScenarioName, echoes: number) {
  const lines: string[] = [];
  const print = (line: string) => {
    if (!/^( {2}echo|\S+ echo) /.test(line)) lines.push(line);
  };
  const verdict = await runSeed({ scenario, seed: 6, smaller: { echoes }, print });
  expect(verdict.failure).toBeUndefined();
  return { lines, tally: verdict.tally };
}

describe("echoes of a seed", () => {
  test.each(SCENARIOS)("of %s change nothing of its main line, and are counted", async (name) => {
    const alone = await lived(name, 0);
    const echoed = await lived(name, 3);
    expect(echoed.lines).toEqual(alone.lines);
    expect(alone.tally.of(ECHO_IMAGES)).toBe(0);
    const images = echoed.tally.of(IMAGES) - echoed.tally.of(ECHO_IMAGES);
    expect(images).toBe(alone.tally.of(IMAGES));
    expect(echoed.tally.of(ECHO_IMAGES)).toBeGreaterThanOrEqual(3 * images);
  });
});

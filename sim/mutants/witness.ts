/**
 * A PROCESS THAT LIVES SEEDS of a scenario in a tree with a planted bug, and says after each one whether
 * it was noticed: `witness.ts <scenario> <from> <seeds>`, started by watch.ts.
 */

import { SCENARIO_NAMES } from "../scenarios/index.ts";
import { runSeeds, type Seed, type Verdict } from "../seeds.ts";

/** What it says after each seed. */
export interface Testimony {
  readonly seed: number;
  /** Why the seed failed; undefined if it passed. */
  readonly noticed: string | undefined;
}

function* seedsOf([wanted, from, count]: readonly string[]): Generator<Seed> {
  const scenario = SCENARIO_NAMES.find((name) => name === wanted);
  if (scenario === undefined) throw new TypeError(`no scenario ${wanted}`);
  for (let n = 0; n < Number(count); n++) yield { scenario, seed: n + Number(from) };
}

function testify({ seed, failure }: Verdict): boolean {
  const text = failure instanceof Error ? failure.message : String(failure);
  const noticed = failure === undefined ? undefined : text;
  const testimony: Testimony = { seed: seed.seed, noticed };
  process.send?.(testimony);
  return noticed === undefined;
}

await runSeeds({ seeds: seedsOf(process.argv.slice(2)), onVerdict: testify });
process.disconnect?.();

/** RUNS SEEDS of a scenario, and says which of them failed and how to see that again. */
import { performance } from "node:perf_hooks";
import { watchMoves } from "../src/base/state-table.ts";
import { moveName } from "./coverage.ts";
import { watchRejections } from "./failure.ts";
import { SCENARIOS, type ScenarioName } from "./scenarios/index.ts";
import type { Simulation } from "./simulation.ts";
import type { SwarmOptions } from "./swarm.ts";
import { Tally } from "./tally.ts";

export interface Seed {
  readonly scenario: ScenarioName;
  readonly seed: number;
  /** Told every line of the trace. */
  readonly print?: (line: string) => void;
  readonly traceDisk?: boolean;
  /** Of a seed that was shrunk. */
  readonly smaller?: Partial<SwarmOptions>;
}

export interface Verdict {
  readonly seed: Seed;
  readonly failure: unknown;
  readonly tally: Tally;
  /** What the seed has drawn; undefined if it did not get that far. */
  readonly options: SwarmOptions | undefined;
  /** Hash of the trace. */
  readonly digest: string | undefined;
}

export interface Report {
  readonly count: number;
  readonly elapsedMs: number;
  readonly failures: readonly Verdict[];
  readonly tally: Tally;
}

watchRejections();

export async function runSeed({ scenario, seed, ...how }: Seed): Promise<Verdict> {
  let simulation: Simulation | undefined;
  let failure: unknown;
  const begun = (made: Simulation) => {
    simulation = made;
  };
  const moves = new Tally();
  watchMoves((table, from, to) => moves.add(moveName({ table, from, to })));
  try {
    await SCENARIOS[scenario]({ seed, begun, ...how });
  } catch (error) {
    failure = error;
  }
  watchMoves(undefined);
  simulation?.tallyFaults();
  simulation?.tally.addAll(moves.entries());
  return {
    seed: { scenario, seed, ...(how.smaller && { smaller: how.smaller }) },
    failure,
    tally: simulation?.tally ?? new Tally(),
    options: simulation?.options,
    digest: simulation?.trace.digest(),
  };
}

export interface Batch {
  readonly seeds: Iterable<Seed>;
  /** Told each verdict as it comes; false ends the run. */
  readonly onVerdict?: (verdict: Verdict) => boolean;
}

export async function runSeeds({ seeds, onVerdict = () => true }: Batch): Promise<Report> {
  const startedMs = performance.now();
  const tally = new Tally();
  const failures: Verdict[] = [];
  let count = 0;
  for (const seed of seeds) {
    const verdict = await runSeed(seed);
    count += 1;
    tally.addAll(verdict.tally.entries());
    if (verdict.failure !== undefined) failures.push(verdict);
    if (!onVerdict(verdict)) break;
  }
  return { count, elapsedMs: performance.now() - startedMs, failures, tally };
}

/** The command that lives a seed again. */
export function replayCommand({ scenario, seed, smaller = {} }: Seed): string {
  const hasLess = Object.keys(smaller).length > 0;
  const options = hasLess ? ` --smaller '${JSON.stringify(smaller)}'` : "";
  return `npm run sim -- --scenario ${scenario} --seed ${seed}${options} --trace`;
}

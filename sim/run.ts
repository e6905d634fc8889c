/**
 * npm run sim: the whole store in simulated worlds, seed after seed.
 *
 *   npm run sim -- --seeds 500                       seeds 1 to 500, split over the scenarios
 *   npm run sim -- --minutes 30 --from 100000        as many as fit, from there on
 *   npm run sim -- --scenario faults --seed 42       one seed, with what it drew
 *   npm run sim -- --scenario faults --seed 42 --trace   …and every call of its disk
 *
 * Exit code 0: all seeds passed. 1: one failed; its seed and the command that replays it are the
 * last lines. 2: wrong usage.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { runInProcesses } from "./processes.ts";
import { SCENARIO_NAMES, type ScenarioName } from "./scenarios/index.ts";
import { replayCommand, runSeed, runSeeds, type Seed, type Verdict } from "./seeds.ts";
import type { Tally } from "./tally.ts";

const DEFAULT_SEEDS = 500;
const PROGRESS_MS = 5000;

interface Wanted {
  readonly scenarios: readonly ScenarioName[];
  readonly from: number;
  readonly seeds: number;
  readonly endMs: number;
  readonly jobs: number;
  readonly one: number | undefined;
  readonly trace: boolean;
}

function wanted(): Wanted {
  const { values } = parseArgs({
    options: {
      scenario: { type: "string" },
      seeds: { type: "string" },
      seed: { type: "string" },
      from: { type: "string", default: "1" },
      minutes: { type: "string" },
      jobs: { type: "string", default: String(availableParallelism()) },
      trace: { type: "boolean", default: false },
    },
  });
  const { scenario, minutes } = values;
  const isKnown = scenario === undefined || SCENARIO_NAMES.includes(scenario as ScenarioName);
  if (!isKnown) throw new TypeError(`no scenario ${scenario}; there are: ${SCENARIO_NAMES}`);
  const limit = minutes === undefined ? undefined : natural("minutes", minutes);
  return {
    scenarios: scenario === undefined ? SCENARIO_NAMES : [scenario as ScenarioName],
    from: natural("from", values.from),
    seeds: values.seeds === undefined && limit !== undefined ? Infinity : seedsOf(values.seeds),
    endMs: limit === undefined ? Infinity : Date.now() + limit * 60_000,
    jobs: Math.max(1, natural("jobs", values.jobs)),
    one: values.seed === undefined ? undefined : natural("seed", values.seed),
    trace: values.trace,
  };
}

function seedsOf(text: string | undefined): number {
  return text === undefined ? DEFAULT_SEEDS : natural("seeds", text);
}

function natural(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`--${name} is ${text}; want a whole number`);
}

async function main(): Promise<number> {
  const options = wanted();
  if (options.one !== undefined) return oneSeed(options, options.one);
  const startedMs = Date.now();
  const report = await (options.jobs > 1 ? runInProcesses : runHere)(options, progress(startedMs));
  const seconds = (Date.now() - startedMs) / 1000;
  printTally(report.tally);
  console.log(
    `${report.count} seeds in ${seconds.toFixed(1)} s (${(report.count / seconds).toFixed(1)}/s), ` +
      `${crashes(report.tally)} crashes, ${report.failures.length} failures`,
  );
  for (const { seed, message } of report.failures) printFailure(seed, message);
  return report.failures.length === 0 ? 0 : 1;
}

export interface Failed {
  readonly seed: Seed;
  readonly message: string;
}

export interface Summary {
  readonly count: number;
  readonly tally: Tally;
  readonly failures: readonly Failed[];
}

type OnSeeds = (count: number) => void;

async function runHere(options: Wanted, onSeeds: OnSeeds): Promise<Summary> {
  const seeds = seedsBetween(options);
  const onVerdict = () => {
    onSeeds(1);
    return Date.now() < options.endMs;
  };
  const { count, tally, failures } = await runSeeds({ seeds, onVerdict });
  return { count, tally, failures: failures.map(failed) };
}

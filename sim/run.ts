/**
 * npm run sim: the whole store in simulated worlds, seed after seed.
 *
 *   npm run sim -- --seeds 500                       seeds 1 to 500, the scenarios in turn
 *   npm run sim -- --minutes 30 --from 100000        as many as fit, from there on
 *   npm run sim -- --scenario faults --seed 42       one seed, with what it drew
 *   npm run sim -- --scenario faults --seed 42 --trace   …and every call that reached its disk
 *   npm run sim -- --scenario faults --seed 42 --shrink  …made as small as it still fails
 *
 * Exit code 0: all seeds passed. 1: one failed; what broke and the command that replays it are
 * printed. 2: wrong usage. One process uses one core: for more, run several with their own --from.
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { coverage, isCovered } from "./coverage.ts";
import { SCENARIO_NAMES, type ScenarioName } from "./scenarios/index.ts";
import { type Report, replayCommand, runSeed, runSeeds, type Seed, type Verdict } from "./seeds.ts";
import { kindOf, type Smaller, shrink } from "./shrink.ts";
import { ECHO_IMAGES, IMAGES } from "./tally.ts";

const DEFAULT_SEEDS = 500;
const PROGRESS_MS = 10_000;
const SCENARIO_SHARES: readonly ScenarioName[] = [
  "crash",
  "faults",
  "crash",
  "reveal",
  "import",
  "large-transactions",
];

interface Wanted {
  readonly scenario: ScenarioName | undefined;
  readonly from: number;
  readonly seeds: number;
  readonly minutes: number;
  readonly seed: number | undefined;
  readonly trace: boolean;
  readonly shrink: boolean;
  readonly smaller: Smaller;
}

function wanted(): Wanted {
  const { values } = parseArgs({
    options: {
      scenario: { type: "string" },
      seeds: { type: "string" },
      seed: { type: "string" },
      from: { type: "string" },
      minutes: { type: "string" },
      trace: { type: "boolean", default: false },
      shrink: { type: "boolean", default: false },
      smaller: { type: "string", default: "{}" },
    },
  });
  const scenario = SCENARIO_NAMES.find((name) => name === values.scenario);
  if (values.scenario !== undefined && scenario === undefined) {
    throw new TypeError(`no scenario ${values.scenario}; there are: ${SCENARIO_NAMES.join(", ")}`);
  }
  const minutes = natural("minutes", values.minutes) ?? Number.POSITIVE_INFINITY;
  const isTimed = minutes !== Number.POSITIVE_INFINITY;
  const seeds = isTimed ? Number.POSITIVE_INFINITY : DEFAULT_SEEDS;
  return {
    scenario,
    from: natural("from", values.from) ?? 1,
    seeds: natural("seeds", values.seeds) ?? seeds,
    minutes,
    seed: natural("seed", values.seed),
    trace: values.trace,
    shrink: values.shrink,
    smaller: JSON.parse(values.smaller) as Smaller,
  };
}

function natural(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`--${name} is ${text}; want a whole number`);
}

async function main(options: Wanted): Promise<boolean> {
  const { seed, scenario = "crash", minutes } = options;
  if (seed !== undefined) {
    const wanted = { scenario, seed, smaller: options.smaller };
    return options.shrink ? shrunk(wanted) : oneSeed(wanted, options.trace);
  }
  const endMs = performance.now() + minutes * 60_000;
  const onVerdict = reporter(endMs);
  const report = await runSeeds({ seeds: seedsOf(options), onVerdict });
  summarise(report);
  return report.failures.length === 0;
}

function* seedsOf({ scenario, from, seeds, smaller }: Wanted): Iterable<Seed> {
  for (let n = 0; n < seeds; n++) {
    const share = SCENARIO_SHARES[n % SCENARIO_SHARES.length];
    yield { scenario: scenario ?? share ?? "crash", seed: from + n, smaller };
  }
}

async function oneSeed(seed: Seed, trace: boolean): Promise<boolean> {
  const print = trace ? (line: string) => console.log(line) : undefined;
  const verdict = await runSeed({ ...seed, ...(print && { print }) });
  for (const [name, count] of verdict.tally.entries()) console.log(`${name}: ${count}`);
  console.log(`options ${JSON.stringify(verdict.options)}`);
  if (verdict.failure === undefined) console.log(`passed; the trace's hash is ${verdict.digest}`);
  else printFailure(verdict);
  return verdict.failure === undefined;
}

/** Prints the smallest that still fails. */
async function shrunk(seed: Seed): Promise<boolean> {
  const { failure, options } = await runSeed(seed);
  if (failure === undefined || options === undefined) return oneSeed(seed, false);
  const kind = kindOf(failure);
  let lived = 0;
  const smaller = await shrink(options, async (tried) => {
    const verdict = await runSeed({ ...seed, smaller: { ...seed.smaller, ...tried } });
    const stillFails = verdict.failure !== undefined && kindOf(verdict.failure) === kind;
    lived += 1;
    console.error(`${stillFails ? "fails " : "passes"} ${JSON.stringify(tried)}`);
    return stillFails;
  });
  console.log(`${lived} runs; it still fails with`);
  return oneSeed({ ...seed, smaller: { ...seed.smaller, ...smaller } }, false);
}

/** Prints failures at once, progress now and then, and ends the run when its time is up. */
function reporter(endMs: number): (verdict: Verdict) => boolean {
  let [count, saidMs] = [0, performance.now()];
  return (verdict) => {
    count += 1;
    if (verdict.failure !== undefined) printFailure(verdict);
    const nowMs = performance.now();
    if (nowMs - saidMs > PROGRESS_MS) {
      console.error(`${count} seeds`);
      saidMs = nowMs;
    }
    return nowMs < endMs;
  };
}

function printFailure({ seed, failure, options }: Verdict): void {
  const text = failure instanceof Error ? failure.stack : String(failure);
  console.error(`\n${seed.scenario}, seed ${seed.seed}: ${text}`);
  console.error(`options ${JSON.stringify(options)}`);
  console.error(`replay  ${replayCommand(seed)}`);
}

function summarise({ count, elapsedMs, failures, tally }: Report): void {
  for (const [name, times] of tally.entries()) {
    if (!isCovered(name)) console.log(`${name}: ${times}`);
  }
  for (const line of coverage(tally)) console.log(line);
  const seconds = elapsedMs / 1000;
  const rate = (count / seconds).toFixed(1);
  console.log(
    `${count} seeds in ${seconds.toFixed(1)} s (${rate}/s), ${tally.of(IMAGES)} crashes ` +
      `(${tally.of(ECHO_IMAGES)} further images), ${failures.length} failed`,
  );
  for (const { seed } of failures) console.log(replayCommand(seed));
}

try {
  process.exitCode = (await main(wanted())) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}

/**
 * npm run night: fresh seeds of many scenarios for as long as wanted, on several cores, with a ledger of
 * what was lived, so that a run goes on where the one before it stopped.
 *
 *   npm run night -- --minutes 480                     a night, on all cores
 *   npm run night -- --minutes 30 --scenario pages     one scenario; may be given several times
 *   npm run night -- --minutes 60 --crashes            what sees most crashes in the time
 *   npm run night -- --ledger /tmp/night.jsonl         another ledger (default: data/night.jsonl)
 *   npm run night -- --report                          what the ledger says, and nothing is run
 *
 * Also --jobs (processes; default: cores) and --from (the first seed; default: 10,000,000). One run at a
 * time for each ledger. Ctrl-C ends it early and loses nothing.
 *
 * Exit code 0: all seeds of this source passed, those of earlier runs included. 1: some failed; they are
 * printed with the command that lives each again. 2: wrong usage.
 */
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { SCENARIO_NAMES, type ScenarioName } from "../scenarios/index.ts";
import { replayCommand } from "../seeds.ts";
import { work } from "./crew.ts";
import { type FailedSeed, Ledger, type Range } from "./ledger.ts";
import { CRASH_MIX, type Mix, NIGHT_MIX, Plan } from "./plan.ts";
import { reportOf, towardsMillion } from "./report.ts";
import { sourceHash } from "./source.ts";

const MINUTES = 480;
const FROM = 10_000_000;
const PROGRESS_MS = 60_000;

interface Wanted {
  readonly mix: Mix;
  readonly minutes: number;
  readonly jobs: number;
  readonly from: number;
  readonly ledger: string;
  readonly onlyReport: boolean;
}

function wanted(): Wanted {
  const { values } = parseArgs({
    options: {
      scenario: { type: "string", multiple: true, default: [] },
      minutes: { type: "string", default: String(MINUTES) },
      jobs: { type: "string", default: String(availableParallelism()) },
      from: { type: "string", default: String(FROM) },
      ledger: { type: "string", default: "data/night.jsonl" },
      crashes: { type: "boolean", default: false },
      report: { type: "boolean", default: false },
    },
  });
  const named = values.scenario.map((wanted) => {
    const scenario = SCENARIO_NAMES.find((name) => name === wanted);
    if (scenario !== undefined) return scenario;
    throw new TypeError(`no scenario ${wanted}; there are: ${SCENARIO_NAMES.join(", ")}`);
  });
  const mix = values.crashes ? CRASH_MIX : NIGHT_MIX;
  return {
    mix: named.length === 0 ? mix : Object.fromEntries(named.map((name) => [name, 1])),
    minutes: natural("minutes", values.minutes),
    jobs: natural("jobs", values.jobs),
    from: natural("from", values.from),
    ledger: values.ledger,
    onlyReport: values.report,
  };
}

function natural(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new TypeError(`--${name} is ${text}; want a whole number above 0`);
}

/** True if no seed of this source has failed. */
async function main(options: Wanted): Promise<boolean> {
  mkdirSync(dirname(options.ledger), { recursive: true });
  const ledger = new Ledger(options.ledger);
  const source = sourceHash();
  if (!options.onlyReport) await run(options, { ledger, source });
  const lines = ledger.lines.filter((line) => line.source === source);
  console.log(`\nsource ${source}, ledger ${ledger.path}`);
  for (const text of reportOf(lines)) console.log(text);
  for (const text of towardsMillion({ source: lines, all: ledger.lines })) console.log(text);
  return lines.every(({ failed }) => failed.length === 0);
}

interface Running {
  readonly ledger: Ledger;
  readonly source: string;
}

async function run(options: Wanted, { ledger, source }: Running): Promise<void> {
  const { mix, from, jobs, minutes } = options;
  const plan = new Plan({ mix, from, source, lines: ledger.lines });
  const ending = new AbortController();
  const time = setTimeout(() => ending.abort(), minutes * 60_000);
  const progress = setInterval(() => say(ledger, source), PROGRESS_MS);
  process.once("SIGINT", () => ending.abort());
  process.once("SIGTERM", () => ending.abort());
  await work({
    ...{ jobs, source, signal: ending.signal },
    next: () => plan.next(),
    onLine: (line) => {
      ledger.append(line);
      plan.ended(line);
    },
    onFailed: printFailed,
  });
  clearTimeout(time);
  clearInterval(progress);
}

function say(ledger: Ledger, source: string): void {
  const lines = ledger.lines.filter((line) => line.source === source);
  const sum = (of: "seeds" | "crashes") => lines.reduce((all, line) => all + line[of], 0);
  console.error(`${sum("seeds")} seeds, ${sum("crashes")} crashes`);
}

function printFailed({ scenario }: Range, { seed, why }: FailedSeed): void {
  console.error(`\n${scenario}, seed ${seed}: ${why}\nreplay  ${commandOf(scenario, seed)}`);
}

const commandOf = (scenario: ScenarioName, seed: number) => replayCommand({ scenario, seed });

try {
  process.exitCode = (await main(wanted())) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}

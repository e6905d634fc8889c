/**
 * BENCHMARKS: `npm run bench` measures our engine and its peers in one run, interleaved, and prints
 * ratios. bench/README.md says how to read them.
 *
 *     npm run bench                       everything, about ten minutes, of which "disk" takes most
 *     npm run bench -- commit             scenarios whose name begins with "commit"
 *     npm run bench -- wal reads          groups: commits, tenants, logs, reopen, latency (which
 *                                         are "wal"), reads, large, manifest, pages, cache,
 *                                         sink, cold
 *     npm run bench -- --rounds 9 --scale 0.1 --json --directory /mnt/disk
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runScenario, type Scenario, type SideResult } from "./harness.ts";
import { describeMachine } from "./machine.ts";
import { buildOurs } from "./ours.ts";
import { loadPeer } from "./peer.ts";
import { reportLines, verdictsOf } from "./report.ts";
import { coldRestore, coldStart } from "./scenarios/cold.ts";
import { commitMany, commitManyIndexed, commitOne } from "./scenarios/commits.ts";
import { largeTransaction } from "./scenarios/large.ts";
import { commitLatencies } from "./scenarios/latency.ts";
import { manifestFleet } from "./scenarios/manifest.ts";
import { manifestWriter } from "./scenarios/manifest-writer.ts";
import { pageCache } from "./scenarios/page-cache.ts";
import { checkpointDelays, fork, longestTurns, openMany, pageReads } from "./scenarios/pages.ts";
import { pointSelect, rangeSelect } from "./scenarios/reads.ts";
import { logMany, logOne } from "./scenarios/record-log.ts";
import { reopen } from "./scenarios/reopen.ts";
import { shipping } from "./scenarios/shipping.ts";
import { commitTenants, diskTenants } from "./scenarios/tenants.ts";
import { tpcbBatches, tpcbClosures, tpcbEarlyClosures } from "./scenarios/tpcb.ts";

const COMMITS = [
  commitOne,
  commitMany,
  commitManyIndexed,
  tpcbBatches,
  tpcbClosures,
  tpcbEarlyClosures,
];
const TENANTS = [commitTenants, diskTenants];
const LOGS = [logMany, logOne];

/** A scenario may be in several groups; it runs once. */
const GROUPS: Readonly<Record<string, readonly Scenario[]>> = {
  commits: COMMITS,
  tenants: TENANTS,
  reopen: [reopen],
  reads: [pointSelect, rangeSelect],
  large: [largeTransaction],
  manifest: [manifestWriter, manifestFleet],
  logs: LOGS,
  pages: [fork, openMany, pageReads, ...checkpointDelays, longestTurns],
  latency: commitLatencies,
  cache: [pageCache],
  sink: [shipping],
  cold: [coldStart, coldRestore],
  wal: [...COMMITS, ...TENANTS, ...LOGS, reopen, ...commitLatencies],
};

/** Ignored by git, and on the disk that the checkout is on: /tmp is often no disk at all. */
const DATA = join(import.meta.dirname, "data");
const RESULTS = join(import.meta.dirname, "results");

function select(words: readonly string[]): Scenario[] {
  const all = [...new Set(Object.values(GROUPS).flat())];
  if (words.length === 0) return all;
  const wanted = words.flatMap((word) => {
    const chosen = GROUPS[word] ?? all.filter(({ name }) => name.startsWith(word));
    if (chosen.length > 0) return chosen;
    const names = [...Object.keys(GROUPS), ...all.map(({ name }) => name)];
    throw new RangeError(`there is no scenario "${word}"; there are ${names.join(", ")}`);
  });
  return [...new Set(wanted)];
}

function positive(text: string, name: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new RangeError(`--${name} is "${text}"; want a number above 0`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "5" },
      scale: { type: "string", default: "1" },
      directory: { type: "string", default: DATA },
      json: { type: "boolean", default: false },
    },
  });
  const scenarios = select(positionals);
  const rounds = Math.ceil(positive(values.rounds, "rounds"));
  const scale = positive(values.scale, "scale");
  buildOurs();
  loadPeer();
  mkdirSync(values.directory, { recursive: true });
  const machine = describeMachine(values.directory);
  console.log(JSON.stringify(machine, undefined, 2));

  const results: Record<string, readonly SideResult[]> = {};
  let missed = 0;
  for (const scenario of scenarios) {
    const directory = mkdtempSync(join(values.directory, `${scenario.name}-`));
    try {
      const found = await runScenario(scenario, { context: { directory, scale }, rounds });
      results[scenario.name] = found;
      console.log(`\n${reportLines(scenario, found).join("\n")}`);
      const sides = new Set(found.map(({ side }) => side));
      const verdicts = scenario.metrics.flatMap((metric) =>
        [...sides].flatMap((side) => verdictsOf(metric, side, found)),
      );
      missed += verdicts.filter(({ met }) => !met).length;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  console.log(missed === 0 ? "\nall targets met" : `\n${missed} targets not met`);
  if (values.json) writeResults({ machine, rounds, scale, results });
}

function writeResults(content: object): void {
  mkdirSync(RESULTS, { recursive: true });
  const at = new Date().toISOString();
  const path = join(RESULTS, `${at.slice(0, 19).replaceAll(":", "-")}.json`);
  writeFileSync(path, `${JSON.stringify({ at, ...content }, undefined, 2)}\n`);
  console.log(`written to ${path}`);
}

try {
  await main();
} catch (error) {
  const misuse =
    error instanceof RangeError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS");
  if (!misuse) throw error;
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 2;
}

/**
 * WHAT LONG RUNS HAVE SHOWN: seeds and crashes by scenario, which faults were injected and which never,
 * how errors were told, and what failed.
 */
import { coverage } from "../coverage.ts";
import { SCENARIO_NAMES, type ScenarioName } from "../scenarios/index.ts";
import { replayCommand } from "../seeds.ts";
import { Tally } from "../tally.ts";
import type { Line } from "./ledger.ts";

/** Below SQL: what a crash leaves is the image of one layer. */
const LAYERS: readonly ScenarioName[] = ["log", "manifest", "pages", "rot", "fencing"];

interface Sum {
  seeds: number;
  crashes: number;
  ms: number;
}

/** Lines of text. */
export function reportOf(lines: readonly Line[]): string[] {
  const tally = new Tally();
  for (const line of lines) tally.addAll(Object.entries(line.tally));
  const whole = sumOf(lines.filter(({ scenario }) => !LAYERS.includes(scenario)));
  return [
    ...SCENARIO_NAMES.flatMap((name) => scenarioLine(name, lines)),
    row("all", sumOf(lines)),
    `${whole.crashes} of these crashes are of whole stores with SQL, the others of single layers`,
    ...coverage(tally),
    ...failures(lines),
  ];
}

function scenarioLine(name: ScenarioName, lines: readonly Line[]): string[] {
  const of = lines.filter(({ scenario }) => scenario === name);
  return of.length === 0 ? [] : [row(name, sumOf(of))];
}

function sumOf(lines: readonly Line[]): Sum {
  const sum = { seeds: 0, crashes: 0, ms: 0 };
  for (const { seeds, crashes, ms } of lines) {
    sum.seeds += seeds;
    sum.crashes += crashes;
    sum.ms += ms;
  }
  return sum;
}

function row(name: string, { seeds, crashes, ms }: Sum): string {
  const rate = ms === 0 ? 0 : (seeds * 1000) / ms;
  const counts = `${String(seeds).padStart(9)} seeds ${String(crashes).padStart(9)} crashes`;
  return `${name.padEnd(20)}${counts}  ${rate.toFixed(1)} seeds/s of a core`;
}

function failures(lines: readonly Line[]): string[] {
  const failed = lines.flatMap(({ scenario, failed }) => {
    return failed.map(({ seed, why }) => ({ scenario, seed, why }));
  });
  const commands = failed.map(({ scenario, seed, why }) => {
    return `  ${replayCommand({ scenario, seed })}   # ${why.split("\n")[0]}`;
  });
  return failed.length === 0 ? ["no seed failed"] : [`${failed.length} seeds failed:`, ...commands];
}

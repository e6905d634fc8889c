/**
 * WHAT LONG RUNS HAVE SHOWN: seeds and crashes by scenario, which faults were injected and which never,
 * how errors were told, and what failed.
 */
import { coverage } from "../coverage.ts";
import { SCENARIO_NAMES, type ScenarioName } from "../scenarios/index.ts";
import { replayCommand } from "../seeds.ts";
import { ECHO_IMAGES, Tally } from "../tally.ts";
import type { Line } from "./ledger.ts";

/** Below SQL: what a crash leaves is the image of one layer, or of record logs. */
const LAYERS: readonly ScenarioName[] = [
  "log",
  "manifest",
  "pages",
  "record-log",
  "rot",
  "fencing",
];

interface Sum {
  seeds: number;
  crashes: number;
  /** Of these, further images of a crash. */
  echoes: number;
  ms: number;
}

/** Lines of text. */
export function reportOf(lines: readonly Line[]): string[] {
  const tally = new Tally();
  for (const line of lines) tally.addAll(Object.entries(line.tally));
  return [
    ...SCENARIO_NAMES.flatMap((name) => scenarioLine(name, lines)),
    row("all", sumOf(lines)),
    ...coverage(tally),
    ...failures(lines),
  ];
}

/** How many crashes there were of what kind, of this source and of all that are in the ledger. */
export function towardsMillion(of: Readonly<Record<"source" | "all", readonly Line[]>>): string[] {
  const text = (what: string, lines: readonly Line[]) => {
    const whole = sumOf(lines.filter(({ scenario }) => !LAYERS.includes(scenario)));
    const { seeds, crashes, echoes } = sumOf(lines);
    return [
      `${what}: ${crashes} crashes over ${seeds} seeds`,
      `  ${whole.crashes} of whole stores with SQL (${whole.crashes - whole.echoes} of the main ` +
        `line, ${whole.echoes} further images)`,
      `  ${crashes - whole.crashes} of single layers (${
        crashes - whole.crashes - (echoes - whole.echoes)
      } of the main line, ${echoes - whole.echoes} further images)`,
    ];
  };
  return [...text("this source", of.source), ...text("all sources", of.all)];
}

function scenarioLine(name: ScenarioName, lines: readonly Line[]): string[] {
  const of = lines.filter(({ scenario }) => scenario === name);
  return of.length === 0 ? [] : [row(name, sumOf(of))];
}

function sumOf(lines: readonly Line[]): Sum {
  const sum = { seeds: 0, crashes: 0, echoes: 0, ms: 0 };
  for (const { seeds, crashes, ms, tally } of lines) {
    sum.seeds += seeds;
    sum.crashes += crashes;
    sum.echoes += tally[ECHO_IMAGES] ?? 0;
    sum.ms += ms;
  }
  return sum;
}

function row(name: string, { seeds, crashes, ms }: Sum): string {
  const [rate, images] = ms === 0 ? [0, 0] : [(seeds * 1000) / ms, (crashes * 1000) / ms];
  const counts = `${String(seeds).padStart(9)} seeds ${String(crashes).padStart(9)} crashes`;
  return `${name.padEnd(20)}${counts}  ${rate.toFixed(1)} seeds/s, ${images.toFixed(0)} crashes/s of a core`;
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

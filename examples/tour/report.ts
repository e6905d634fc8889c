/** THE CLOSING REPORT: what was promised, what was found, and where to go from here. */
import type { Display } from "./display.ts";
import { bytesPerCommit, count, flushesPerCommit, type Totals } from "./meter.ts";
import type { Exported, Proven, Reopened } from "./stages.ts";
import { CALLERS, TENANTS } from "./workload.ts";

export interface Outcome {
  readonly totals: Totals;
  readonly reopened: Reopened;
  readonly proven: Proven;
  readonly exported: Exported;
  readonly acknowledged: number;
}

/** The tour has kept every promise. */
export function isKept({ reopened, proven, exported }: Outcome): boolean {
  const { verdict, findings } = proven;
  return (
    reopened.found.recoveredFromCrash &&
    verdict.missing.length === 0 &&
    verdict.foreign.length === 0 &&
    findings.problems.length === 0 &&
    findings.sound === findings.databases &&
    exported.agrees
  );
}

export function report(display: Display, outcome: Outcome): void {
  const { totals, reopened, proven, exported, acknowledged } = outcome;
  const { verdict, findings } = proven;
  const rows: readonly (readonly [string, string])[] = [
    [
      "wrote",
      `${count(totals.commits / totals.seconds)} commits/s: ${CALLERS} callers, ${TENANTS} databases`,
    ],
    ["flushes", `${flushesPerCommit(totals)} a commit; on its own, each commit costs one`],
    ["log", `${count(bytesPerCommit(totals))} bytes a commit`],
    ["lost", `${verdict.missing.length} of ${count(acknowledged)} acknowledged commits`],
    ["invented", `${verdict.foreign.length}`],
    ["reopened", `${reopened.ms.toFixed(0)} ms after SIGKILL`],
    ["sound", `${findings.sound} of ${findings.databases} databases`],
    ["exported", exported.reader],
  ];
  const kept = isKept(outcome);
  const heading = kept ? display.style("green", "Every promise was kept.") : "";
  const broken = kept ? "" : display.style("red", "A promise was broken; see above.");
  display.plain(`\n  ${display.style("bold", `${heading}${broken}`)}\n`);
  for (const [name, value] of rows) {
    display.plain(`     ${display.style("dim", name.padEnd(10))} ${value}`);
  }
  display.plain(
    `\n  ${display.style("dim", "SIGKILL ends a process, not the power. Power cuts: npm run sim")}`,
  );
}

/** THE CLOSING REPORT: what was promised, what was found, and where to go from here. */
import type { Display } from "./display.ts";
import { bytesPerCommit, count, flushesPerCommit, type Totals } from "./meter.ts";
import type { Exported, Proven, Reopened, Restored } from "./stages.ts";
import { CALLERS, TENANTS } from "./workload.ts";

/** The first act. */
export interface KilledProcess {
  readonly totals: Totals;
  readonly reopened: Reopened;
  readonly proven: Proven;
  readonly exported: Exported;
  readonly acknowledged: number;
}

/** The second one. */
export interface LostDisk {
  readonly totals: Totals;
  readonly restored: Restored;
  readonly proven: Proven;
  readonly wentOn: boolean;
  readonly acknowledged: number;
}

/** The tour has kept every promise. */
export function isKept({ reopened, proven, exported }: KilledProcess, disk: LostDisk): boolean {
  return (
    reopened.found.recoveredFromCrash &&
    isWhole(proven) &&
    exported.agrees &&
    isWhole(disk.proven) &&
    disk.wentOn
  );
}

function isWhole({ verdict, findings }: Proven): boolean {
  return (
    verdict.missing.length === 0 &&
    verdict.foreign.length === 0 &&
    findings.problems.length === 0 &&
    findings.sound === findings.databases
  );
}

export function report(display: Display, killed: KilledProcess, disk: LostDisk): void {
  const kept = isKept(killed, disk);
  const heading = kept ? display.style("green", "Every promise was kept.") : "";
  const broken = kept ? "" : display.style("red", "A promise was broken; see above.");
  display.plain(`\n  ${display.style("bold", `${heading}${broken}`)}\n`);
  rows(display, rowsOfProcess(killed));
  display.plain(`\n     ${display.style("dim", "and with the disk gone, from a bucket:")}`);
  rows(display, rowsOfDisk(disk));
  display.plain(
    `\n  ${display.style("dim", "SIGKILL ends a process, not the power. Power cuts: npm run sim")}`,
  );
}

type Row = readonly [name: string, value: string];

function rows(display: Display, all: readonly Row[]): void {
  for (const [name, value] of all) {
    display.plain(`     ${display.style("dim", name.padEnd(10))} ${value}`);
  }
}

function rowsOfProcess({ totals, reopened, proven, exported, acknowledged }: KilledProcess): Row[] {
  const { verdict, findings } = proven;
  return [
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
}

function rowsOfDisk({ totals, restored, proven, acknowledged }: LostDisk): Row[] {
  const { verdict, findings } = proven;
  return [
    ["shipped", `${count(totals.commits / totals.seconds)} commits/s, each in the bucket first`],
    ["lost", `${verdict.missing.length} of ${count(acknowledged)} acknowledged commits`],
    ["restored", `${restored.ms.toFixed(0)} ms, ${count(restored.bytes / 1024)} KiB`],
    ["sound", `${findings.sound} of ${findings.databases} databases`],
  ];
}

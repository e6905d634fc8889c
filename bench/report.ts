/**
 * REPORT: one line for each metric of each scenario, with the ratio to every peer and the target.
 */
import type { Metric, Scenario, SideResult, Target } from "./harness.ts";

export const OURS = "bop-storage";

export interface Verdict {
  readonly text: string;
  readonly met: boolean;
}

export function reportLines(scenario: Scenario, results: readonly SideResult[]): string[] {
  const lines = [`${scenario.name}: ${scenario.what}`];
  for (const metric of scenario.metrics) {
    const of = results.filter((result) => result.metric === metric.name);
    const mine = of.find(({ side }) => side === OURS);
    for (const { side, best, median } of of) {
      const value = `${format(best)}${metric.unit === "/s" ? "/s" : ` ${metric.unit}`}`.trim();
      const ratio =
        side === OURS || mine === undefined ? "" : `ours is ${format(mine.best / best)} ×`;
      const verdict = verdictsOf(metric, side, results).map(({ text }) => text);
      const columns = [metric.name.padEnd(22), side.padEnd(15), value.padStart(14)];
      columns.push(`(median ${format(median)})`.padEnd(20), ratio.padEnd(18), verdict.join("; "));
      lines.push(`  ${columns.join(" ")}`.trimEnd());
    }
  }
  return lines;
}

/** What the targets of a metric that are set against this side say; against ours, absolutely. */
export function verdictsOf(
  metric: Metric,
  side: string,
  results: readonly SideResult[],
): Verdict[] {
  const best = (name: string) =>
    results.find((one) => one.metric === metric.name && one.side === name)?.best ?? Number.NaN;
  return metric.targets
    .filter(({ against = OURS }) => against === side)
    .map((target) => {
      const { against } = target;
      return judge(target, against === undefined ? best(OURS) : best(OURS) / best(against));
    });
}

function judge({ atLeast, atMost }: Target, value: number): Verdict {
  const met = value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity);
  const wanted = atLeast === undefined ? `≤ ${format(atMost ?? 0)}` : `≥ ${format(atLeast)}`;
  return { text: `target ${wanted}: ${met ? "met" : "NOT MET"}`, met };
}

export function format(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

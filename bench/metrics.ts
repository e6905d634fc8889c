/** METRICS that more than one scenario has: how long, how often, how late, and what a side counted. */
import { type Metric, percentile } from "./harness.ts";

type Targets = Metric["targets"];

interface Counted {
  /** Under this name in the round's counts. */
  readonly count: string;
  readonly unit: string;
  /** So many of what was counted are one of the unit. */
  readonly perUnit?: number;
  readonly better?: Metric["better"];
  readonly targets?: Targets;
}

/** Seconds that a round took. */
export function took(name: string, targets: Targets = []): Metric {
  return { name, unit: "s", better: "less", of: ({ seconds }) => seconds, targets };
}

/** Operations in a second. */
export function perSecond(name: string, targets: Targets = []): Metric {
  const of: Metric["of"] = ({ operations, seconds }) => operations / seconds;
  return { name, unit: "/s", better: "more", of, targets };
}

const MS_PER_UNIT = { µs: 0.001, ms: 1 } as const;

interface Told {
  readonly name?: string;
  readonly unit?: keyof typeof MS_PER_UNIT;
}

/** Time within which so many of a hundred operations were over. */
export function latency(percent: number, { name = `p${percent}`, unit = "µs" }: Told = {}): Metric {
  const of: Metric["of"] = ({ latenciesMs }) =>
    percentile(latenciesMs ?? [], percent) / MS_PER_UNIT[unit];
  return { name, unit, better: "less", of, targets: [] };
}

/** Nothing for a side that does not count it. */
export function counted(name: string, { count, unit, ...more }: Counted): Metric {
  const { perUnit = 1, better = "less", targets = [] } = more;
  const of: Metric["of"] = ({ counts }) => {
    const found = counts?.[count];
    return found === undefined ? undefined : found / perUnit;
  };
  return { name, unit, better, of, targets };
}

/** Seconds until the store was open, of a round that tells `openMs`. */
export const opened = counted("open", { count: "openMs", unit: "s", perUnit: 1000 });

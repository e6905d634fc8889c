/**
 * HARNESS: sides of a scenario run in turn (A, B, C, A, B, C …), so that whatever the machine does
 * meanwhile happens to all of them.
 *
 * (1) A round is a fixed number of operations, the same for every side; its time is measured, not
 *     given. The first round of each side warms up and is not counted.
 * (2) The result of a side is its best round: on a shared machine noise only ever adds time. The
 *     median is recorded next to it.
 * (3) A side that cannot prove afterwards that it did the work fails the run: see `verify`.
 */

/** One competitor in one scenario, with its files open. */
export interface Side {
  readonly name: string;
  /** Runs the operations of one round; resolves when all are durable or read. */
  round(index: number): Promise<Round>;
  /** Throws unless every value written or read so far is right and the files are sound. */
  verify(): Promise<void>;
  close(): Promise<void>;
}

export interface Round {
  readonly operations: number;
  readonly seconds: number;
  /** Milliseconds that each operation took, where single ones are measured. */
  readonly latenciesMs?: readonly number[];
  /** Whatever else the side counted in this round, such as flushes and bytes. */
  readonly counts?: Readonly<Record<string, number>>;
}

export interface Scenario {
  readonly name: string;
  /** One line: what an operation is. */
  readonly what: string;
  readonly metrics: readonly Metric[];
  /** At most this many rounds, where one takes long. */
  readonly rounds?: number;
  open(context: Context): Promise<readonly Side[]>;
}

export interface Context {
  /** An empty folder on the device that is measured. */
  readonly directory: string;
  /** Scales the number of operations: 1 is the full size. */
  readonly scale: number;
}

export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly better: "more" | "less";
  of(round: Round): number | undefined;
  readonly targets: readonly Target[];
}

/** `ours / theirs` must be at least, or at most, this. Without `against`, `ours` itself. */
export interface Target {
  readonly against?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface SideResult {
  readonly side: string;
  readonly metric: string;
  readonly best: number;
  readonly median: number;
  readonly rounds: readonly number[];
}

export async function runScenario(
  scenario: Scenario,
  { context, rounds }: { readonly context: Context; readonly rounds: number },
): Promise<SideResult[]> {
  const sides = await scenario.open(context);
  const rounded = Math.min(rounds, scenario.rounds ?? rounds);
  const measured = new Map<Side, Round[]>(sides.map((side) => [side, []]));
  try {
    for (let index = 0; index <= rounded; index++) {
      for (const side of sides) {
        const round = await side.round(index);
        if (index > 0) measured.get(side)?.push(round);
      }
    }
    for (const side of sides) await side.verify();
  } finally {
    for (const side of sides) await side.close();
  }
  return [...measured].flatMap(([side, all]) =>
    scenario.metrics.flatMap((metric) => summary(side.name, metric, all)),
  );
}

function summary(side: string, metric: Metric, all: readonly Round[]): SideResult[] {
  const rounds = all.flatMap((round) => metric.of(round) ?? []);
  if (rounds.length === 0) return [];
  const best = metric.better === "more" ? Math.max(...rounds) : Math.min(...rounds);
  return [{ side, metric: metric.name, best, median: percentile(rounds, 50), rounds }];
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const index = Math.ceil((percent / 100) * sorted.length) - 1;
  return sorted[Math.max(0, index)] ?? Number.NaN;
}

/** Calls `operation(0 … count - 1)` from as many callers at once; each waits for its own. */
export async function callers(
  { count, operations }: { readonly count: number; readonly operations: number },
  operation: (index: number) => Promise<unknown> | unknown,
): Promise<number> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < operations) await operation(next++);
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: count }, caller));
  return (performance.now() - began) / 1000;
}

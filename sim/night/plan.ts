/**
 * WHICH SEEDS COME NEXT: ranges that nobody has lived, of the scenario that is furthest behind its share
 * of the time.
 *
 * (1) Shares are of time, not of seeds: a seed of the log takes milliseconds, one of a whole store a
 *     hundred times that. What a ledger has of the same source counts, so a run that is resumed goes on
 *     with the mix where it stopped.
 * (2) A range takes about RANGE_MS, by what its scenario has taken so far.
 * (3) It fills the gaps that a killed run has left, and overlaps nothing: see ledger.ts.
 */
import type { ScenarioName } from "../scenarios/index.ts";
import type { Line, Range } from "./ledger.ts";

const RANGE_MS = 30_000;
const FIRST_SEEDS = 10;
const SEEDS_MAX = 2000;

export type Mix = Readonly<Partial<Record<ScenarioName, number>>>;

/** Of a night: half to whole stores, half to the layers below, which get through ten times as many. */
export const NIGHT_MIX: Mix = {
  crash: 4,
  faults: 4,
  zones: 2,
  reveal: 1,
  import: 1,
  forks: 1,
  families: 4,
  changes: 1,
  "large-transactions": 1,
  recovery: 1,
  hang: 1,
  jobs: 1,
  "record-log": 2,
  shipping: 4,
  gaps: 2,
  tiering: 2,
  fencing: 1,
  scrub: 1,
  log: 6,
  pages: 8,
  residency: 4,
  past: 1,
  manifest: 2,
  "lost-manifest": 1,
  rot: 1,
  decay: 2,
};

/**
 * Of a run that is to see as many crashes as can be: what has echoes (../echoes.ts), about nine images of
 * single layers for one of a whole store.
 */
export const CRASH_MIX: Mix = {
  crash: 4,
  faults: 4,
  reveal: 2,
  families: 3,
  recovery: 2,
  "large-transactions": 2,
  pages: 16,
  log: 4,
  "record-log": 3,
  manifest: 2,
};

interface Spent {
  /** With this source, or handed out. */
  ms: number;
  /** With any source. */
  allMs: number;
  allSeeds: number;
}

export class Plan {
  readonly #mix: Mix;
  readonly #from: number;
  readonly #taken: Range[] = [];
  readonly #spent = new Map<ScenarioName, Spent>();

  constructor(of: {
    readonly mix: Mix;
    /** Where seeds begin. */
    readonly from: number;
    readonly source: string;
    readonly lines: readonly Line[];
  }) {
    this.#mix = of.mix;
    this.#from = of.from;
    for (const line of of.lines) {
      this.#taken.push(line);
      this.#add(line, line.source === of.source ? line.ms : 0);
    }
  }

  /** The next range. It is taken from now on. */
  next(): Range {
    const scenario = this.#furthestBehind();
    const { allMs, allSeeds } = this.#spentOn(scenario);
    const wanted = allSeeds === 0 ? FIRST_SEEDS : (RANGE_MS * allSeeds) / allMs;
    const seeds = Math.max(1, Math.min(SEEDS_MAX, Math.round(wanted)));
    const range = firstGap({ scenario, from: this.#from, seeds }, this.#taken);
    this.#taken.push(range);
    this.#spentOn(scenario).ms += RANGE_MS;
    return range;
  }

  /** A range that was handed out has been lived, or a part of it. */
  ended(line: Line): void {
    this.#add(line, line.ms - RANGE_MS);
  }

  #furthestBehind(): ScenarioName {
    const names = Object.keys(this.#mix) as ScenarioName[];
    const behind = (name: ScenarioName) => this.#spentOn(name).ms / (this.#mix[name] ?? 1);
    return names.reduce((least, name) => (behind(name) < behind(least) ? name : least));
  }

  #add({ scenario, seeds, ms }: Line, msOfMix: number): void {
    const spent = this.#spentOn(scenario);
    spent.ms += msOfMix;
    spent.allMs += ms;
    spent.allSeeds += seeds;
  }

  #spentOn(scenario: ScenarioName): Spent {
    const spent = this.#spent.get(scenario) ?? { ms: 0, allMs: 0, allSeeds: 0 };
    this.#spent.set(scenario, spent);
    return spent;
  }
}

/** The first seeds from `from` on that are not taken, at most so many. */
function firstGap({ scenario, from, seeds }: Range, taken: readonly Range[]): Range {
  const others = taken.filter((range) => range.scenario === scenario);
  let start = from;
  for (const other of others.sort((a, b) => a.from - b.from)) {
    if (other.from + other.seeds <= start) continue;
    if (other.from > start)
      return { scenario, from: start, seeds: Math.min(seeds, other.from - start) };
    start = other.from + other.seeds;
  }
  return { scenario, from: start, seeds };
}

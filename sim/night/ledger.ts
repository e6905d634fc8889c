/**
 * THE LEDGER OF LONG RUNS: a file of lines, one for each range of seeds that was lived, appended when
 * the range is over. What is not in it was not lived.
 *
 * (1) A line says of which source it is: seeds count for the source that they were lived with.
 * (2) A line that is torn, as a process that is killed leaves it, is passed over; the next line begins
 *     on a line of its own.
 * (3) Ranges of one scenario do not overlap, whatever their source: a later run lives other seeds.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { SCENARIO_NAMES, type ScenarioName } from "../scenarios/index.ts";

export interface Range {
  readonly scenario: ScenarioName;
  readonly from: number;
  /** How many, in a row. */
  readonly seeds: number;
}

export interface Line extends Range {
  /** Hash of what was run. */
  readonly source: string;
  /** Images that were recovered. */
  readonly crashes: number;
  /** Of one core. */
  readonly ms: number;
  readonly failed: readonly FailedSeed[];
  /** What was exercised, by name. */
  readonly tally: Readonly<Record<string, number>>;
  /** The version of Node.js. */
  readonly node: string;
}

export interface FailedSeed {
  readonly seed: number;
  readonly why: string;
}

export class Ledger {
  readonly path: string;
  readonly #lines: Line[];
  #endsTorn: boolean;

  constructor(path: string) {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    this.path = path;
    this.#lines = text.split("\n").flatMap(parseLine);
    this.#endsTorn = text !== "" && !text.endsWith("\n");
  }

  get lines(): readonly Line[] {
    return this.#lines;
  }

  append(line: Line): void {
    appendFileSync(this.path, `${this.#endsTorn ? "\n" : ""}${JSON.stringify(line)}\n`);
    this.#endsTorn = false;
    this.#lines.push(line);
  }
}

/** None if it is no line of a ledger: see (2). */
function parseLine(text: string): Line[] {
  try {
    const line = JSON.parse(text) as Line;
    const isLine = SCENARIO_NAMES.includes(line.scenario) && Number.isSafeInteger(line.from);
    return isLine && line.seeds > 0 ? [line] : [];
  } catch {
    return [];
  }
}

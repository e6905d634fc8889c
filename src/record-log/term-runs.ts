/**
 * TERMS BY INDEX, in runs: in a log of a million entries few terms began, and where each did is all
 * that has to be kept.
 *
 * (1) Terms never fall: a run's term is higher than that of the run before it.
 */
export interface TermRun {
  /** First index of the term. */
  readonly from: bigint;
  readonly term: bigint;
}

export class TermRuns {
  #runs: TermRun[];

  constructor(runs: readonly TermRun[] = []) {
    this.#runs = [...runs];
  }

  get all(): readonly TermRun[] {
    return this.#runs;
  }

  /** Undefined if there is no entry. */
  get last(): bigint | undefined {
    return this.#runs.at(-1)?.term;
  }

  append(index: bigint, term: bigint): void {
    if (this.#runs.at(-1)?.term !== term) this.#runs.push({ from: index, term });
  }

  /** The caller knows that there is an entry at that index. */
  at(index: bigint): bigint | undefined {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#runs[middle]?.from ?? 0n) <= index) low = middle + 1;
      else high = middle;
    }
    return this.#runs[low - 1]?.term;
  }

  /** Entries behind this index are gone. */
  truncate(after: bigint): void {
    while ((this.#runs.at(-1)?.from ?? -1n) > after) this.#runs.pop();
  }

  /** Entries before this index, which is there, are gone. */
  compact(first: bigint): void {
    const term = this.at(first);
    if (term === undefined) return;
    const rest = this.#runs.filter(({ from }) => from > first);
    this.#runs = [{ from: first, term }, ...rest];
  }

  clear(): void {
    this.#runs = [];
  }
}

/**
 * HOW MANY REPETITIONS ALL CALLERS TOGETHER MAY MAKE, so that a service that is in trouble is not
 * given several times the load that brought it there.
 *
 * (1) Every call that succeeds earns a fraction of a repetition, and time earns a few a second, so
 *     that a store that does little is not left without any.
 * (2) What was earned is kept up to `max`. Time that goes back earns nothing.
 */

export interface BudgetLimits {
  /** Repetitions that may be kept. */
  readonly max: number;
  /** Earned by a success. */
  readonly perSuccess: number;
  readonly perSecond: number;
}

export class RetryBudget {
  readonly #limits: BudgetLimits;
  #kept: number;
  #atMs: number;

  constructor(limits: BudgetLimits, nowMs: number) {
    this.#limits = limits;
    this.#kept = limits.max;
    this.#atMs = nowMs;
  }

  get kept(): number {
    return this.#kept;
  }

  succeeded(): void {
    this.#earn(this.#limits.perSuccess);
  }

  /** True if a repetition may be made, which is then paid for. */
  spend(nowMs: number): boolean {
    this.#earn((Math.max(0, nowMs - this.#atMs) / 1000) * this.#limits.perSecond);
    this.#atMs = Math.max(this.#atMs, nowMs);
    if (this.#kept < 1) return false;
    this.#kept -= 1;
    return true;
  }

  #earn(repetitions: number): void {
    this.#kept = Math.min(this.#limits.max, this.#kept + repetitions);
  }
}

/** OPTIONS OF RETRYING: one place for their defaults and ranges. */
import type { BreakerLimits } from "./breaker.ts";
import type { BudgetLimits } from "./budget.ts";

export interface RetryOptions {
  /**
   * How often a call is tried before its caller is told. More hides longer troubles and tells later.
   *
   * Attempts, from 1 to 1000. Default 5.
   */
  readonly attemptsMax?: number;

  /**
   * The most that is waited before the second attempt; it doubles with every further one. The wait
   * is drawn between nothing and this.
   *
   * Milliseconds, from 1 to 60,000. Default 200.
   */
  readonly baseMs?: number;

  /**
   * The most that is ever waited between two attempts.
   *
   * Milliseconds, from 1 to 3,600,000. Default 20,000.
   */
  readonly maxMs?: number;

  /**
   * How many calls may wait at a time, for their next attempt or for the service to come back. More
   * of them fail at once.
   *
   * Calls, from 1 to 100,000. Default 1,024.
   */
  readonly waitingMax?: number;

  /**
   * Failures in a row after which the service is left alone for a while.
   *
   * Calls, from 1 to 1000. Default 5.
   */
  readonly failuresMax?: number;

  /**
   * How long it is left alone the first time; each further time up to twice as long.
   *
   * Milliseconds, from 1 to 60,000. Default 1,000.
   */
  readonly pauseMs?: number;

  /**
   * The longest that it is left alone, whatever it asks for itself.
   *
   * Milliseconds, from 1 to 3,600,000. Default 30,000.
   */
  readonly pauseMsMax?: number;
}

export interface ResolvedRetryOptions {
  readonly attemptsMax: number;
  readonly baseMs: number;
  readonly maxMs: number;
  readonly waitingMax: number;
  readonly breaker: BreakerLimits;
  readonly budget: BudgetLimits;
}

const DEFAULTS: Required<RetryOptions> = Object.freeze({
  attemptsMax: 5,
  baseMs: 200,
  maxMs: 20_000,
  waitingMax: 1024,
  failuresMax: 5,
  pauseMs: 1000,
  pauseMsMax: 30_000,
});

const RANGES: Readonly<Record<keyof RetryOptions, readonly [min: number, max: number]>> = {
  attemptsMax: [1, 1000],
  baseMs: [1, 60_000],
  maxMs: [1, 3_600_000],
  waitingMax: [1, 100_000],
  failuresMax: [1, 1000],
  pauseMs: [1, 60_000],
  pauseMsMax: [1, 3_600_000],
};

/** One repetition for five successes, and one a second in any case: a fifth more load at most. */
const BUDGET: BudgetLimits = Object.freeze({ max: 100, perSuccess: 0.2, perSecond: 1 });
const PROBES_MIN = 1;

export function resolveRetryOptions(options: RetryOptions): ResolvedRetryOptions {
  for (const name of Object.keys(options)) {
    if (!(name in DEFAULTS)) throw new TypeError(`retries: unknown option "${name}"`);
  }
  const all = { ...DEFAULTS, ...options };
  for (const [name, [min, max]] of Object.entries(RANGES)) {
    const value = all[name as keyof RetryOptions];
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    throw new RangeError(`retries: ${name} is ${value}; want ${min} to ${max}`);
  }
  const { failuresMax, pauseMs, pauseMsMax, attemptsMax, baseMs, maxMs, waitingMax } = all;
  const breaker = { failuresMax, probesMin: PROBES_MIN, pauseMs, pauseMsMax };
  return Object.freeze({ attemptsMax, baseMs, maxMs, waitingMax, breaker, budget: BUDGET });
}

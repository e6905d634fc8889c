/**
 * HOW LONG TO WAIT BEFORE THE NEXT ATTEMPT: anything from nothing to a limit that doubles with every
 * attempt ("full jitter"), so that those who failed together do not come back together.
 *
 * (1) The limit never exceeds `maxMs`, whatever the number of the attempt: the power is bounded
 *     before it is taken, and no overflow turns a long wait into none.
 */
import { assert } from "../../base/assert.ts";
import type { Random } from "../../base/env.ts";

export interface BackoffLimits {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** 2^30 of anything that is worth waiting for is more than any maximum. */
const DOUBLINGS_MAX = 30;

/** The most that attempt `attempt` (0 is the first repetition) is waited for. */
export function backoffLimitMs(attempt: number, { baseMs, maxMs }: BackoffLimits): number {
  assert(Number.isInteger(attempt) && attempt >= 0, () => `attempt ${attempt} is no number of one`);
  return Math.min(maxMs, baseMs * 2 ** Math.min(attempt, DOUBLINGS_MAX));
}

export function backoffMs(
  attempt: number,
  { random, ...limits }: BackoffLimits & { readonly random: Random },
): number {
  return random.below(Math.floor(backoffLimitMs(attempt, limits)) + 1);
}

/** OPTIONS of the change log: how much of it is kept, and for whom. See docs/changes.md. */
import { CHANGE_LOG_LIMITS, type ChangeLogLimits } from "../../manifest/index.ts";
import { shown } from "../option-values.ts";

export interface ChangeLogOptions {
  /**
   * Changes that stay for a cursor to come, though every present one has acknowledged them: so many
   * of the newest. At most `maxLag`.
   *
   * From 0 to 10,000,000. Default 10,000.
   */
  readonly keepLast?: number;
  /**
   * And for so long: older ones go once every cursor has acknowledged them.
   *
   * Milliseconds, from 0 to 10 years. Default 7 days.
   */
  readonly maxAgeMs?: number;
  /**
   * Changes that a cursor may leave unacknowledged. One that lags farther is evicted: it hears of it
   * as BOP_CURSOR_EVICTED when it comes back, and has to begin anew.
   *
   * From 100 to 10,000,000. Default 100,000.
   */
  readonly maxLag?: number;
  /**
   * Space that all kept changes may take, after which cursors that lag are evicted as well.
   *
   * Bytes, from 64 KiB to 16 GiB. Default 64 MiB.
   */
  readonly maxBytes?: number;
  /**
   * Cursors that there may be, evicted ones included. Beyond it, BOP_CURSOR_LIMIT.
   *
   * From 1 to 1,000. Default 64.
   */
  readonly maxCursors?: number;
  /**
   * While a cursor is being read, databases that have new commits are told of after this time, those
   * of a period together. What nobody reads is told of by checkpoints only.
   *
   * Milliseconds, from 1 to 3,600,000. Default 200.
   */
  readonly advanceDelayMs?: number;
}

export type ResolvedChangeLog = ChangeLogLimits & { readonly advanceDelayMs: number };

const TEN_YEARS_MS = 3650 * 24 * 3_600_000;

const ADVANCE_DELAY_MS = 200;

const RANGES: Readonly<Record<keyof ChangeLogOptions, readonly [min: number, max: number]>> = {
  keepLast: [0, 10_000_000],
  maxAgeMs: [0, TEN_YEARS_MS],
  maxLag: [100, 10_000_000],
  maxBytes: [65_536, 2 ** 34],
  maxCursors: [1, 1000],
  advanceDelayMs: [1, 3_600_000],
};

export const CHANGE_LOG_OPTIONS: readonly string[] = Object.keys(RANGES);

/** Throws a RangeError for a value out of range. */
export function resolveChangeLogOptions(options: ChangeLogOptions): ResolvedChangeLog {
  const limits = { ...CHANGE_LOG_LIMITS, advanceDelayMs: ADVANCE_DELAY_MS, ...options };
  for (const [name, [min, max]] of Object.entries(RANGES)) {
    const value = limits[name as keyof ChangeLogOptions];
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    throw new RangeError(`changeLog: ${name} is ${shown(value)}; want ${min} to ${max}`);
  }
  if (limits.keepLast > limits.maxLag) {
    const { keepLast, maxLag } = limits;
    throw new RangeError(`changeLog: keepLast (${keepLast}) is above maxLag (${maxLag})`);
  }
  return Object.freeze(limits);
}

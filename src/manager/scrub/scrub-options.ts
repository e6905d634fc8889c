/** OPTIONS of scrubbing: how often everything is read again, and how fast at most. See docs/scrub.md. */
import { GIB, KIB, MIB } from "../../base/units.ts";
import { shown } from "../option-values.ts";

export interface ScrubOptions {
  /**
   * Every checkpointed chunk, every sealed segment of the log and its history, superblock and mirror
   * are read and checked once in this time, spread evenly over it. 0 never.
   *
   * Milliseconds, 0 or from 1,000 to 31,622,400,000 (366 days). Default 604,800,000 (7 days).
   */
  readonly localEveryMs?: number;

  /**
   * The same for every object in the sink: each is fetched once in this time, which is what the
   * service bills. 0 never. Without effect where there is no sink.
   *
   * Milliseconds, 0 or from 1,000 to 31,622,400,000. Default 2,592,000,000 (30 days).
   */
  readonly remoteEveryMs?: number;

  /**
   * So often one database is restored from the sink into a temporary file and looked through with
   * SQLite's integrity check: the one for which that is longest ago. 0 never. Without effect where
   * there is no sink.
   *
   * Milliseconds, 0 or from 1,000 to 31,622,400,000. Default 86,400,000 (a day).
   */
  readonly sampleEveryMs?: number;

  /**
   * What scrubbing reads at most, disk and sink together. Where a pass would need more it takes
   * longer than it should.
   *
   * Bytes per second, from 64 KiB to 16 GiB. Default 16 MiB.
   */
  readonly maxBytesPerSecond?: number;
}

export type ResolvedScrub = Required<ScrubOptions>;

const DAY_MS = 86_400_000;
const EVERY_MS_MIN = 1000;
const EVERY_MS_MAX = 366 * DAY_MS;
const RATE_MIN = 64 * KIB;
const RATE_MAX = 16 * GIB;

const DEFAULTS: ResolvedScrub = {
  localEveryMs: 7 * DAY_MS,
  remoteEveryMs: 30 * DAY_MS,
  sampleEveryMs: DAY_MS,
  maxBytesPerSecond: 16 * MIB,
};

export const SCRUB_OPTIONS: readonly string[] = Object.keys(DEFAULTS);

/** Throws a RangeError for a value out of range. */
export function resolveScrub(given: ScrubOptions): ResolvedScrub {
  const options = { ...DEFAULTS };
  for (const name of ["localEveryMs", "remoteEveryMs", "sampleEveryMs"] as const) {
    const value = given[name] ?? DEFAULTS[name];
    const isIn = value === 0 || (value >= EVERY_MS_MIN && value <= EVERY_MS_MAX);
    if (typeof value !== "number" || !isIn) {
      const range = `${EVERY_MS_MIN} to ${EVERY_MS_MAX}`;
      throw new RangeError(`scrub: ${name} is ${shown(value)}; want 0 for never, or ${range}`);
    }
    options[name] = value;
  }
  const { maxBytesPerSecond = DEFAULTS.maxBytesPerSecond } = given;
  return Object.freeze({ ...options, maxBytesPerSecond: scrubRate(maxBytesPerSecond) });
}

export function scrubRate(value: number): number {
  if (Number.isInteger(value) && value >= RATE_MIN && value <= RATE_MAX) return value;
  const range = `${RATE_MIN} to ${RATE_MAX}`;
  throw new RangeError(
    `scrub: maxBytesPerSecond is ${shown(value)}; want a whole number from ${range}`,
  );
}

/**
 * OPTIONS of the log. Past `resolveLogLimits` every one is present, known and in range; nothing
 * below checks again.
 */
import { GIB, KIB, MIB } from "../base/units.ts";

export interface LogLimits {
  /**
   * Size of a segment file, preallocated. Bytes, a multiple of 4 KiB, from 256 KiB to 1 GiB.
   * Default 64 MiB.
   */
  readonly segmentBytes: number;

  /**
   * Memory of one of the two buffers, and the most that one write hands to the device. Bytes, a
   * multiple of 4 KiB, from 128 KiB to 64 MiB and at most half a segment. Default 1 MiB, or half
   * a segment if that is less.
   */
  readonly bufferBytes: number;

  /**
   * Most that may wait in memory for the device; beyond it new transactions are refused with
   * BOP_BACKPRESSURE. Bytes, from 128 KiB to 16 GiB. Default 64 MiB.
   */
  readonly maxBacklogBytes: number;

  /**
   * Segments that may hold log which no checkpoint has let go; beyond them new transactions are
   * refused with BOP_BACKPRESSURE. It bounds the disk that the log takes, and the time to reopen.
   * Must leave room for what gathers while a checkpoint runs: see docs/limits.md. From 2 to 1,000,000.
   * Default 16.
   */
  readonly maxInflightSegments: number;

  /**
   * Log that may wait for the sink, where the store has one; beyond it new transactions are refused
   * with BOP_BACKPRESSURE. It bounds the disk that an outage of the sink takes. Bytes, from 1 MiB to
   * 1 PiB. Default 4 GiB.
   */
  readonly maxUnshippedBytes: number;

  /**
   * An operation of the log that takes longer counts as hung: it is reported, and new transactions
   * are refused with BOP_BACKPRESSURE until it comes back. Milliseconds, from 100 to 3,600,000.
   * Default 30,000.
   */
  readonly writeTimeoutMs: number;

  /**
   * Flushes that may fail in a row. Those before the last are repaired by writing the batch again
   * to a fresh segment; the last turns the store read-only. A segment that cannot be taken into use
   * counts as one, unless the disk is full. From 1 to 100. Default 3.
   */
  readonly maxSyncFailures: number;

  /**
   * Writes of one batch that may fail in a row before that counts as a failed flush. Where a write
   * is its own flush (`io: "direct"`) the first counts. From 1 to 100. Default 3.
   */
  readonly maxWriteAttempts: number;

  /**
   * Commits are flushed within the call, when nothing else is to be run, while flushes have lately taken less than this; it
   * blocks the event loop for as long. 0 never does. Milliseconds, from 0 to 100. Default 1.
   */
  readonly inlineFlushMs: number;

  /**
   * Idle time after which the last acknowledged batch is proven by an empty one. Milliseconds,
   * from 1 to 60,000. Default 50.
   */
  readonly idleProofMs: number;

  /** Wait before a segment that was refused is tried again. Milliseconds. Default 250. */
  readonly retryMs: number;
}

/** Files that wait to become segments; what is released beyond them is deleted. */
export const MAX_SPARES = 2;

const RANGES = {
  segmentBytes: { min: 256 * KIB, max: GIB, step: 4 * KIB, byDefault: 64 * MIB },
  bufferBytes: { min: 128 * KIB, max: 64 * MIB, step: 4 * KIB, byDefault: MIB },
  maxBacklogBytes: { min: 128 * KIB, max: 16 * GIB, step: 1, byDefault: 64 * MIB },
  maxInflightSegments: { min: 2, max: 1_000_000, step: 1, byDefault: 16 },
  maxUnshippedBytes: { min: MIB, max: 2 ** 50, step: 1, byDefault: 4 * GIB },
  writeTimeoutMs: { min: 100, max: 3_600_000, step: 1, byDefault: 30_000 },
  maxSyncFailures: { min: 1, max: 100, step: 1, byDefault: 3 },
  maxWriteAttempts: { min: 1, max: 100, step: 1, byDefault: 3 },
  inlineFlushMs: { min: 0, max: 100, step: 0, byDefault: 1 },
  idleProofMs: { min: 1, max: 60_000, step: 1, byDefault: 50 },
  retryMs: { min: 1, max: 60_000, step: 1, byDefault: 250 },
} as const satisfies Record<keyof LogLimits, Range>;

interface Range {
  readonly min: number;
  readonly max: number;
  /** 0: fractions too. */
  readonly step: number;
  readonly byDefault: number;
}

/** Throws a TypeError for an unknown name, a RangeError for a value out of range. */
export function resolveLogLimits(limits: Partial<LogLimits> = {}): LogLimits {
  for (const name of Object.keys(limits)) {
    if (!(name in RANGES)) throw new TypeError(`log: unknown option "${name}"`);
  }
  const resolved = Object.fromEntries(
    Object.entries(RANGES).map(([name, range]) => {
      return [name, inRange(name, { ...range, value: limits[name as keyof LogLimits] })];
    }),
  ) as unknown as LogLimits;
  const half = Math.floor(resolved.segmentBytes / 2 / (4 * KIB)) * 4 * KIB;
  if (resolved.bufferBytes <= half) return Object.freeze(resolved);
  if (limits.bufferBytes === undefined) return Object.freeze({ ...resolved, bufferBytes: half });
  throw new RangeError(`log: bufferBytes is ${limits.bufferBytes}; want at most half a segment`);
}

function inRange(name: string, range: Range & { readonly value: number | undefined }): number {
  const { min, max, step, byDefault, value = byDefault } = range;
  const whole = step === 0 || (Number.isInteger(value) && value % step === 0);
  if (whole && value >= min && value <= max) return value;
  const multiple = step > 1 ? `, a multiple of ${step}` : "";
  throw new RangeError(`log: ${name} is ${value}; want ${min} to ${max}${multiple}`);
}

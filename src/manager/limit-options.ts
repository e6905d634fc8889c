/**
 * LIMITS of what a store holds in memory, has under way and waits for. See docs/limits.md for how
 * they depend on each other.
 */
import { GIB, KIB, MIB } from "../base/units.ts";
import { shown } from "./option-values.ts";

export interface LimitOptions {
  /**
   * Commits that may wait in memory for the device. Beyond it new transactions wait, and are refused
   * with BOP_BACKPRESSURE when `admissionTimeoutMs` have passed.
   *
   * Bytes, from 128 KiB to 16 GiB. Default 64 MiB.
   */
  readonly maxBacklogBytes?: number;

  /**
   * Segments that may hold log which no checkpoint has let go; beyond them as above. It bounds the
   * disk that the log takes and the time to reopen, and is reached when checkpoints fail or a reader
   * holds the log for long. Half of them begin a checkpoint, however little is in them. At least
   * twice what `checkpointLogBytes` fills.
   *
   * From 2 to 1,000,000. Default 16, or four times what `checkpointLogBytes` fills if that is more.
   */
  readonly maxInflightSegments?: number;

  /**
   * Calls that change files besides the log (chunks, segments to come, the superblock) that may be
   * under way: each holds a thread of the system's pool, for which the log must not wait.
   *
   * From 1 to 1,024. Default: the threads of the pool (UV_THREADPOOL_SIZE, 4) less 2, at least 1.
   */
  readonly maxConcurrentWrites?: number;

  /**
   * An operation of the log that takes longer counts as hung. It is waited for, diagnostics show it,
   * and new transactions are refused as above until it comes back.
   *
   * Milliseconds, from 100 to 3,600,000. Default 30,000.
   */
  readonly writeTimeoutMs?: number;

  /**
   * How long a statement, a transaction or a change of the catalogue waits to be let in before it is
   * refused with the reason. 0 refuses at once.
   *
   * Milliseconds, from 0 to 3,600,000. Default 5,000.
   */
  readonly admissionTimeoutMs?: number;

  /**
   * Free space of the file system that checkpoints leave to the log and the manifest. One that would
   * not leave so much does not begin: it is BOP_DISK_FULL, and is tried again until there is room.
   *
   * Bytes, from 0 to 1 TiB. Default 4 MiB.
   */
  readonly reserveBytes?: number;

  /**
   * How long an iterator, or a transaction that only reads, may stay open. Older ones are ended with
   * BOP_SNAPSHOT_TOO_OLD, so that what they see need not be kept. Writers have `timeoutMs`.
   *
   * Milliseconds, from 100 to 2,592,000,000 (30 days). Default: as long as they want.
   */
  readonly maxReaderAgeMs?: number;

  /**
   * Log that may wait for the sink. It stays on disk until it is shipped, so this bounds the disk
   * that an outage of the sink takes; beyond it new transactions wait and are refused as above.
   *
   * Bytes, from 1 MiB to 16 TiB. Default 4 GiB.
   */
  readonly maxUnshippedBytes?: number;

  /**
   * Disk for checkpointed pages and entries of record logs, where the sink holds them: beyond it,
   * those that were used longest ago go from this disk, and are fetched when they are read again.
   * What the sink does not hold yet stays, and so does what a statement that runs needs, though it
   * be more. The log comes on top. Needs a sink: see docs/tiering.md.
   *
   * Bytes, from 64 KiB to 1 PiB. Default: all of them stay.
   */
  readonly diskBytes?: number;
}

export interface ResolvedLimits
  extends Required<Omit<LimitOptions, "maxConcurrentWrites" | "maxReaderAgeMs" | "diskBytes">> {
  /** Undefined: by the size of the pool. */
  readonly maxConcurrentWrites: number | undefined;
  /** Undefined: none. */
  readonly maxReaderAgeMs: number | undefined;
  /** Undefined: no limit. */
  readonly diskBytes: number | undefined;
}

/** How far the log grows while a checkpoint runs, at least, in units of what begins one. */
const LOGS_MIN = 2;
const LOGS_BY_DEFAULT = 4;
const INFLIGHT_BY_DEFAULT = 16;

const RANGES = {
  maxBacklogBytes: [128 * KIB, 16 * GIB, 64 * MIB],
  maxInflightSegments: [2, 1_000_000, INFLIGHT_BY_DEFAULT],
  maxConcurrentWrites: [1, 1024, undefined],
  writeTimeoutMs: [100, 3_600_000, 30_000],
  admissionTimeoutMs: [0, 3_600_000, 5000],
  reserveBytes: [0, 1024 * GIB, 4 * MIB],
  maxReaderAgeMs: [100, 2_592_000_000, undefined],
  maxUnshippedBytes: [MIB, 16_384 * GIB, 4 * GIB],
  diskBytes: [64 * KIB, 1_048_576 * GIB, undefined],
} as const satisfies Record<keyof LimitOptions, readonly [number, number, number | undefined]>;

export const LIMIT_OPTIONS: readonly string[] = Object.keys(RANGES);

interface LogSize {
  readonly checkpointLogBytes: number;
  readonly segmentBytes: number;
}

/** Throws a RangeError for a value out of range, or too small for the log that it must hold. */
export function resolveLimits(
  options: LimitOptions,
  { checkpointLogBytes, segmentBytes }: LogSize,
): ResolvedLimits {
  const filled = Math.ceil(checkpointLogBytes / segmentBytes);
  const inflight =
    inRange("maxInflightSegments", options) ??
    Math.max(INFLIGHT_BY_DEFAULT, filled * LOGS_BY_DEFAULT);
  if (options.maxInflightSegments !== undefined && inflight < filled * LOGS_MIN) {
    throw new RangeError(
      `limits: maxInflightSegments is ${inflight}; want ${filled * LOGS_MIN} or more, twice what ` +
        "checkpointLogBytes fills",
    );
  }
  return Object.freeze({
    maxBacklogBytes: maxBacklog(options),
    maxInflightSegments: inflight,
    maxConcurrentWrites: inRange("maxConcurrentWrites", options),
    writeTimeoutMs: inRange("writeTimeoutMs", options) ?? RANGES.writeTimeoutMs[2],
    admissionTimeoutMs: inRange("admissionTimeoutMs", options) ?? RANGES.admissionTimeoutMs[2],
    reserveBytes: inRange("reserveBytes", options) ?? RANGES.reserveBytes[2],
    maxReaderAgeMs: inRange("maxReaderAgeMs", options),
    maxUnshippedBytes: inRange("maxUnshippedBytes", options) ?? RANGES.maxUnshippedBytes[2],
    diskBytes: inRange("diskBytes", options),
  });
}

/** Of the store, or of one database. Default: that of a store. */
export function maxBacklog(options: Pick<LimitOptions, "maxBacklogBytes">): number {
  return inRange("maxBacklogBytes", options) ?? RANGES.maxBacklogBytes[2];
}

function inRange(name: keyof LimitOptions, options: LimitOptions): number | undefined {
  const value = options[name];
  const [min, max] = RANGES[name];
  if (value === undefined) return undefined;
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  const wanted = `a whole number from ${min} to ${max}`;
  throw new RangeError(`limits: ${name} is ${shown(value)}; want ${wanted}`);
}

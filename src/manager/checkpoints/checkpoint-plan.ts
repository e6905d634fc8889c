/**
 * WHEN A CHECKPOINT RUNS, AND WHY. Pure: checkpointer.ts asks, and does it.
 *
 *   reason   because
 *   log      `checkpointLogBytes` of log have gathered that only a checkpoint lets go, or segments
 *            with less in them, half of the `maxInflightSegments` beyond which nobody may write
 *   memory   `overlayBytes` of changed pages have been added to what it could not let go last time
 *   age      the oldest commit that it would fold is `checkpointAgeMs` old
 *   space    the last one left chunks that are mostly dead, and nothing was to be done since
 *   call     somebody asked
 *   close    the store closes
 *
 * (1) Pages that open readers see stay in memory through a checkpoint. They start no other one, for
 *     it could not let them go either: only what is added to them counts.
 * (2) Age starts none when nothing would be folded, however far the log has moved on: a store that
 *     nobody writes to is left alone.
 * (3) After a failure nothing starts by itself for a while, twice as long after each further one, so
 *     that a device is not hammered. A full disk is looked at each second: a look costs one call.
 * (4) Log has gathered until it was let go. A checkpoint that is in the manifest and failed behind
 *     that (superblock, segments) has let nothing go: another is due as if there had been none.
 * (5) A flush that was refused and a start after a crash leave a segment each that may hold next to
 *     nothing. They are no log to speak of, yet as many of them as of full ones are too many. What a
 *     checkpoint could not let go does not make the next one due, as in (1).
 */
import { isStorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";

export type CheckpointReason = "log" | "memory" | "age" | "space" | "call" | "close";

export interface CheckpointLimits {
  readonly checkpointLogBytes: number;
  readonly overlayBytes: number;
  readonly checkpointAgeMs: number;
  readonly maxInflightSegments: number;
}

/** What has gathered since the last checkpoint. */
export interface Gathered {
  /** See (4). */
  readonly logBytes: number;
  /** That hold it, and of those what the last checkpoint did not let go. See (5). */
  readonly segments: number;
  readonly heldSegments: number;
  /** Memory of changed pages, and of that what the last checkpoint could not let go. See (1). */
  readonly changedBytes: number;
  readonly heldBytes: number;
}

/** What one did. */
export interface CheckpointFacts {
  readonly reason: CheckpointReason;
  /** Every commit at or below it is in chunks. */
  readonly atLsn: Lsn;
  /** From its beginning until the log could be let go. */
  readonly ms: number;
  /** Pages that it wrote, and the bytes of the files that they are in. */
  readonly pages: number;
  readonly bytes: number;
}

/** Between two that only compact, so that they leave the device to others most of the time. */
export const SPACE_PAUSE_MS = 1000;

/** Undefined: not yet. */
export function dueReason(
  { logBytes, segments, heldSegments, changedBytes, heldBytes }: Gathered,
  limits: CheckpointLimits,
): "log" | "memory" | undefined {
  if (changedBytes - heldBytes > limits.overlayBytes) return "memory";
  if (segments > heldSegments && segments * 2 > limits.maxInflightSegments) return "log";
  return logBytes > limits.checkpointLogBytes ? "log" : undefined;
}

const PAUSE_MS = 1000;
const PAUSE_MS_MAX = 60_000;
/** Beyond it doubling would overflow, long after it has reached its bound. */
const DOUBLINGS_MAX = 20;

/** See (3). */
export function pauseAfter(error: unknown, failuresInARow: number): number {
  if (isStorageError(error, "BOP_DISK_FULL")) return PAUSE_MS;
  return Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** Math.min(DOUBLINGS_MAX, failuresInARow - 1));
}

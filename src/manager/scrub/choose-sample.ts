/** WHICH DATABASE IS TRIED NEXT, and when. Pure. */
import type { Random } from "../../base/env.ts";
import type { StreamId } from "../../base/units.ts";
import type { PassRow } from "./scrub-rows.ts";

export type SampleRow = Pick<PassRow, "lastGoodMs" | "lastTriedMs" | "bytes" | "problem">;

/**
 * The one that was tried longest ago, those never tried first; among those of which that is equally
 * long ago, one by chance. One that had a problem waits its turn as the others do.
 */
export function chooseSample(
  databases: Iterable<StreamId>,
  rows: ReadonlyMap<StreamId, SampleRow>,
  random: Random,
): StreamId | undefined {
  let oldest: StreamId[] = [];
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const stream of databases) {
    const atMs = rows.get(stream)?.lastTriedMs ?? 0;
    if (atMs > oldestMs) continue;
    if (atMs < oldestMs) oldest = [];
    oldestMs = atMs;
    oldest.push(stream);
  }
  return oldest.length === 0 ? undefined : oldest[random.below(oldest.length)];
}

/** How long until one is due, in milliseconds; Infinity if none ever is. */
export function sampleDueInMs(
  rows: Iterable<SampleRow>,
  { everyMs, nowMs }: { readonly everyMs: number; readonly nowMs: number },
): number {
  if (everyMs === 0) return Number.POSITIVE_INFINITY;
  let lastMs = 0;
  for (const { lastTriedMs } of rows) lastMs = Math.max(lastMs, Math.min(lastTriedMs, nowMs));
  return lastMs === 0 ? 0 : Math.max(0, lastMs + everyMs - nowMs);
}

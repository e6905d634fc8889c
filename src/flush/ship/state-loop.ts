/**
 * SHIPS STATES OF THE MANIFEST IN ONE EPOCH: one at a time, at most one an interval, when there is news
 * or garbage to be looked for.
 */
import type { Course, EpochEnd } from "./course.ts";
import type { ShippedState } from "./ports.ts";
import { unlessAborted } from "./troubles.ts";
import type { WalPump } from "./wal-pump.ts";

/** Undefined: nothing is left to be done, or the signal ended it. `log`: of the same epoch. */
export async function shipStates(
  course: Course,
  log: Pick<WalPump, "newest">,
  signal: AbortSignal,
): Promise<EpochEnd | undefined> {
  const { clock, pump, flushIntervalMs } = course.options;
  let nextMs = 0;
  await unlessAborted(course.troubles.left("manifest"), signal);
  for (let attempt = 0; !signal.aborted; ) {
    const nowMs = clock.monotonicMs();
    const isDue = pump.isDue(nowMs);
    if (!isDue && course.isDraining) break;
    if (!isDue || (nowMs < nextMs && !course.isDraining)) {
      await course.stateAlarm.sleep(isDue ? nextMs : pump.nextDueMs, signal);
      continue;
    }
    try {
      const { newest } = log;
      stateShipped(course, await pump.round(signal));
      course.archive(newest?.endLsn);
      attempt = 0;
    } catch (error) {
      const part = "manifest";
      const ending = await course.troubled(error, { part, attempt: attempt++, signal });
      if (ending !== undefined) return ending;
      if (course.isDraining && course.troubles.letters.isClosed) break;
    }
    nextMs = clock.monotonicMs() + flushIntervalMs;
  }
  course.isStatesDone = true;
  course.logAlarm.ring();
  return undefined;
}

function stateShipped(course: Course, state: ShippedState): void {
  const { mark, options } = course;
  mark.stateShipped(state.checkpointLsn);
  course.lastState = { ...state, atMs: options.clock.wallMs() };
  course.soFar = { ...course.soFar, hasState: true };
  course.tellRemote();
  course.tellState();
}

/**
 * SHIPS THE LOG OF ONE EPOCH, object by object, when the schedule says so.
 *
 * (1) An epoch that is old and has shipped log is followed by the next one, also in a store that is
 *     idle: only what older epochs have put can become garbage. One that has shipped none has
 *     nothing to leave behind, and stays.
 */
import type { Course, EpochEnd } from "./course.ts";
import type { WalPump } from "./wal-pump.ts";

export interface LogLoop {
  readonly pump: WalPump;
  /** When the epoch began. */
  readonly beganMs: number;
}

/** Undefined: nothing is left to be done, or the signal ended it. */
export async function shipLog(
  course: Course,
  { pump, beganMs }: LogLoop,
  signal: AbortSignal,
): Promise<EpochEnd | undefined> {
  const { options, schedule, logAlarm } = course;
  const { clock } = options;
  for (let attempt = 0; !signal.aborted; ) {
    const nowMs = clock.monotonicMs();
    const oldMs = pump.hasShipped && course.soFar.hasState ? beganMs + options.epochMs : undefined;
    const isOld = oldMs !== undefined && nowMs >= oldMs;
    if (isOld && !pump.isPending && !course.isDraining) return { type: "next" };
    const dueMs = pump.isPending ? nowMs : schedule.dueMs(nowMs);
    if (dueMs === undefined && course.isDraining && course.isStatesDone) return undefined;
    if (dueMs === undefined || dueMs > nowMs) {
      await logAlarm.sleep(earlier(dueMs, course.isDraining ? undefined : oldMs), signal);
      continue;
    }
    try {
      await step(course, pump, signal);
      attempt = 0;
    } catch (error) {
      const ending = await course.troubled(error, { part: "log", attempt: attempt++, signal });
      if (ending !== undefined) return ending;
    }
  }
  return undefined;
}

async function step(course: Course, pump: WalPump, signal: AbortSignal): Promise<void> {
  const { mark, schedule, options } = course;
  const { log, clock } = options;
  const { durableLsn } = log;
  const { floorLsn } = schedule;
  const done = await pump.step(floorLsn, signal);
  course.troubles.last = undefined;
  if (done.type === "index") return;
  if (done.type === "nothing") schedule.nothing(durableLsn, floorLsn);
  const endLsn = done.type === "log" ? done.endLsn : undefined;
  mark.shipped(endLsn, done.settledLsn);
  if (endLsn !== undefined) {
    schedule.shipped(endLsn, clock.monotonicMs());
    course.soFar = { ...course.soFar, shipped: pump.newest };
    course.waiters.resolveUpTo(endLsn);
    log.shipping.shipped(endLsn);
  }
  course.tellRemote();
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

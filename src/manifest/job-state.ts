/**
 * LIFE OF A JOB: work in the background that outlives its process.
 *
 *             lease                   complete
 *     queued ───────► leased ──────────────────────────► done ─────────┐
 *        ▲              │ fail, attempts left                          │
 *        │ due          ├──────────────► waiting                       │ discard
 *        ├──────────────│───────────────────┘                          ├─────────► (gone)
 *        │ expire       │ fail, none left; or what no retry can mend   │
 *        └──────────────┴──────────────────────────────► failed ───────┤
 *        ▲                                  retry          │           │
 *        └─────────────────────────────────────────────────┘           │
 *     queued, waiting, leased ── cancel ──► cancelled ─────────────────┘
 *
 *   queued     To be run as soon as there is room.
 *   leased     Running. The lease names the opening of the store that runs it, and ends by itself.
 *   waiting    An attempt failed; the next is due at a time that was drawn.
 *   done       Its result is kept until it is discarded, or pushed out by newer ones.
 *   failed     For good. Its reason is kept until it is retried or discarded.
 *   cancelled  By somebody's wish.
 *
 * (1) At most one job of a kind is queued, leased or waiting for a database.
 * (2) The n-th attempt is counted when its lease begins, and durable before the work does: a job
 *     that takes its process with it runs out of attempts like any other.
 * (3) The pause before a retry is drawn evenly from 0 to a limit that doubles with each attempt, up
 *     to PAUSE_MS_MAX: many jobs that failed together do not come back together.
 * (4) Time is that of the wall clock, which may be set back: what is due later than any pause can last
 *     is due now.
 * (5) A lease of another opening of the store is void: there is one owner, and it is not that one.
 */
import { assert } from "../base/assert.ts";
import { StateTable } from "../base/state-table.ts";
import type { StreamId } from "../base/units.ts";

/** Persistent: a number is never changed or used again. */
export const JOB_STATES = {
  queued: 1,
  leased: 2,
  waiting: 3,
  done: 4,
  failed: 5,
  cancelled: 6,
} as const;
export type JobState = keyof typeof JOB_STATES;

export interface JobRow {
  readonly id: number;
  readonly kind: string;
  /** The database that it is about. */
  readonly stream: StreamId;
  readonly state: JobState;
  /** Attempts that were begun. */
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly createdAtMs: number;
  readonly changedAtMs: number;
  /** Of one that waits: not to be run before. */
  readonly dueAtMs: number;
  /** Of one that is leased: by which opening of the store, and until when. */
  readonly lease: { readonly holder: string; readonly untilMs: number } | undefined;
  /** How far it has come, in units of its own. */
  readonly progress: { readonly done: number; readonly total: number };
  /** What came out of it, or why it failed. */
  readonly message: string;
}

export type JobEvent =
  | { readonly type: "lease"; readonly holder: string; readonly leaseMs: number }
  | { readonly type: "renew"; readonly leaseMs: number; readonly progress: JobRow["progress"] }
  | { readonly type: "complete"; readonly result: string; readonly progress: JobRow["progress"] }
  | { readonly type: "fail"; readonly reason: string; readonly final: boolean }
  | { readonly type: "expire"; readonly reason: string }
  | { readonly type: "due" }
  | { readonly type: "cancel" }
  | { readonly type: "retry" };

/** Which state an event may meet. */
const MEETS: Readonly<Record<JobEvent["type"], readonly JobState[]>> = {
  lease: ["queued"],
  renew: ["leased"],
  complete: ["leased"],
  fail: ["leased"],
  expire: ["leased"],
  due: ["waiting"],
  cancel: ["queued", "leased", "waiting"],
  retry: ["failed", "cancelled"],
};

const NEXT = new StateTable<JobState>("job", {
  queued: ["leased", "cancelled"],
  leased: ["leased", "done", "waiting", "failed", "queued", "cancelled"],
  waiting: ["queued", "cancelled"],
  done: [],
  failed: ["queued"],
  cancelled: ["queued"],
});

const PAUSE_MS_FIRST = 1000;
const PAUSE_MS_MAX = 5 * 60_000;
/** Longer reasons and results are cut: a row is no place for a log. */
const MESSAGE_CHARACTERS_MAX = 2000;

export interface JobMoment {
  readonly nowMs: number;
  /** An integer in [0, limit). */
  readonly below: (limit: number) => number;
}

export const isPending = ({ state }: JobRow): boolean => MEETS.cancel.includes(state);

export function newJob(wanted: {
  readonly id: number;
  readonly kind: string;
  readonly stream: StreamId;
  readonly maxAttempts: number;
  readonly nowMs: number;
}): JobRow {
  const { nowMs, ...rest } = wanted;
  return {
    ...rest,
    state: "queued",
    attempts: 0,
    createdAtMs: nowMs,
    changedAtMs: nowMs,
    dueAtMs: nowMs,
    lease: undefined,
    progress: { done: 0, total: 0 },
    message: "",
  };
}

/** See (4). */
export const isDue = ({ dueAtMs }: JobRow, nowMs: number): boolean =>
  dueAtMs <= nowMs || dueAtMs > nowMs + PAUSE_MS_MAX;

export const mayMeet = (job: JobRow, type: JobEvent["type"]): boolean =>
  MEETS[type].includes(job.state);

/** The only place where a job changes its state. */
export function moveJob(job: JobRow, event: JobEvent, moment: JobMoment): JobRow {
  assert(mayMeet(job, event.type), () => `job ${job.id} is ${job.state}: no ${event.type}`);
  const moved = afterEvent(job, event, moment);
  NEXT.assertMove(job.state, moved.state);
  return moved;
}

function afterEvent(job: JobRow, event: JobEvent, moment: JobMoment): JobRow {
  const { nowMs } = moment;
  const next = { ...job, changedAtMs: nowMs, lease: undefined };
  switch (event.type) {
    case "lease": {
      const lease = { holder: event.holder, untilMs: nowMs + event.leaseMs };
      return { ...next, state: "leased", attempts: job.attempts + 1, lease };
    }
    case "renew": {
      const lease = job.lease && { ...job.lease, untilMs: nowMs + event.leaseMs };
      return { ...next, lease, progress: event.progress };
    }
    case "complete":
      return { ...next, state: "done", progress: event.progress, message: cut(event.result) };
    case "fail":
    case "expire":
      return failed(next, event, moment);
    case "due":
      return { ...next, state: "queued" };
    case "cancel":
      return { ...next, state: "cancelled" };
    case "retry":
      return { ...next, state: "queued", attempts: 0, dueAtMs: nowMs, message: "" };
  }
}

function failed(
  job: JobRow,
  event: Extract<JobEvent, { readonly type: "fail" | "expire" }>,
  { nowMs, below }: JobMoment,
): JobRow {
  const message = cut(event.reason);
  const isFinal = event.type === "fail" && event.final;
  if (isFinal || job.attempts >= job.maxAttempts) return { ...job, state: "failed", message };
  if (event.type === "expire") return { ...job, state: "queued", message };
  const dueAtMs = nowMs + below(pauseMsMax(job.attempts) + 1);
  return { ...job, state: "waiting", dueAtMs, message };
}

/** See (3). Doubles as long as that has a meaning, and cannot overflow. */
export function pauseMsMax(attempts: number): number {
  const doublings = Math.max(0, Math.min(attempts - 1, 20));
  return Math.min(PAUSE_MS_FIRST * 2 ** doublings, PAUSE_MS_MAX);
}

function cut(message: string): string {
  if (message.length <= MESSAGE_CHARACTERS_MAX) return message;
  return `${message.slice(0, MESSAGE_CHARACTERS_MAX)}…`;
}

/** JOBS as users see them. See docs/jobs.md. */
import type { JobRow, JobState } from "../../manifest/index.ts";

/** Persistent: what a kind means is never changed. */
export type JobKind = "integrity-check";

/** A piece of work in the background, and what became of it. */
export interface JobInfo {
  readonly id: number;
  readonly kind: string;
  /** Its name now; undefined once it was dropped. */
  readonly database: string | undefined;
  /** `done`, `failed` and `cancelled` are the end. A `waiting` one is tried again at `dueAt`. */
  readonly state: JobState;
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly progress: { readonly done: number; readonly total: number };
  /** Of one that is done. */
  readonly result: string | undefined;
  /** Why the last attempt failed, if it did. */
  readonly reason: string | undefined;
  readonly createdAt: Date;
  readonly changedAt: Date;
  /** Of one that waits. */
  readonly dueAt: Date | undefined;
}

export interface JobHandle {
  /** Resolves when it is over: done, failed or cancelled. */
  finished(options?: { readonly signal?: AbortSignal }): Promise<JobInfo>;
  /** Stops one that is pending. A TypeError if it is over. */
  cancel(): Promise<JobInfo>;
  /** Runs one that failed or was cancelled again, with all its attempts. */
  retry(): Promise<JobInfo>;
  /** Forgets one that is over. */
  discard(): Promise<void>;
}

export function jobInfo(row: JobRow, database: string | undefined): JobInfo {
  const { id, kind, state, attempts, maxAttempts, progress, message } = row;
  const isDone = state === "done";
  return {
    id,
    kind,
    database,
    state,
    attempts,
    maxAttempts,
    progress,
    result: isDone ? message : undefined,
    reason: !isDone && message !== "" ? message : undefined,
    createdAt: new Date(row.createdAtMs),
    changedAt: new Date(row.changedAtMs),
    dueAt: state === "waiting" ? new Date(row.dueAtMs) : undefined,
  };
}

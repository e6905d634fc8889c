/**
 * JOBS: work in the background that is finished though its process ends, its machine, or its luck.
 *
 * (1) One change of a job at a time: it is decided on the row as it is, made durable, and only then
 *     true. A change that cannot be made durable has not happened.
 * (2) One job runs at a time, the oldest that is due: what they do, they do on the event loop.
 * (3) There is one timer: for the next retry that falls due, or for the end of the lease of the job
 *     that runs. A handler that shows progress keeps its lease; one that hangs is told to stop when
 *     it ends, and what it still answers is not heard.
 * (4) What is over is kept until it is discarded, but of the done and cancelled no more than the
 *     newest KEPT_MAX. Its row goes by the manifest's journal: that it is to go survives a crash, and
 *     nobody waits until it is gone. Nothing else is done to a row that is to go, nor is its id given
 *     to another while the store is open, so its place among other changes does not matter.
 */
import { assert } from "../../base/assert.ts";
import type { Clock, Disposer, Random } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { Turns } from "../../base/turns.ts";
import type { StreamId } from "../../base/units.ts";
import {
  isDue,
  isPending,
  type JobEvent,
  type JobRow,
  type Manifest,
  mayMeet,
  moveJob,
  newJob,
  removalOfJobs,
} from "../../manifest/index.ts";
import { type JobInfo, type JobKind, jobInfo } from "./job.ts";

const LEASE_MS = 60_000;
/** Progress is written so often at most; the lease is renewed with it. */
const RENEW_MS = 5000;
const ATTEMPTS_MAX = 5;
const KEPT_MAX = 200;
const HOLDER_BYTES = 8;

export interface Task {
  readonly stream: StreamId;
  /** Aborts when the job was cancelled, its lease ended, or the store closes. */
  readonly signal: AbortSignal;
  readonly progress: (done: number, total: number) => void;
}

/** Resolves with what came out. Runs again from its start after a failure or a crash. */
export type JobHandler = (task: Task) => Promise<string>;

export interface JobsOptions {
  readonly manifest: Manifest;
  readonly clock: Clock;
  readonly random: Random;
  readonly handlers: Readonly<Record<JobKind, JobHandler>>;
  /** Undefined for a database that was dropped. */
  readonly nameOf: (stream: StreamId) => string | undefined;
  readonly onFailure: (error: unknown) => void;
}

interface Running {
  readonly id: number;
  readonly abort: AbortController;
  untilMs: number;
  progress: JobRow["progress"];
  renewedMs: number;
}

export class Jobs {
  readonly #options: JobsOptions;
  readonly #holder: string;
  readonly #rows = new Map<number, JobRow>();
  readonly #waiters = new Map<number, Set<() => void>>();
  #nextId = 1;
  /** See (1). */
  readonly #changes = new Turns();
  #running: Running | undefined;
  #work: Promise<void> | undefined;
  #timer: Disposer | undefined;
  #stopped = false;

  constructor(options: JobsOptions) {
    this.#options = options;
    this.#holder = Buffer.from(options.random.bytes(HOLDER_BYTES)).toString("hex");
    for (const row of options.manifest.opened.jobs) {
      this.#rows.set(row.id, row);
      this.#nextId = Math.max(this.#nextId, row.id + 1);
    }
  }

  /** Takes up what the last opening left. */
  start(): void {
    this.#pump();
  }

  /** Aborts the job that runs. It is taken up again when the store is opened next. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.dispose();
    this.#running?.abort.abort(closing());
    await this.#work;
    await this.#changes.ended();
    for (const id of [...this.#waiters.keys()]) this.#wake(id);
  }

  list(): JobInfo[] {
    return [...this.#rows.values()].sort((a, b) => a.id - b.id).map((row) => this.#info(row));
  }

  /** The pending job of that kind, or a new one. Resolves when it is durable. */
  async submit(kind: JobKind, stream: StreamId): Promise<JobInfo> {
    const row = await this.#exclusively(async () => {
      const pending = this.#pendingFor(kind, stream);
      if (pending !== undefined) return pending;
      const nowMs = this.#options.clock.wallMs();
      const job = newJob({ id: this.#nextId, kind, stream, maxAttempts: ATTEMPTS_MAX, nowMs });
      await this.#options.manifest.publish({ putJobs: [job] });
      this.#nextId += 1;
      this.#rows.set(job.id, job);
      return job;
    });
    this.#tidy();
    this.#pump();
    return this.#info(row);
  }

  /** Resolves when the job is over. Rejects with the signal's reason, BOP_CLOSED, BOP_NOT_FOUND. */
  async finished(id: number, signal?: AbortSignal): Promise<JobInfo> {
    while (true) {
      const row = this.#row(id);
      if (!isPending(row)) return this.#info(row);
      signal?.throwIfAborted();
      if (this.#stopped) throw closing();
      await this.#changed(id, signal);
    }
  }

  async cancel(id: number): Promise<JobInfo> {
    const row = await this.#exclusively(() => this.#change(id, "cancel"));
    if (this.#running?.id === id) this.#running.abort.abort(cancelled(id));
    return this.#info(row);
  }

  /** From the start, with all its attempts; or the pending job of its kind for its database. */
  async retry(id: number): Promise<JobInfo> {
    const row = await this.#exclusively(async () => {
      const { kind, stream } = this.#row(id);
      return this.#pendingFor(kind, stream) ?? (await this.#change(id, "retry"));
    });
    this.#pump();
    return this.#info(row);
  }

  /** Forgets a job that is over. */
  async discard(id: number): Promise<void> {
    await this.#exclusively(async () => {
      if (isPending(this.#row(id))) throw new TypeError(`job ${id} is not over; cancel it first`);
      await this.#forget([id]);
    });
  }

  /** See (4). What cannot be forgotten now is, when the next job comes. */
  #tidy(): void {
    this.#exclusively(() => this.#forget(this.#superfluous())).catch((error: unknown) => {
      if (!this.#stopped) this.#options.onFailure(error);
    });
  }

  async #forget(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#options.manifest.enqueue(removalOfJobs(ids));
    for (const id of ids) this.#rows.delete(id);
  }

  /** Starts what is due, or sets the timer for what will be. */
  #pump(): void {
    if (this.#stopped || this.#work !== undefined) return;
    const nowMs = this.#options.clock.wallMs();
    const waiting = [...this.#rows.values()].filter(isPending);
    const due = waiting.filter((row) => isDue(row, nowMs)).sort((a, b) => a.id - b.id)[0];
    if (due === undefined) {
      if (waiting.length === 0) return;
      this.#wakeIn(Math.min(...waiting.map(({ dueAtMs }) => dueAtMs)) - nowMs);
      return;
    }
    this.#work = this.#attempt(due.id)
      .catch((error: unknown) => {
        // Its row is what it was: it is found again when the timer, or the next opening, looks.
        if (!this.#stopped) this.#options.onFailure(error);
        this.#wakeIn(RENEW_MS);
      })
      .finally(() => {
        this.#work = undefined;
        if (this.#timer === undefined) this.#pump();
      });
  }

  async #attempt(id: number): Promise<void> {
    const before = this.#rows.get(id);
    if (before === undefined || !isPending(before)) return;
    if (before.lease !== undefined) {
      const isOurs = before.lease.holder === this.#holder;
      const reason = isOurs ? "its outcome could not be recorded" : "its process ended";
      await this.#move(id, { type: "expire", reason });
    }
    const leased = await this.#move(id, {
      type: "lease",
      holder: this.#holder,
      leaseMs: LEASE_MS,
    });
    if (leased?.lease === undefined || this.#stopped) return;
    const event = await this.#run(leased, leased.lease.untilMs);
    if (!this.#stopped) await this.#move(id, event);
  }

  /** What became of an attempt. Does not throw. */
  async #run(job: JobRow, untilMs: number): Promise<JobEvent> {
    const abort = new AbortController();
    const nowMs = this.#options.clock.wallMs();
    const { id, progress } = job;
    const running: Running = { id, abort, untilMs, progress, renewedMs: nowMs };
    this.#running = running;
    this.#wakeIn(untilMs - nowMs);
    const handler = this.#options.handlers[job.kind as JobKind];
    try {
      if (handler === undefined) throw new TypeError(`there is no kind of job "${job.kind}"`);
      const task = {
        stream: job.stream,
        signal: abort.signal,
        progress: (done: number, total: number) => this.#progress(running, { done, total }),
      };
      const result = await Promise.race([handler(task), aborted(abort.signal)]);
      return { type: "complete", result, progress: running.progress };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { type: "fail", reason, final: !mayMend(error) };
    } finally {
      this.#running = undefined;
      this.#timer?.dispose();
      this.#timer = undefined;
    }
  }

  #progress(running: Running, progress: JobRow["progress"]): void {
    if (running !== this.#running) return;
    const nowMs = this.#options.clock.wallMs();
    running.untilMs = nowMs + LEASE_MS;
    running.progress = progress;
    if (nowMs - running.renewedMs < RENEW_MS) return;
    running.renewedMs = nowMs;
    this.#move(running.id, { type: "renew", leaseMs: LEASE_MS, progress }).catch(
      (error: unknown) => {
        if (!this.#stopped) this.#options.onFailure(error);
      },
    );
  }

  /** See (3). */
  #wakeIn(delayMs: number): void {
    this.#timer?.dispose();
    this.#timer = undefined;
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(Math.max(0, delayMs), () => {
      this.#timer = undefined;
      const running = this.#running;
      if (running === undefined) {
        this.#pump();
        return;
      }
      const nowMs = this.#options.clock.wallMs();
      running.untilMs = Math.min(running.untilMs, nowMs + LEASE_MS); // The clock may be set back.
      const leftMs = running.untilMs - nowMs;
      if (leftMs > 0) this.#wakeIn(leftMs);
      else running.abort.abort(leaseEnded());
    });
  }

  /** A move by somebody's wish. Throws a TypeError if the job is not in a state for it. */
  async #change(id: number, type: "cancel" | "retry"): Promise<JobRow> {
    const row = this.#row(id);
    if (!mayMeet(row, type)) throw new TypeError(`job ${id} is ${row.state}: it cannot ${type}`);
    return this.#save(moveJob(row, { type }, this.#moment()));
  }

  /** A move by ourselves; undefined if the job went elsewhere meanwhile. */
  #move(id: number, event: JobEvent): Promise<JobRow | undefined> {
    return this.#exclusively(async () => {
      let row = this.#rows.get(id);
      if (row === undefined) return undefined;
      if (event.type === "lease" && row.state === "waiting") {
        row = moveJob(row, { type: "due" }, this.#moment());
      }
      if (!mayMeet(row, event.type)) return undefined;
      return this.#save(moveJob(row, event, this.#moment()));
    });
  }

  async #save(row: JobRow): Promise<JobRow> {
    await this.#options.manifest.publish({ putJobs: [row] });
    this.#rows.set(row.id, row);
    this.#wake(row.id);
    return row;
  }

  /** See (1). */
  #exclusively<T>(change: () => Promise<T>): Promise<T> {
    return this.#changes.run(() => {
      if (this.#stopped) throw closing();
      return change();
    });
  }

  #moment() {
    const { clock, random } = this.#options;
    return { nowMs: clock.wallMs(), below: (limit: number) => random.below(limit) };
  }

  /** See (4). */
  #superfluous(): number[] {
    const over = [...this.#rows.values()].filter(
      ({ state }) => state === "done" || state === "cancelled",
    );
    over.sort((a, b) => a.changedAtMs - b.changedAtMs || a.id - b.id);
    return over.slice(0, Math.max(0, over.length - KEPT_MAX)).map(({ id }) => id);
  }

  /** The one that job-state.ts (1) allows. */
  #pendingFor(kind: string, stream: StreamId): JobRow | undefined {
    return [...this.#rows.values()].find(
      (each) => each.kind === kind && each.stream === stream && isPending(each),
    );
  }

  #row(id: number): JobRow {
    const row = this.#rows.get(id);
    if (row !== undefined) return row;
    throw new RangeError(`there is no job ${id}; jobs() tells which there are`);
  }

  #info(row: JobRow): JobInfo {
    const running = this.#running?.id === row.id ? this.#running : undefined;
    const progress = running?.progress ?? row.progress;
    return jobInfo({ ...row, progress }, this.#options.nameOf(row.stream));
  }

  #changed(id: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(id) ?? new Set();
      this.#waiters.set(id, waiters);
      const wake = () => {
        signal?.removeEventListener("abort", wake);
        waiters.delete(wake);
        resolve();
      };
      waiters.add(wake);
      signal?.addEventListener("abort", wake);
    });
  }

  #wake(id: number): void {
    for (const wake of [...(this.#waiters.get(id) ?? [])]) wake();
    assert((this.#waiters.get(id)?.size ?? 0) === 0, "who was woken waits no more");
    this.#waiters.delete(id);
  }
}

/** Rejects when the signal aborts; whoever hangs is not waited for. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

/** What another attempt, later, may find otherwise. */
function mayMend(error: unknown): boolean {
  if (!(error instanceof StorageError)) return false;
  return error.retryable || error.code === "BOP_IO";
}

function leaseEnded(): StorageError {
  const message = `it showed no progress for ${LEASE_MS} ms`;
  return new StorageError("BOP_TIMEOUT", message, {
    details: { operation: "job", timeoutMs: LEASE_MS },
  });
}

function cancelled(id: number): Error {
  return new Error(`job ${id} was cancelled`);
}

function closing(): StorageError {
  return new StorageError("BOP_CLOSED", "the store is closed", { details: { what: "store" } });
}

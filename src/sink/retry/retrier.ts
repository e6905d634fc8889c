/**
 * CALLS THAT ARE REPEATED: backoff, budget and breaker (their own files) put to work, for all
 * callers of one sink together.
 *
 *     run ──► wait for the breaker ──► attempt ──► done
 *                   ▲                     │ retryable, attempts and budget left
 *                   └──── back off ◄──────┘
 *
 * (1) Only what may be repeated is: errors that say `retryable`. What is repeated is the same
 *     call: whoever puts keeps body and put id (object-store.ts, 3).
 * (2) An attempt whose outcome was unclear stays unclear: when the attempts run out, the caller is
 *     told BOP_SINK_UNKNOWN even if the last one certainly did nothing.
 * (3) An answer that is no failure of the service (refused, or a damaged object) counts for the
 *     breaker as a success: it is there. What is no StorageError (an aborted signal) says nothing.
 * (4) One timer for all who wait, and at most `waitingMax` of them: beyond that a call fails with
 *     what its attempt failed with, or with BOP_SINK_UNAVAILABLE if there was none.
 * (5) Waiting for the breaker costs no attempt. `whenOpen: "fail"` is for callers who would rather
 *     be told at once.
 * (6) The service is left alone for as long as it asks, but not for longer than the breaker would: one
 *     that says "in a day" holds up nobody for a day.
 * (7) After `close` nothing waits: a call that fails then is told with what.
 */
import type { Clock, Disposer, Random } from "../../base/env.ts";
import { isStorageError, StorageError } from "../../base/errors.ts";
import { backoffMs } from "./backoff.ts";
import { type BreakerState, CircuitBreaker, type Outcome, type Ticket } from "./breaker.ts";
import { RetryBudget } from "./budget.ts";
import { DueQueue } from "./due-queue.ts";
import { type ResolvedRetryOptions, type RetryOptions, resolveRetryOptions } from "./options.ts";

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** What to do while the breaker is open. Default "wait". */
  readonly whenOpen?: "wait" | "fail";
}

export interface RetryStats {
  readonly breaker: BreakerState;
  readonly breakerMoves: number;
  readonly attempts: number;
  readonly failures: number;
  readonly waiting: number;
  /** Repetitions that were not made since the budget was spent. */
  readonly overBudget: number;
  /** What the last attempt failed with, unless one has succeeded since. */
  readonly lastFailure: string | undefined;
}

interface Waiter {
  readonly wake: () => void;
  readonly fail: (error: unknown) => void;
  readonly forBreaker: boolean;
}

export class Retrier {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #what: string;
  readonly #options: ResolvedRetryOptions;
  readonly #breaker: CircuitBreaker;
  readonly #budget: RetryBudget;
  readonly #queue: DueQueue<Waiter>;
  #timer: { readonly dueMs: number; readonly disposer: Disposer } | undefined;
  #closed = false;
  #attempts = 0;
  #failures = 0;
  #overBudget = 0;
  #lastFailure: StorageError | undefined;

  /** `what` names the sink in errors. */
  constructor(
    env: { readonly clock: Clock; readonly random: Random },
    { what, ...options }: RetryOptions & { readonly what: string },
  ) {
    this.#clock = env.clock;
    this.#random = env.random;
    this.#what = what;
    this.#options = resolveRetryOptions(options);
    this.#breaker = new CircuitBreaker(this.#options.breaker, env.random);
    this.#budget = new RetryBudget(this.#options.budget, env.clock.monotonicMs());
    this.#queue = new DueQueue(this.#options.waitingMax);
  }

  get stats(): RetryStats {
    return {
      breaker: this.#breaker.state,
      breakerMoves: this.#breaker.moves,
      attempts: this.#attempts,
      failures: this.#failures,
      waiting: this.#queue.length,
      overBudget: this.#overBudget,
      lastFailure: this.#lastFailure && `${this.#lastFailure.code}: ${this.#lastFailure.message}`,
    };
  }

  /** Calls `attempt` until it succeeds, may not be repeated, or the attempts are used up. */
  async run<T>(attempt: () => Promise<T>, options: RunOptions = {}): Promise<T> {
    let unclear: unknown;
    for (let count = 1; ; count++) {
      const ticket = await this.#pass(options);
      try {
        return await this.#attempt(attempt, ticket);
      } catch (error) {
        if (isStorageError(error, "BOP_SINK_UNKNOWN")) unclear = error;
        const repeats = !options.signal?.aborted && !this.#closed && this.#mayRepeat(error, count);
        const told = error instanceof StorageError && error.retryable ? (unclear ?? error) : error;
        if (!repeats || !(await this.#backOff(error, { count, ...options }))) throw told;
      }
    }
  }

  /** Everybody who waits is told BOP_CLOSED. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#timer?.disposer.dispose();
    this.#timer = undefined;
    for (const { fail } of this.#queue.takeAll()) fail(this.#closedError());
  }

  async #attempt<T>(attempt: () => Promise<T>, ticket: Ticket): Promise<T> {
    this.#attempts += 1;
    try {
      const value = await attempt();
      this.#budget.succeeded();
      this.#lastFailure = undefined;
      this.#settle(ticket, "succeeded");
      return value;
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome === "failed") this.#failures += 1;
      if (error instanceof StorageError) this.#lastFailure = error;
      this.#settle(ticket, outcome);
      throw error;
    }
  }

  #settle(ticket: Ticket, outcome: Outcome): void {
    const before = this.#breaker.moves;
    this.#breaker.settle(ticket, { outcome, nowMs: this.#clock.monotonicMs() });
    const moved = this.#breaker.moves !== before;
    // Half-open admits the next probe, closed admits all: those who wait for it ask again.
    if (moved || this.#breaker.state === "half-open") this.#wakeForBreaker();
  }

  #mayRepeat(error: unknown, count: number): boolean {
    if (!(error instanceof StorageError) || !error.retryable) return false;
    if (count >= this.#options.attemptsMax) return false;
    const paid = this.#budget.spend(this.#clock.monotonicMs());
    if (!paid) this.#overBudget += 1;
    return paid;
  }

  /** Waits until the breaker lets the caller go. */
  async #pass({ signal, whenOpen = "wait" }: RunOptions): Promise<Ticket> {
    while (true) {
      if (this.#closed) throw this.#closedError();
      signal?.throwIfAborted();
      const nowMs = this.#clock.monotonicMs();
      const answer = this.#breaker.ask(nowMs);
      if (answer.type === "go") return answer.ticket;
      const waits = whenOpen === "wait";
      const until = { dueMs: answer.untilMs, signal, forBreaker: true };
      if (!waits || !(await this.#wait(until))) throw this.#openError(answer.untilMs - nowMs);
    }
  }

  /** False if there is no room to wait in. */
  #backOff(error: unknown, { count, signal }: RunOptions & { count: number }): Promise<boolean> {
    const { baseMs, maxMs, breaker } = this.#options;
    const asked = Math.min(askedMs(error), breaker.pauseMsMax); // See (6).
    const waitMs = Math.max(backoffMs(count - 1, { baseMs, maxMs, random: this.#random }), asked);
    return this.#wait({ dueMs: this.#clock.monotonicMs() + waitMs, signal, forBreaker: false });
  }

  #wait({
    dueMs,
    signal,
    forBreaker,
  }: {
    readonly dueMs: number;
    readonly signal: AbortSignal | undefined;
    readonly forBreaker: boolean;
  }): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        signal?.removeEventListener("abort", onAbort);
        act();
      };
      const waiter = {
        wake: () => settle(() => resolve(true)),
        fail: (error: unknown) => settle(() => reject(error)),
        forBreaker,
      };
      const entry = this.#queue.add(waiter, dueMs);
      const onAbort = () => {
        if (entry !== undefined) this.#queue.remove(entry);
        this.#arm();
        waiter.fail(signal?.reason);
      };
      if (entry === undefined) {
        resolve(false);
        return;
      }
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#arm();
    });
  }

  /** The one timer rings for whoever is due first. */
  #arm(): void {
    const dueMs = this.#queue.nextDueMs;
    if (dueMs === this.#timer?.dueMs) return;
    this.#timer?.disposer.dispose();
    this.#timer = undefined;
    if (dueMs === undefined) return;
    const delayMs = Math.max(0, dueMs - this.#clock.monotonicMs());
    const disposer = this.#clock.deadline(delayMs, () => this.#ring());
    this.#timer = { dueMs, disposer };
  }

  #ring(): void {
    this.#timer = undefined;
    for (const { wake } of this.#queue.takeDue(this.#clock.monotonicMs())) wake();
    this.#arm();
  }

  #wakeForBreaker(): void {
    const waiters = this.#queue.takeWhere(({ forBreaker }) => forBreaker);
    for (const { wake } of waiters) wake();
    this.#arm();
  }

  #openError(retryAfterMs: number): StorageError {
    const details = { store: this.#what, operation: "any", key: "", retryAfterMs };
    const message = `${this.#what} failed too often; it is left alone for now`;
    return new StorageError("BOP_SINK_UNAVAILABLE", message, { details });
  }

  #closedError(): StorageError {
    const details = { what: "sink" };
    return new StorageError("BOP_CLOSED", `${this.#what} was closed`, { details });
  }
}

/** See (3). */
function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof StorageError)) return "abandoned";
  return error.retryable && error.code !== "BOP_SINK_CORRUPT" ? "failed" : "succeeded";
}

/** How long the service asks to be left alone; 0 if it does not. */
function askedMs(error: unknown): number {
  const known =
    isStorageError(error, "BOP_SINK_UNAVAILABLE") || isStorageError(error, "BOP_SINK_UNKNOWN");
  return known ? (error.details.retryAfterMs ?? 0) : 0;
}

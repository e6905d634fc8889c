/**
 * ONE SIMULATED PROCESS: its clock, its dice, its identity, and the moment it dies.
 *
 * (1) When it dies, every call and sleep under way is rejected with DeadProcessError, and so is
 *     every later one. Its timers never fire again.
 * (2) Turns of its event loop still come: code that runs on by itself finds out at its next call. Unless
 *     `endsTurns`: then what is left of it is promises that have settled.
 */
import type { Clock, Disposer, Env, ProcessIdentity } from "../../base/env.ts";
import type { Caller, Disk, Pending } from "./disk.ts";
import type { Event, Scheduler } from "./scheduler.ts";
import type { SeededRandom } from "./seeded.ts";
import { SimulatedStorage } from "./storage.ts";
import { DeadProcessError } from "./system-error.ts";

export interface ProcessOptions {
  readonly scheduler: Scheduler;
  readonly disk: Disk;
  readonly random: SeededRandom;
  readonly identity: ProcessIdentity;
  /** Milliseconds since 1970 at the beginning of simulated time. */
  readonly wallOffsetMs: () => number;
  /** See (2). */
  readonly endsTurns: boolean;
}

export class SimulatedProcess implements Caller {
  readonly env: Env;
  readonly #scheduler: Scheduler;
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #wallOffsetMs: () => number;
  readonly #endsTurns: boolean;
  #alive = true;

  constructor(options: ProcessOptions) {
    this.#scheduler = options.scheduler;
    this.#wallOffsetMs = options.wallOffsetMs;
    this.#endsTurns = options.endsTurns;
    this.env = {
      clock: this.#clock(),
      random: options.random,
      storage: new SimulatedStorage(this, options.disk),
      process: options.identity,
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  assertAlive(): void {
    if (!this.#alive) throw new DeadProcessError();
  }

  await(reject: (error: Error) => void): Pending {
    this.#waiting.add(reject);
    return { settle: () => this.#waiting.delete(reject) };
  }

  die(): void {
    this.#alive = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const reject of waiting) reject(new DeadProcessError());
  }

  #clock(): Clock {
    return {
      monotonicMs: () => this.#scheduler.readMs(),
      wallMs: () => Math.floor(this.#wallOffsetMs() + this.#scheduler.readMs()),
      sleep: (delayMs, signal) => this.#sleep(delayMs, signal),
      every: (periodMs, fn) => this.#every(periodMs, fn),
      after: (delayMs, fn) => this.#timer(delayMs, fn),
      deadline: (delayMs, fn) => this.#timer(delayMs, fn),
      turn: (fn) => {
        this.#scheduler.schedule(0, () => {
          if (this.#alive || !this.#endsTurns) fn();
        });
      },
    };
  }

  #sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.assertAlive();
      if (signal?.aborted) throw signal.reason;
      const pending = this.await(reject);
      const onAbort = () => {
        if (pending.settle()) reject(signal?.reason);
        event.cancelled = true;
      };
      const event = this.#scheduler.schedule(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        if (pending.settle()) resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #timer(delayMs: number, fn: () => void): Disposer {
    const event = this.#scheduler.schedule(delayMs, () => {
      if (this.#alive) fn();
    });
    return { dispose: () => cancel(event) };
  }

  #every(periodMs: number, fn: () => void): Disposer {
    let event: Event;
    const fire = () => {
      if (!this.#alive) return;
      event = this.#scheduler.schedule(periodMs, fire);
      fn();
    };
    event = this.#scheduler.schedule(periodMs, fire);
    return { dispose: () => cancel(event) };
  }
}

function cancel(event: Event): void {
  event.cancelled = true;
}

/**
 * WHO WAITS FOR WHICH GENERATION: watermarks of components, and those who wait for them to rise.
 *
 * (1) `manifest` is the generation that is durable. The others are what components said that they
 *     have done their part up to; they are rows of the table of watermarks.
 * (2) A watermark never falls.
 * (3) Whoever waits is let go once: when the watermark has come, when the time is over, when the
 *     signal aborts, or when the manifest is closed; and then nothing of the wait is left.
 */
import { assert } from "../../base/assert.ts";
import type { Clock, Disposer } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import type { WatermarkRow } from "../tables/watermarks.ts";

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

interface Waiter {
  readonly component: string;
  readonly generation: number;
  readonly settle: (error?: unknown) => void;
}

export class Generations {
  readonly #clock: Clock;
  readonly #marks = new Map<string, number>();
  readonly #waiters = new Set<Waiter>();
  #closed = false;

  constructor(clock: Clock, marks: readonly WatermarkRow[]) {
    this.#clock = clock;
    for (const { component, generation } of marks) this.#marks.set(component, generation);
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** 0 for a component that has said nothing yet. */
  of(component: string): number {
    return this.#marks.get(component) ?? 0;
  }

  all(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#marks);
  }

  reached(component: string, generation: number): void {
    assert(generation >= this.of(component), () => `the watermark of ${component} fell`);
    this.#marks.set(component, generation);
    for (const waiter of [...this.#waiters]) {
      if (waiter.component === component && waiter.generation <= generation) waiter.settle();
    }
  }

  /** Throws BOP_TIMEOUT, BOP_CLOSED, or the reason of the signal. */
  waitFor(component: string, generation: number, options: WaitOptions = {}): Promise<void> {
    const { timeoutMs, signal } = options;
    if (this.of(component) >= generation) return Promise.resolve();
    if (this.#closed) return Promise.reject(closed());
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      let deadline: Disposer | undefined;
      const onAbort = (): void => waiter.settle(signal?.reason);
      const settle = (error?: unknown): void => {
        if (!this.#waiters.delete(waiter)) return;
        deadline?.dispose();
        signal?.removeEventListener("abort", onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const waiter = { component, generation, settle };
      this.#waiters.add(waiter);
      signal?.addEventListener("abort", onAbort);
      if (timeoutMs === undefined) return;
      deadline = this.#clock.deadline(timeoutMs, () => {
        settle(late(`generation ${generation} of ${component}`, timeoutMs));
      });
    });
  }

  close(): void {
    this.#closed = true;
    for (const { settle } of [...this.#waiters]) settle(closed());
  }
}

function late(operation: string, timeoutMs: number): StorageError {
  return new StorageError("BOP_TIMEOUT", `${operation} did not come within ${timeoutMs} ms`, {
    details: { operation, timeoutMs },
  });
}

function closed(): StorageError {
  return new StorageError("BOP_CLOSED", "the manifest was closed", {
    details: { what: "manifest" },
  });
}

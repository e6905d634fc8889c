/**
 * ONE SIGNAL FOR ONE CALL, aborted by its caller, by the end of its time or by the end of the store,
 * whichever comes first; its reason says which.
 *
 * (1) Nothing is left on the caller's signal or on the clock when the call has ended: `dispose`.
 *     (AbortSignal.any leaves its sources holding what was made of them for as long as they live.)
 */
import type { Clock, Disposer } from "../base/env.ts";

export class TimeIsUp extends Error {
  override readonly name = "TimeIsUp";
}

export class CallSignal {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];
  readonly #onAbort: (event: Event) => void;
  #deadline: Disposer | undefined;

  constructor(sources: readonly (AbortSignal | undefined)[]) {
    this.#sources = sources.filter((source) => source !== undefined);
    this.#onAbort = ({ target }) => this.#controller.abort((target as AbortSignal).reason);
    for (const source of this.#sources) {
      if (source.aborted) this.#controller.abort(source.reason);
      source.addEventListener("abort", this.#onAbort, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on the call has this long; what it had before counts no more. */
  limit(clock: Clock, ms: number): void {
    this.#deadline?.dispose();
    this.#deadline = clock.deadline(ms, () => {
      this.#controller.abort(new TimeIsUp(`no answer within ${ms} ms`));
    });
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  dispose(): void {
    this.#deadline?.dispose();
    for (const source of this.#sources) source.removeEventListener("abort", this.#onAbort);
  }
}

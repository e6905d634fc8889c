/** HOW LONG COMPACTION WAITS FOR THE BUCKET, and how long it does without after that was in vain. */
import type { Clock } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";

const PATIENCE_MS = 10_000;
const REST_MS = 5 * 60_000;

export class Patience {
  readonly #clock: Clock;
  #restsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#clock.monotonicMs() < this.#restsUntilMs;
  }

  /** The bucket did not answer. */
  rest(): void {
    this.#restsUntilMs = this.#clock.monotonicMs() + REST_MS;
  }

  /** One compaction begins. To be ended. */
  begin(): { readonly signal: AbortSignal; end(): void } {
    const ending = new AbortController();
    const timer = this.#clock.after(PATIENCE_MS, () => ending.abort(tooLong()));
    return { signal: ending.signal, end: () => timer.dispose() };
  }
}

function tooLong(): StorageError<"BOP_TIMEOUT"> {
  const details = { operation: "compaction", timeoutMs: PATIENCE_MS };
  return new StorageError("BOP_TIMEOUT", "the bucket took too long", { details });
}

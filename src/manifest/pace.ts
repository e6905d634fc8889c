/**
 * LETS OTHERS RUN while something long is done in small steps on the one thread.
 *
 * (1) Between two steps at most SLICE_MS pass without the event loop getting a turn, plus what
 *     LOOK_EVERY steps take: the clock is not looked at for each.
 */
import type { Clock } from "../base/env.ts";

const SLICE_MS = 3;
const LOOK_EVERY = 16;

export class Pace {
  readonly #clock: Clock;
  #steps = 0;
  #sinceMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  /** Undefined if there is time left: awaiting that costs a turn of the microtasks and no more. */
  step(): Promise<void> | undefined {
    this.#steps += 1;
    return this.#steps % LOOK_EVERY === 0 ? this.look() : undefined;
  }

  /** The same behind a large step: the clock is looked at. */
  look(): Promise<void> | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs < SLICE_MS) return undefined;
    return new Promise((resolve) => {
      this.#clock.turn(() => {
        this.#sinceMs = this.#clock.monotonicMs();
        resolve();
      });
    });
  }
}

/**
 * AN ALARM: somebody sleeps until a time, or until it is rung. One timer, and none while nobody
 * sleeps.
 *
 * (1) Rung while nobody sleeps, it ends the next sleep at once: nothing is missed between a look and
 *     the sleep that follows it.
 */
import type { Clock, Disposer } from "../../base/env.ts";

export class Alarm {
  readonly #clock: Clock;
  #isRung = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /** Never rejects: an aborted signal ends it. */
  async sleep(untilMs: number | undefined, signal: AbortSignal): Promise<void> {
    let timer: Disposer | undefined;
    let wake = (): void => undefined;
    if (!this.#isRung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        wake = () => resolve();
        this.#wake = wake;
        signal.addEventListener("abort", wake, { once: true });
        if (untilMs === undefined) return;
        timer = this.#clock.after(Math.max(0, untilMs - this.#clock.monotonicMs()), wake);
      });
    }
    timer?.dispose();
    signal.removeEventListener("abort", wake);
    this.#wake = undefined;
    this.#isRung = false;
  }
}

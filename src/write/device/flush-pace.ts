/**
 * HOW LONG THE DEVICE TAKES TO FLUSH, as far as can be told from within one thread.
 *
 * (1) A flush within a call is timed exactly: the estimate follows their average.
 * (2) One through the pool is heard of when the event loop comes round to it, perhaps long after.
 *     So only the quickest of a run of them says something about the device.
 */

/** How much of the newest flush within a call goes into the average. */
const AVERAGE_SHARE = 0.2;
/** Flushes through the pool of which the quickest counts. */
const RUN_COUNT = 32;

export class FlushPace {
  #ms: number | undefined;
  #quickestMs = Number.POSITIVE_INFINITY;
  #count = 0;

  /** The estimate; undefined before the first flush. */
  get ms(): number | undefined {
    return this.#ms;
  }

  withinCall(tookMs: number): void {
    this.#ms = this.#ms === undefined ? tookMs : this.#ms + (tookMs - this.#ms) * AVERAGE_SHARE;
  }

  throughPool(tookMs: number): void {
    this.#ms ??= tookMs;
    this.#quickestMs = Math.min(this.#quickestMs, tookMs);
    this.#count += 1;
    if (this.#count < RUN_COUNT) return;
    this.#ms = this.#quickestMs;
    this.#quickestMs = Number.POSITIVE_INFINITY;
    this.#count = 0;
  }
}

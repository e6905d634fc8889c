/**
 * NO FASTER THAN A RATE: when the next piece may be read. Pure.
 *
 * (1) What was begun in any stretch of time is at most the rate times that stretch, and one piece.
 * (2) Time in which nothing was read is not saved up: a pause is followed by no burst.
 */
export class Pace {
  readonly #bytesPerMs: number;
  #freeAtMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** How long the reader of these bytes has to wait, in milliseconds. */
  take(bytes: number, nowMs: number): number {
    const startMs = Math.max(nowMs, this.#freeAtMs);
    this.#freeAtMs = startMs + bytes / this.#bytesPerMs;
    return startMs - nowMs;
  }
}

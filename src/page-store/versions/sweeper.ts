/**
 * THE SWEEPER drops versions that nobody needs any more from whole overlays: after a checkpoint, and
 * when the last snapshot of an older page map is gone. It works a little in each turn of the event
 * loop, for an overlay can be large.
 *
 * (1) What it has not come to yet is only memory: nobody sees it.
 * (2) A database that is asked for again while it is being swept is swept again from the beginning.
 */
import type { Clock } from "../../base/env.ts";

export interface Sweepable {
  /** Visits up to `pages` more pages. */
  sweep(progress: SweepProgress, pages: number): void;
}

/** How far a sweep is. */
export interface SweepProgress {
  rest: IterableIterator<number> | undefined;
  done: boolean;
}

/** Between looks at the clock. */
const PAGES_PER_STEP = 128;
const TURN_MS = 2;

export class Sweeper {
  readonly #clock: Clock;
  readonly #waiting = new Map<Sweepable, SweepProgress>();
  readonly #idle: (() => void)[] = [];
  #scheduled = false;
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  request(database: Sweepable): void {
    if (this.#stopped) return;
    this.#waiting.set(database, { rest: undefined, done: false });
    this.#schedule();
  }

  /** Resolves when nothing is left to sweep. */
  idle(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.clear();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.size === 0) return;
    this.#scheduled = true;
    this.#clock.turn(() => {
      this.#scheduled = false;
      this.#work();
    });
  }

  #work(): void {
    const endMs = this.#clock.monotonicMs() + TURN_MS;
    for (const [database, progress] of this.#waiting) {
      while (!progress.done && this.#clock.monotonicMs() < endMs) {
        database.sweep(progress, PAGES_PER_STEP);
      }
      if (!progress.done) break;
      this.#waiting.delete(database);
    }
    this.#schedule();
    if (this.#waiting.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

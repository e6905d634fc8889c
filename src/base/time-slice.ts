/**
 * A SLICE OF TIME for long work on the one thread: whoever does it asks between two steps whether to
 * step aside, and the event loop gets a turn every few milliseconds.
 *
 * (1) Between two turns at most SLICE_MS pass, plus what one step takes; with `step`, what LOOK_EVERY
 *     of them take, since the clock is not looked at for each.
 * (2) Nothing is promised about what was true before: behind a turn the others have had theirs.
 */
import type { Clock } from "./env.ts";
import { nextTurn } from "./next-turn.ts";

const SLICE_MS = 3;
const LOOK_EVERY = 16;

export type SliceClock = Pick<Clock, "monotonicMs" | "turn">;

export class TimeSlice {
  readonly #clock: SliceClock;
  #steps = 0;
  #beganMs: number;

  constructor(clock: SliceClock) {
    this.#clock = clock;
    this.#beganMs = clock.monotonicMs();
  }

  get isOver(): boolean {
    return this.#clock.monotonicMs() - this.#beganMs >= SLICE_MS;
  }

  /** Undefined if there is time left: awaiting that costs a turn of the microtasks and no more. */
  pause(): Promise<void> | undefined {
    return this.isOver ? this.next() : undefined;
  }

  /** As `pause`, behind steps so short that looking at the clock each time would take as long. */
  step(): Promise<void> | undefined {
    this.#steps += 1;
    return this.#steps % LOOK_EVERY === 0 ? this.pause() : undefined;
  }

  /** Steps aside, and begins the next slice. */
  async next(): Promise<void> {
    await nextTurn(this.#clock);
    this.#beganMs = this.#clock.monotonicMs();
  }
}

/**
 * SLICES OF WORK: long work on the event loop's own thread steps aside every few milliseconds, and
 * looks up whether it is still wanted.
 */
import type { Clock } from "../base/env.ts";
import { StorageError } from "../base/errors.ts";

const SLICE_MS = 3;

export class Slices {
  readonly #clock: Clock;
  readonly #isClosing: () => boolean;
  #beganAtMs: number;

  constructor(clock: Clock, isClosing: () => boolean) {
    this.#clock = clock;
    this.#isClosing = isClosing;
    this.#beganAtMs = clock.monotonicMs();
  }

  /** Undefined while the slice lasts; else to be awaited. Rejects with BOP_CLOSED. */
  pause(): Promise<void> | undefined {
    if (this.#clock.monotonicMs() - this.#beganAtMs < SLICE_MS) return undefined;
    return this.next();
  }

  /** Steps aside for a turn of the event loop. Rejects with BOP_CLOSED. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.turn(resolve));
    this.check();
    this.#beganAtMs = this.#clock.monotonicMs();
  }

  check(): void {
    if (!this.#isClosing()) return;
    throw new StorageError("BOP_CLOSED", "the page store was closed", {
      details: { what: "page store" },
    });
  }
}

/**
 * SLICES OF WORK: long work on the event loop's own thread steps aside every few milliseconds, and
 * looks up whether it is still wanted.
 *
 *   slice ──► everybody else's turn ──► slice ──► …
 *             └ how long that took says how busy the others are
 *
 * (1) While others have work (commits, reads, the program's own), a slice is `SLICE_MS`: whoever
 *     comes in the middle of one waits no longer than that. Each turn in which nobody else did
 *     anything makes the next slice longer by half, up to `SLICE_MS_MAX`, since nobody is in the way;
 *     the first one in which somebody did makes it short again.
 * (2) What stepping aside costs is a turn of the event loop, for itself and for all others: hence
 *     longer slices rather than more of them where nobody waits.
 */
import type { Clock } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { nextTurn } from "../../base/next-turn.ts";

const SLICE_MS = 2;
const SLICE_MS_MAX = 8;
/** A turn of the event loop with nothing in it takes some hundredths of it. */
const IDLE_TURN_MS = 0.2;

export class Slices {
  readonly #clock: Clock;
  readonly #isClosing: () => boolean;
  #beganAtMs: number;
  #sliceMs = SLICE_MS;

  constructor(clock: Clock, isClosing: () => boolean) {
    this.#clock = clock;
    this.#isClosing = isClosing;
    this.#beganAtMs = clock.monotonicMs();
  }

  /** Undefined while the slice lasts; else to be awaited. Rejects with BOP_CLOSED. */
  pause(): Promise<void> | undefined {
    if (this.#clock.monotonicMs() - this.#beganAtMs < this.#sliceMs) return undefined;
    return this.next();
  }

  /** As `pause`, for what must be brought to its end though nobody wants it: never rejects. */
  aside(): Promise<void> | undefined {
    if (this.#clock.monotonicMs() - this.#beganAtMs < this.#sliceMs) return undefined;
    return this.#stepAside();
  }

  /** Steps aside for a turn of the event loop. Rejects with BOP_CLOSED. */
  async next(): Promise<void> {
    await this.#stepAside();
    this.check();
  }

  check(): void {
    if (!this.#isClosing()) return;
    throw new StorageError("BOP_CLOSED", "the page store was closed", {
      details: { what: "page store" },
    });
  }

  async #stepAside(): Promise<void> {
    const leftAtMs = this.#clock.monotonicMs();
    await nextTurn(this.#clock);
    this.#beganAtMs = this.#clock.monotonicMs();
    this.#sliceMs = sliceAfter(this.#sliceMs, this.#beganAtMs - leftAtMs);
  }
}

/** See (1): `othersMs` is what the turn took that the work stepped aside for. */
export function sliceAfter(sliceMs: number, othersMs: number): number {
  return othersMs > IDLE_TURN_MS ? SLICE_MS : Math.min(SLICE_MS_MAX, sliceMs * 1.5);
}

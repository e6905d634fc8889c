/**
 * WHEN TO PROVE THE LAST BATCH: some time after the last acknowledgement, if nothing was written
 * since. An empty batch behind it shows that it was complete.
 *
 * (1) One timer, set again when it fires too soon, since a flush must cost no timer.
 */
import type { Clock, Disposer } from "../base/env.ts";

export interface IdleProofOptions {
  readonly clock: Clock;
  readonly idleMs: number;
  /** Begins the proof; false if it cannot be begun now. */
  readonly prove: () => boolean;
}

export class IdleProof {
  readonly #options: IdleProofOptions;
  #timer: Disposer | undefined;
  #acknowledgedAtMs = 0;

  constructor(options: IdleProofOptions) {
    this.#options = options;
  }

  /** The last batch has no proof yet. */
  get isDue(): boolean {
    return this.#timer !== undefined;
  }

  acknowledged(): void {
    const { clock, idleMs } = this.#options;
    this.#acknowledgedAtMs = clock.monotonicMs();
    this.#timer ??= clock.after(idleMs, () => this.#fire());
  }

  /** Without forgetting whether one is due. */
  stop(): void {
    this.#timer?.dispose();
  }

  #fire(): void {
    const { clock, idleMs, prove } = this.#options;
    this.#timer = undefined;
    const restMs = this.#acknowledgedAtMs + idleMs - clock.monotonicMs();
    if (restMs <= 0 && prove()) return;
    this.#timer = clock.after(restMs > 0 ? restMs : idleMs, () => this.#fire());
  }
}

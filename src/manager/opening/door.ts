/**
 * THE DOOR: changes of the catalogue wait here while the log takes nothing new, as transactions wait
 * in the queue of their database (writer.ts).
 *
 * (1) Whoever finds the log open, and nobody before him, waits for nothing, not even a turn of the
 *     promises.
 * (2) Those who wait go in in the order in which they came.
 * (3) Whoever has waited for `admissionTimeoutMs` is refused with what the log said last, and nothing
 *     was done. A store that closes, or fails, refuses at once.
 */
import type { Clock } from "../../base/env.ts";
import { isStorageError } from "../../base/errors.ts";

export interface DoorOptions {
  readonly clock: Clock;
  /** Throws BOP_BACKPRESSURE while there is no room, and what is worse if there will be none. */
  readonly admit: () => void;
  readonly admissionTimeoutMs: number;
}

export class Door {
  readonly #options: DoorOptions;
  /** Settles when the last of those who wait has gone. */
  #last: Promise<void> | undefined;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** Undefined: go in. Else go in when it resolves. Throws, or rejects, as (3) says. */
  enter(): Promise<void> | undefined {
    const sinceMs = this.#options.clock.monotonicMs();
    if (this.#last === undefined) {
      const pauseMs = this.#try(sinceMs);
      if (pauseMs === undefined) return undefined;
    }
    const entered = (this.#last ?? Promise.resolve()).then(() => this.#wait(sinceMs));
    const gone = entered.catch(() => undefined); // He hears of it; those behind only wait.
    this.#last = gone;
    void gone.then(() => {
      if (this.#last === gone) this.#last = undefined;
    });
    return entered;
  }

  async #wait(sinceMs: number): Promise<void> {
    while (true) {
      const pauseMs = this.#try(sinceMs);
      if (pauseMs === undefined) return;
      await new Promise<void>((resolve) => {
        this.#options.clock.deadline(pauseMs, resolve);
      });
    }
  }

  /** How long to wait before the next look; undefined to go in. See (3). */
  #try(sinceMs: number): number | undefined {
    const { clock, admit, admissionTimeoutMs } = this.#options;
    try {
      admit();
      return undefined;
    } catch (error) {
      const waitedMs = clock.monotonicMs() - sinceMs;
      if (!isStorageError(error, "BOP_BACKPRESSURE") || waitedMs >= admissionTimeoutMs) throw error;
      return error.details.retryAfterMs;
    }
  }
}

/** WHO WAITS FOR THE LOG IN THE BUCKET to come so far. A promise is settled once. */
import type { Lsn } from "../../base/units.ts";

interface Waiter {
  readonly lsn: Lsn;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class ShippedWaiters {
  readonly #waiting = new Set<Waiter>();

  /** Rejects with the signal's reason when it is aborted. */
  wait(lsn: Lsn, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const aborted = (): void => this.#settle(waiter, () => reject(signal.reason));
      const settled = (settle: () => void): void => {
        signal.removeEventListener("abort", aborted);
        settle();
      };
      const waiter: Waiter = {
        lsn,
        resolve: () => settled(resolve),
        reject: (error) => settled(() => reject(error)),
      };
      signal.addEventListener("abort", aborted, { once: true });
      this.#waiting.add(waiter);
    });
  }

  resolveUpTo(lsn: Lsn): void {
    for (const waiter of this.#waiting) {
      if (waiter.lsn <= lsn) this.#settle(waiter, waiter.resolve);
    }
  }

  rejectAll(error: unknown): void {
    for (const waiter of this.#waiting) this.#settle(waiter, () => waiter.reject(error));
  }

  #settle(waiter: Waiter, settle: () => void): void {
    this.#waiting.delete(waiter);
    settle();
  }
}

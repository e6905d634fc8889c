/**
 * WHO WAITS FOR THE LOG: promises by LSN, listeners by order of subscription.
 *
 * (1) A promise is settled once, in order of LSN.
 * (2) Who subscribes or leaves while listeners are told is heard from the next time on.
 */
import type { Disposer } from "../base/env.ts";
import type { Lsn } from "../base/units.ts";

interface Waiter {
  readonly lsn: Lsn;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Waiters {
  /** In ascending order of LSN; those before `#head` are settled. */
  #waiting: Waiter[] = [];
  #head = 0;

  wait(lsn: Lsn): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = { lsn, resolve, reject };
      let at = this.#waiting.length;
      while (at > this.#head && (this.#waiting[at - 1]?.lsn ?? 0) > lsn) at -= 1;
      if (at === this.#waiting.length) this.#waiting.push(waiter);
      else this.#waiting.splice(at, 0, waiter);
    });
  }

  resolveUpTo(lsn: Lsn): void {
    let waiter = this.#waiting[this.#head];
    while (waiter !== undefined && waiter.lsn <= lsn) {
      this.#head += 1;
      waiter.resolve();
      waiter = this.#waiting[this.#head];
    }
    if (waiter !== undefined && this.#head < 1024) return;
    this.#waiting = this.#waiting.slice(this.#head);
    this.#head = 0;
  }

  rejectAll(errorFor: (lsn: Lsn) => unknown): void {
    const waiting = this.#waiting.slice(this.#head);
    this.#waiting = [];
    this.#head = 0;
    for (const waiter of waiting) waiter.reject(errorFor(waiter.lsn));
  }
}

export class Listeners<T> {
  #listeners: readonly ((value: T) => void)[] = [];

  add(listener: (value: T) => void): Disposer {
    const entry = (value: T) => listener(value);
    this.#listeners = [...this.#listeners, entry];
    return {
      dispose: () => {
        this.#listeners = this.#listeners.filter((other) => other !== entry);
      },
    };
  }

  tell(value: T): void {
    for (const listener of this.#listeners) listener(value);
  }
}

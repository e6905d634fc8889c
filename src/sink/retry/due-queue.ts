/**
 * WHO IS TO BE WOKEN, AND WHEN: one bounded queue, so that one timer is enough for all who wait.
 *
 * (1) Those who are due come out in the order of their times; of one time, in the order of arrival.
 * (2) It never holds more than `max`: whoever comes then is told so and does not wait.
 */

export interface Entry<T> {
  readonly item: T;
  readonly dueMs: number;
}

export class DueQueue<T> {
  readonly #max: number;
  /** By time, then by arrival. */
  #entries: Entry<T>[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** When the timer is to ring; undefined if nobody waits. */
  get nextDueMs(): number | undefined {
    return this.#entries[0]?.dueMs;
  }

  /** Undefined if it is full. */
  add(item: T, dueMs: number): Entry<T> | undefined {
    if (this.#entries.length >= this.#max) return undefined;
    const entry = { item, dueMs };
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as Entry<T>).dueMs <= dueMs) low = middle + 1;
      else high = middle;
    }
    this.#entries.splice(low, 0, entry);
    return entry;
  }

  /** False if it is out already. */
  remove(entry: Entry<T>): boolean {
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
    return at >= 0;
  }

  takeDue(nowMs: number): T[] {
    const due = this.#entries.findIndex(({ dueMs }) => dueMs > nowMs);
    return this.#entries.splice(0, due < 0 ? this.#entries.length : due).map(({ item }) => item);
  }

  takeWhere(wanted: (item: T) => boolean): T[] {
    const taken = this.#entries.filter(({ item }) => wanted(item));
    this.#entries = this.#entries.filter(({ item }) => !wanted(item));
    return taken.map(({ item }) => item);
  }

  takeAll(): T[] {
    return this.takeDue(Number.POSITIVE_INFINITY);
  }
}

/** A first-in, first-out queue without the cost of Array.shift, and with a place at the front. */
import type { Work } from "./work.ts";

/** Settled entries are cut off in runs of this length. */
const TRIM_COUNT = 1024;

export class WorkQueue {
  #entries: (Work | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  push(work: Work): void {
    this.#entries.push(work);
  }

  peek(): Work | undefined {
    return this.#entries[this.#head];
  }

  shift(): Work | undefined {
    const work = this.#entries[this.#head];
    if (work === undefined) return undefined;
    this.#entries[this.#head] = undefined;
    this.#head++;
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    } else if (this.#head >= TRIM_COUNT) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return work;
  }

  /** Puts what was taken out back to the front, in that order. */
  unshift(works: readonly Work[]): void {
    if (works.length === 0) return;
    this.#entries = [...works, ...this.#entries.slice(this.#head)];
    this.#head = 0;
  }

  /** All of it, in order; the queue stays as it is meanwhile. */
  *waiting(): Generator<Work> {
    for (let at = this.#head; at < this.#entries.length; at += 1) {
      const work = this.#entries[at];
      if (work !== undefined) yield work;
    }
  }

  find(wanted: (work: Work) => boolean): Work | undefined {
    for (const work of this.waiting()) if (wanted(work)) return work;
    return undefined;
  }

  /** Takes one out, wherever it stands. */
  remove(work: Work): void {
    this.#entries = this.#entries.slice(this.#head).filter((entry) => entry !== work);
    this.#head = 0;
  }

  /** Takes everything out. */
  drain(): Work[] {
    const all = this.#entries.slice(this.#head) as Work[];
    this.#entries = [];
    this.#head = 0;
    return all;
  }
}

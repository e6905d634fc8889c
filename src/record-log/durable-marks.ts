/**
 * HOW FAR A LOG IS DURABLE: which commit made which entry, until that commit is durable. Nobody is
 * told of a flush: whoever asks compares with the store's durable LSN.
 *
 * (1) Marks stand in order of LSN, and of index. Every entry at or below `durableIndex` is durable,
 *     or there is none of it any more.
 * (2) A log that was opened has marks too, one of its checkpoint and one of each commit that recovery
 *     read: what this machine has kept, the sink need not have.
 */
import type { Lsn } from "../base/units.ts";

interface Mark {
  readonly lsn: Lsn;
  lastIndex: bigint;
}

export class DurableMarks {
  #marks: Mark[] = [];
  #head = 0;
  /** Undefined: no entry and no boundary is durable. */
  #durable: bigint | undefined;

  append(lsn: Lsn, lastIndex: bigint, durableLsn: Lsn): void {
    this.durable(durableLsn);
    this.#marks.push({ lsn, lastIndex });
  }

  durable(durableLsn: Lsn): bigint | undefined {
    let mark = this.#marks[this.#head];
    if (mark === undefined || mark.lsn > durableLsn) return this.#durable;
    while (mark !== undefined && mark.lsn <= durableLsn) {
      this.#durable = mark.lastIndex;
      this.#head += 1;
      mark = this.#marks[this.#head];
    }
    if (mark === undefined || this.#head > 256) {
      this.#marks = this.#marks.slice(this.#head);
      this.#head = 0;
    }
    return this.#durable;
  }

  /** The same at another LSN, above which nothing will ever be durable; it becomes so for nobody. */
  durableAt(lsn: Lsn): bigint | undefined {
    let durable = this.#durable;
    for (let at = this.#head; at < this.#marks.length; at++) {
      const mark = this.#marks[at];
      if (mark === undefined || mark.lsn > lsn) break;
      durable = mark.lastIndex;
    }
    return durable;
  }

  /** LSN of the commit that makes an entry durable; undefined if it is. */
  lsnOf(index: bigint, durableLsn: Lsn): Lsn | undefined {
    const durable = this.durable(durableLsn);
    if (durable !== undefined && index <= durable) return undefined;
    for (let at = this.#head; at < this.#marks.length; at++) {
      const mark = this.#marks[at];
      if (mark !== undefined && mark.lastIndex >= index) return mark.lsn;
    }
    return undefined;
  }

  /** Nothing behind this index is there any more; undefined: nothing at all. */
  truncate(last: bigint | undefined): void {
    if (last === undefined) {
      this.#durable = undefined;
      this.#marks = [];
      this.#head = 0;
      return;
    }
    if (this.#durable !== undefined && this.#durable > last) this.#durable = last;
    let end = this.#marks.length;
    while (end > this.#head && (this.#marks[end - 1]?.lastIndex ?? last) > last) end--;
    const lowered = this.#marks[end];
    if (lowered === undefined) return;
    // Those behind it would say the same.
    lowered.lastIndex = last;
    this.#marks.length = end + 1;
  }
}

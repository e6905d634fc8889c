/**
 * ONE LOOP OVER THE CHANGES, by a named cursor.
 *
 * (1) A loop yields each change once, in order, without a gap, from the one behind the cursor's
 *     acknowledgement on. What was yielded and not acknowledged is yielded again to the next loop.
 * (2) A loop that has read everything waits. It holds no transaction then, nor between two changes.
 * (3) It ends with BOP_CURSOR_EVICTED as soon as its cursor is, though it might have gone on a while:
 *     what it acknowledges has no effect any more.
 */
import { Turns } from "../../base/turns.ts";
import { type ChangeLog, type ChangeRecord, evictedError } from "../../manifest/index.ts";
import { type Change, changeOf } from "./change.ts";

/** Changes read from the manifest at once. */
const PAGE_CHANGES = 256;

export interface ChangeReaderOptions {
  readonly cursor: string;
  readonly changeLog: ChangeLog;
  readonly signal: AbortSignal | undefined;
  /** Makes the cursor, or finds it; returns the sequence behind which it begins. */
  readonly begin: () => Promise<number>;
  /** Throws once the store is closed. */
  readonly assertOpen: () => void;
  readonly acknowledge: (sequence: number) => Promise<void>;
  /** The cursor is free again. Called once. */
  readonly end: () => void;
}

export class ChangeReader implements AsyncIterableIterator<Change> {
  readonly #options: ChangeReaderOptions;
  #after: number | undefined;
  #page: readonly ChangeRecord[] = [];
  #at = 0;
  readonly #turns = new Turns();
  #isDone = false;
  #wake: (() => void) | undefined;

  constructor(options: ChangeReaderOptions) {
    this.#options = options;
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** One at a time: calls that come meanwhile get the changes behind. */
  next(): Promise<IteratorResult<Change, undefined>> {
    return this.#turns.run(() => this.#next());
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#finish();
    await this.#turns.ended();
    return { done: true, value: undefined };
  }

  /** The store is closing: whoever waits is told. */
  wake(): void {
    this.#wake?.();
  }

  async #next(): Promise<IteratorResult<Change, undefined>> {
    try {
      const record = await this.#nextRecord();
      if (record === undefined) return { done: true, value: undefined };
      const { acknowledge } = this.#options;
      const value = changeOf(record, () => acknowledge(record.sequence));
      return { done: false, value };
    } catch (error) {
      this.#finish();
      throw error;
    }
  }

  /** Undefined if the loop was ended. */
  async #nextRecord(): Promise<ChangeRecord | undefined> {
    const { begin, changeLog } = this.#options;
    if (!this.#goesOn()) return undefined;
    this.#after ??= await begin();
    while (this.#goesOn()) {
      this.#assertKept();
      if (this.#at === this.#page.length) {
        this.#page = changeLog.read(this.#after, PAGE_CHANGES);
        this.#at = 0;
      }
      const record = this.#page[this.#at];
      if (record !== undefined) {
        this.#at += 1;
        this.#after = record.sequence;
        return record;
      }
      await this.#change();
    }
    return undefined;
  }

  /** False once the loop was ended; throws once it cannot go on. */
  #goesOn(): boolean {
    if (this.#isDone) return false;
    const { signal, assertOpen } = this.#options;
    signal?.throwIfAborted();
    assertOpen();
    return true;
  }

  /** See (3). */
  #assertKept(): void {
    const { cursor, changeLog } = this.#options;
    const row = changeLog.cursors.get(cursor);
    if (row?.state === "evicted") throw evictedError(row, changeLog.state);
  }

  /** Resolves when there may be something new, or an end. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#options.changeLog.onChange(() => this.#wake?.());
      this.#wake = () => {
        this.#wake = undefined;
        stop();
        resolve();
      };
    });
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#options.end();
    this.#wake?.();
  }

  readonly #onAbort = (): void => this.#wake?.();
}

/**
 * THE RUN QUEUE: which databases have writers that want to run, and when the log is asked to write.
 *
 * (1) Writers run in turns of the event loop: all that is ready, then one request to write, so that
 *     callers who came together share a flush, whichever databases they wrote to.
 * (2) A turn is bounded in time; what is left runs in the next one, behind other events.
 * (3) When nothing is left to run, the log may flush within the turn instead of beside it: see
 *     docs/decisions/0003-inline-flush.md.
 */
import type { Clock } from "../../base/env.ts";
import type { OpenDatabase } from "./open-database.ts";

/** Time of one turn. Longer turns share more and answer later. */
const TURN_MS_MAX = 5;
/** Promises between a flush and the next append of who waited for it: his own functions. */
const CALLBACKS_DEEP = 4;
/** Promises behind a flush within which one that appends is taken for one who waited for it. */
const FRESH_CALLBACKS = 10;

export class RunQueue {
  readonly #clock: Clock;
  readonly #kick: (options: { inline: boolean }) => void;
  readonly #ready = new Set<OpenDatabase>();
  #scheduled = false;
  #stopped = false;
  /** A request to write is on its way within this turn. */
  #within = false;
  /** Callers whose work ran before the last flush was asked for. */
  #ranCount = 0;
  /** A flush within this turn has just woken who waited for it. */
  #isFresh = false;
  #freshCount = 0;
  #turnedMs = Number.NEGATIVE_INFINITY;
  /** Transactions that have a writer now, and do not wait for a flush. */
  #holds = 0;

  constructor(clock: Clock, kick: (options: { inline: boolean }) => void) {
    this.#clock = clock;
    this.#kick = kick;
  }

  /**
   * The writer of the database has work. It runs in the next turn; behind the promise callbacks that
   * are ready now if it is the work of one who was alone with his last, and was woken by its flush:
   * nobody is there to share with. See `kickWithin`.
   */
  add(database: OpenDatabase): void {
    this.#ready.add(database);
    if (this.#ranCount > 1) this.#arm();
    else this.kickWithin();
  }

  /**
   * As `add`, for work that waited while a transaction had the writer: it runs behind the promise
   * callbacks that are ready now, so that transactions in a row share the turn, and with it the
   * flush, unless the turn has lasted long enough.
   */
  follow(database: OpenDatabase): void {
    this.#ready.add(database);
    this.#arm();
    if (this.#stopped || this.#clock.monotonicMs() - this.#turnedMs > TURN_MS_MAX) return;
    queueMicrotask(() => {
      if (this.#ready.delete(database)) database.writer.run();
    });
  }

  /** Somebody waits for what was committed outside of a writer's run. */
  kickSoon(): void {
    this.#arm();
  }

  /**
   * As `kickSoon`, for one whose answer lets him go on at once, again and again: behind the promise
   * callbacks that are ready now, without waiting for the event loop. It has its turn all the same:
   * when it had none for a while, this one waits for it. So does one that was not woken by a flush:
   * he may be the first of many whom the network brings in one turn, and who are to share.
   */
  kickWithin(): void {
    if (this.#scheduled || this.#within || this.#stopped) return;
    if (!this.#isFresh || this.#clock.monotonicMs() - this.#turnedMs > TURN_MS_MAX) {
      this.#arm();
      return;
    }
    this.#within = true;
    void this.#afterCallbacks();
  }

  /** A transaction with a writer goes on, or it waits or has ended: while one goes on, there is more. */
  countHold(change: 1 | -1): void {
    this.#holds += change;
  }

  stop(): void {
    this.#stopped = true;
    this.#ready.clear();
  }

  /** Who was woken by the flush before may be some promises away from asking for this one. */
  async #afterCallbacks(): Promise<void> {
    for (let n = 0; n < CALLBACKS_DEEP; n++) await undefined;
    this.#within = false;
    if (this.#ready.size > 0) this.#runReady(this.#turnedMs + TURN_MS_MAX);
    else this.#ask();
  }

  /** Asks the log to write what was sealed. */
  #ask(): void {
    this.#kick({ inline: this.#ready.size === 0 && this.#holds === 0 });
    void this.#stayFresh();
  }

  async #stayFresh(): Promise<void> {
    this.#freshCount += 1;
    const mine = this.#freshCount;
    this.#isFresh = true;
    for (let n = 0; n < FRESH_CALLBACKS; n++) await undefined;
    if (mine === this.#freshCount) this.#isFresh = false;
  }

  #arm(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#clock.turn(() => {
      this.#scheduled = false;
      this.#run();
    });
  }

  #run(): void {
    this.#turnedMs = this.#clock.monotonicMs();
    this.#runReady(this.#turnedMs + TURN_MS_MAX);
  }

  #runReady(endMs: number): void {
    let count = 0;
    for (const database of this.#ready) {
      this.#ready.delete(database);
      count += database.writer.run();
      if (this.#clock.monotonicMs() > endMs) break;
    }
    this.#ranCount = count;
    if (this.#ready.size > 0) this.#arm();
    this.#ask();
  }
}

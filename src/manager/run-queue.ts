/**
 * THE RUN QUEUE: which databases have writers that want to run, and when the log is asked to write.
 *
 * (1) Writers run in turns of the event loop: all that is ready, then one request to write, so that
 *     callers who came together share a flush, whichever databases they wrote to.
 * (2) A turn is bounded in time; what is left runs in the next one, behind other events.
 * (3) When nothing is left to run, the log may flush within the turn instead of beside it: see
 *     docs/decisions/0003-inline-flush.md.
 */
import type { Clock } from "../base/env.ts";
import type { OpenDatabase } from "./open-database.ts";

/** Time of one turn. Longer turns share more and answer later. */
const TURN_MS_MAX = 5;

export class RunQueue {
  readonly #clock: Clock;
  readonly #kick: (options: { inline: boolean }) => void;
  readonly #ready = new Set<OpenDatabase>();
  #scheduled = false;
  #stopped = false;
  /** Transactions that have a writer now. */
  #holds = 0;

  constructor(clock: Clock, kick: (options: { inline: boolean }) => void) {
    this.#clock = clock;
    this.#kick = kick;
  }

  add(database: OpenDatabase): void {
    this.#ready.add(database);
    this.#arm();
  }

  /** Somebody waits for what was committed outside of a writer's run. */
  kickSoon(): void {
    this.#arm();
  }

  /** A transaction has a writer, or has given it back: while one has, there is more to run. */
  countHold(change: 1 | -1): void {
    this.#holds += change;
  }

  stop(): void {
    this.#stopped = true;
    this.#ready.clear();
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
    const endMs = this.#clock.monotonicMs() + TURN_MS_MAX;
    for (const database of this.#ready) {
      this.#ready.delete(database);
      database.writer.run();
      if (this.#clock.monotonicMs() > endMs) break;
    }
    if (this.#ready.size > 0) this.#arm();
    this.#kick({ inline: this.#ready.size === 0 && this.#holds === 0 });
  }
}

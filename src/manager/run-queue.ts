/**
 * THE RUN QUEUE: which databases have writers that want to run, and when the log is asked to write.
 *
 * (1) Writers run in turns of the event loop: all that is ready, then one request to write, so that
 *     callers who came together share a flush, whichever databases they wrote to.
 * (2) A turn is bounded in time; what is left runs in the next one, behind other events.
 */
import type { Clock } from "../base/env.ts";
import type { OpenDatabase } from "./open-database.ts";

/** Time of one turn. Longer turns share more and answer later. */
const TURN_MS_MAX = 5;

export class RunQueue {
  readonly #clock: Clock;
  readonly #kick: (options: { lone: boolean }) => void;
  readonly #ready = new Set<OpenDatabase>();
  #scheduled = false;
  #stopped = false;
  /** Callers that asked for a write in this turn, besides those of the writers. */
  #asked = 0;

  constructor(clock: Clock, kick: (options: { lone: boolean }) => void) {
    this.#clock = clock;
    this.#kick = kick;
  }

  add(database: OpenDatabase): void {
    this.#ready.add(database);
    this.#arm();
  }

  /** Somebody waits for what was committed outside of a writer's run. */
  kickSoon(): void {
    this.#asked++;
    this.#arm();
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
    let waiting = this.#asked;
    this.#asked = 0;
    for (const database of this.#ready) {
      this.#ready.delete(database);
      waiting += database.writer.run();
      if (this.#clock.monotonicMs() > endMs) break;
    }
    if (this.#ready.size > 0) this.#arm();
    this.#kick({ lone: waiting === 1 && this.#ready.size === 0 });
  }
}

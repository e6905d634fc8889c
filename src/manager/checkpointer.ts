/**
 * WHEN TO CHECKPOINT: by log bytes, by memory of changed pages, or because somebody asks.
 *
 * (1) One runs at a time; who asks while one runs gets the one after it, since the running one may
 *     have begun before what the asker wants to see in it.
 * (2) A checkpoint that fails leaves everything as it was. The next is tried when the triggers say
 *     so again, but not before a pause, so that a full disk is not hammered.
 * (3) Pages that open readers see stay in memory through a checkpoint. They start no other one, for
 *     it could not let them go either: only what is added to them counts.
 */
import type { Clock, Disposer } from "../base/env.ts";
import { bytesBetween, type Lsn } from "../base/units.ts";

const PAUSE_AFTER_FAILURE_MS = 1000;

export interface CheckpointerOptions {
  readonly clock: Clock;
  readonly checkpointLogBytes: number;
  readonly overlayBytes: number;
  readonly newestLsn: () => Lsn;
  readonly checkpointLsn: () => Lsn;
  /** Memory that changed pages take now. */
  readonly changedBytes: () => number;
  readonly run: () => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #pause: Disposer | undefined;
  #stopped = false;
  /** Memory that the last checkpoint could not let go. See (3). */
  #heldBytes = 0;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
  }

  /** Cheap; called whenever the durable LSN advances. */
  consider(): void {
    if (this.#stopped || this.#running !== undefined || this.#pause !== undefined) return;
    if (!this.#due()) return;
    this.now().catch((error: unknown) => {
      this.#options.onFailure(error);
      if (this.#stopped) return;
      this.#pause = this.#options.clock.after(PAUSE_AFTER_FAILURE_MS, () => {
        this.#pause = undefined;
        this.consider();
      });
    });
  }

  /** Resolves when a checkpoint that began after this call is done. */
  now(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#start();
      });
    return this.#next;
  }

  /** No further checkpoint starts by itself. Resolves when none runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pause?.dispose();
    while (this.#running !== undefined || this.#next !== undefined) {
      await (this.#next ?? this.#running)?.catch(() => {});
    }
  }

  #due(): boolean {
    const { newestLsn, checkpointLsn, changedBytes } = this.#options;
    const bytes = changedBytes();
    this.#heldBytes = Math.min(this.#heldBytes, bytes);
    if (bytes - this.#heldBytes > this.#options.overlayBytes) return true;
    return bytesBetween(checkpointLsn(), newestLsn()) > this.#options.checkpointLogBytes;
  }

  #start(): Promise<void> {
    const folded = this.#options.run().then(() => {
      this.#heldBytes = this.#options.changedBytes();
    });
    const running = folded.finally(() => {
      if (this.#running === running) this.#running = undefined;
      // What came in meanwhile may already be enough for the next.
      this.consider();
    });
    this.#running = running;
    return running;
  }
}

/**
 * RUNS CHECKPOINTS when the plan says so (checkpoint-plan.ts), or because somebody asks.
 *
 * (1) One runs at a time; who asks while one runs gets the one after it, since the running one may
 *     have begun before what the asker wants to see in it.
 * (2) A checkpoint that fails leaves everything as it was. The next is tried by itself after a
 *     pause, if it is still due then; nobody has to reopen the store.
 * (3) Age has one timer, set when the log first moves beyond the last checkpoint. Commits do not
 *     look at the clock for it.
 */
import type { Clock, Disposer } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { bytesBetween, type Lsn, laterLsn } from "../../base/units.ts";
import {
  type CheckpointFacts,
  type CheckpointLimits,
  type CheckpointReason,
  dueReason,
  pauseAfter,
  SPACE_PAUSE_MS,
} from "./checkpoint-plan.ts";

export interface CheckpointerOptions {
  readonly clock: Clock;
  readonly limits: CheckpointLimits;
  readonly newestLsn: () => Lsn;
  readonly checkpointLsn: () => Lsn;
  /** Segments that only a checkpoint lets go. */
  readonly inflightSegments: () => number;
  /** Memory that changed pages take now. */
  readonly changedBytes: () => number;
  /** There is a commit that a checkpoint would fold. Asked when the age is reached. */
  readonly isDirty: () => boolean;
  readonly run: () => Promise<CheckpointOutcome>;
  readonly onFailure: (error: unknown) => void;
}

export interface CheckpointOutcome extends Pick<CheckpointFacts, "atLsn" | "pages" | "bytes"> {
  /** Another would compact more. */
  readonly isCut?: boolean;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #pause: Disposer | undefined;
  #age: Disposer | undefined;
  #space: Disposer | undefined;
  #stopped = false;
  /** Memory that the last checkpoint could not let go. */
  #heldBytes = 0;
  #heldSegments = 0;
  /** Up to here the log has nothing that a checkpoint would fold. */
  #cleanLsn: Lsn;
  /** Up to here the log was let go: see checkpoint-plan.ts (4). */
  #letGoLsn: Lsn;
  #failuresInARow = 0;
  #failure: StorageError | undefined;
  #last: CheckpointFacts | undefined;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#letGoLsn = this.#cleanLsn = options.checkpointLsn();
  }

  /** The last that succeeded since the store was opened. */
  get last(): CheckpointFacts | undefined {
    return this.#last;
  }

  /** Why the last one failed; undefined once one has succeeded. */
  get failure(): StorageError | undefined {
    return this.#failure;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Cheap; called whenever the durable LSN advances. */
  consider(): void {
    if (this.#stopped || this.#running !== undefined || this.#pause !== undefined) return;
    const reason = this.#due();
    if (reason === undefined) this.#watchAge();
    else this.#startAlone(reason);
  }

  /** Resolves when a checkpoint that began after this call is done. */
  now(reason: CheckpointReason = "call"): Promise<void> {
    if (this.#running === undefined) return this.#start(reason);
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#start(reason);
      });
    return this.#next;
  }

  /** No further checkpoint starts by itself. Resolves when none runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pause?.dispose();
    this.#age?.dispose();
    this.#space?.dispose();
    while (this.#running !== undefined || this.#next !== undefined) {
      await (this.#next ?? this.#running)?.catch(() => {});
    }
  }

  #due(): "log" | "memory" | undefined {
    const { newestLsn, inflightSegments, limits } = this.#options;
    const changedBytes = this.#options.changedBytes();
    const heldBytes = Math.min(this.#heldBytes, changedBytes);
    this.#heldBytes = heldBytes;
    const logBytes = bytesBetween(this.#letGoLsn, newestLsn());
    const segments = inflightSegments();
    const heldSegments = Math.min(this.#heldSegments, segments);
    this.#heldSegments = heldSegments;
    return dueReason({ logBytes, segments, heldSegments, changedBytes, heldBytes }, limits);
  }

  /** See (3). */
  #watchAge(): void {
    if (this.#age !== undefined) return;
    const { clock, newestLsn, checkpointLsn, limits } = this.#options;
    if (newestLsn() <= laterLsn(checkpointLsn(), this.#cleanLsn)) return;
    this.#age = clock.after(limits.checkpointAgeMs, () => {
      this.#age = undefined;
      if (this.#stopped || this.#running !== undefined || this.#pause !== undefined) return;
      if (this.#options.isDirty()) this.#startAlone("age");
      else this.#cleanLsn = newestLsn();
    });
  }

  /** A store that nobody writes to any more gets on with it too. */
  #compactSoon(): void {
    if (this.#stopped) return;
    this.#space = this.#options.clock.after(SPACE_PAUSE_MS, () => {
      this.#space = undefined;
      if (!this.#stopped && this.#running === undefined) this.#startAlone("space");
    });
  }

  /** Nobody waits for it. */
  #startAlone(reason: CheckpointReason): void {
    this.now(reason).catch((error: unknown) => this.#options.onFailure(error));
  }

  /** See (2). Set before anybody can look again whether one is due. */
  #pauseAfter(error: unknown, reason: CheckpointReason): void {
    this.#failuresInARow += 1;
    this.#pause?.dispose();
    if (this.#stopped) return;
    const pauseMs = pauseAfter(error, this.#failuresInARow);
    this.#pause = this.#options.clock.after(pauseMs, () => {
      this.#pause = undefined;
      if (this.#due() === undefined && reason === "age") this.#startAlone(reason);
      else this.consider();
    });
  }

  #start(reason: CheckpointReason): Promise<void> {
    this.#age?.dispose();
    this.#age = undefined;
    this.#space?.dispose();
    this.#space = undefined;
    const running = this.#run(reason).finally(() => {
      if (this.#running === running) this.#running = undefined;
      // What came in meanwhile may already be enough for the next.
      this.consider();
    });
    this.#running = running;
    return running;
  }

  async #run(reason: CheckpointReason): Promise<void> {
    const { clock, run, changedBytes, inflightSegments } = this.#options;
    const beganMs = clock.monotonicMs();
    try {
      const { atLsn, pages, bytes, isCut = false } = await run();
      this.#last = { reason, atLsn, ms: clock.monotonicMs() - beganMs, pages, bytes };
      this.#heldBytes = changedBytes();
      this.#heldSegments = inflightSegments();
      this.#letGoLsn = atLsn;
      this.#failuresInARow = 0;
      this.#failure = undefined;
      this.#pause?.dispose();
      this.#pause = undefined;
      if (isCut) this.#compactSoon();
    } catch (error) {
      if (error instanceof StorageError) this.#failure = error;
      this.#pauseAfter(error, reason);
      throw error;
    }
  }
}

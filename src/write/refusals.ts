/**
 * WHAT THE DEVICE REFUSES, and what that means for the log. Every way to flush comes here with it.
 *
 *   a write that is no flush   is repeated in place, `maxWriteAttempts` times in all
 *   a flush                    poisons its segment: the batch is written again to a fresh one
 *   a fresh segment            is tried again after `retryMs`
 *   room, for one or the other is waited for; nobody is failed, unless the log is being closed
 *
 * (1) `maxSyncFailures` refusals in a row are the end of the log. A flush that succeeds ends the row; a
 *     lack of room does not count, also where a flush meets it since preallocating reserves nothing.
 *     Between segments that cannot be taken there is a pause: what lasts for a moment, as too many open
 *     files, is over by then, and a device that is gone ends the log soon all the same.
 * (2) A batch that was refused is in memory as it was. What a refused flush has left on the device is
 *     unknown, so that the next segment takes over where the log is durable, whatever was written.
 */
import { present } from "../base/assert.ts";
import type { Clock } from "../base/env.ts";
import { ioError, isStorageError, type StorageError } from "../base/errors.ts";
import { wallMsOf } from "../base/wall-ms.ts";
import type { LogCore, WriteJob } from "../wal/index.ts";
import type { FlushCounts } from "./flush-counts.ts";
import type { LogFault } from "./log.ts";
import type { LogLimits } from "./options.ts";
import type { SegmentStore } from "./segments/segment-store.ts";

export interface RefusalParts {
  readonly clock: Clock;
  readonly limits: LogLimits;
  readonly core: LogCore;
  readonly segments: SegmentStore;
  readonly counts: FlushCounts;
  /** Aborted when the log is being closed. */
  readonly closing: AbortSignal;
  readonly tell: (fault: LogFault) => void;
}

export class Refusals {
  readonly #parts: RefusalParts;
  /** See (1). */
  #inARow = 0;
  #noRoom: StorageError | undefined;

  constructor(parts: RefusalParts) {
    this.#parts = parts;
  }

  /** There was no room for the log since the last flush: nobody new is let in. BOP_DISK_FULL. */
  get noRoom(): StorageError | undefined {
    return this.#noRoom;
  }

  /** A flush has succeeded. */
  flushed(): void {
    this.#inARow = 0;
    this.#noRoom = undefined;
  }

  /** Writes a batch to the active segment. Nothing was promised about a write that is no flush. */
  async tryWrite(job: WriteJob): Promise<void> {
    const { segments, limits } = this.#parts;
    const { file, offset } = present(segments.active, "an active segment");
    const attempts = file.writesAreDurable ? 1 : limits.maxWriteAttempts;
    for (let attempt = 1; ; attempt++) {
      try {
        await file.write(job.bytes, offset);
        return;
      } catch (cause) {
        if (attempt >= attempts) throw cause;
      }
    }
  }

  /**
   * A flush was refused. Throws when it was one too many. While the log is being closed a lack of room
   * counts, too: nobody waits for it then.
   */
  async flushRefused(job: WriteJob, cause: unknown): Promise<void> {
    const { core, segments, closing } = this.#parts;
    const { path } = present(segments.active, "an active segment");
    core.failWrite(job);
    await segments.poison();
    const error = ioError("flushing", path, cause);
    if (!isStorageError(error, "BOP_DISK_FULL") || closing.aborted) return this.#count(error);
    this.#noRoom = error;
    await this.#pause();
  }

  /** The next segment takes over, or is refused, or has to wait. Throws when it was one too many. */
  async tryRotate(): Promise<void> {
    const { clock, core, segments, closing } = this.#parts;
    const lsn = core.durableEnd;
    try {
      const createdMs = core.timeOf(wallMsOf(clock));
      await segments.take({ firstLsn: lsn, durableLsn: lsn, createdMs });
    } catch (error) {
      if (!isStorageError(error, "BOP_DISK_FULL")) this.#count(error);
      else if (closing.aborted) throw error;
      else this.#noRoom = error;
      await this.#pause();
    }
  }

  /** Before the next segment is tried. Ends at once when the log is being closed. */
  async #pause(): Promise<void> {
    const { clock, limits, closing } = this.#parts;
    await clock.sleep(limits.retryMs, closing).catch(() => undefined);
  }

  #count(error: unknown): void {
    const { limits, counts, tell } = this.#parts;
    counts.failedFlushes += 1;
    this.#inARow += 1;
    tell({ where: "log", error });
    if (this.#inARow >= limits.maxSyncFailures) throw error;
  }
}

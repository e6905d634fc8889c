/**
 * THE LOG AS ITS USERS SEE IT: append a commit now, hear later that it is durable.
 *
 *   durableLsn ≤ writtenLsn ≤ newestLsn
 *
 * (1) A commit is staged and sealed within one synchronous call; nothing else is appended between.
 *     What can fail, fails while staging; `seal` and `discard` cannot.
 * (2) The LSN of a commit is the end of its commit frame. All page versions of a commit carry it.
 * (3) `durableLsn` never passes an LSN whose bytes a power cut could still take, and never lies
 *     within a commit. It may lie behind the last commit: LSNs count padding and empty batches.
 * (4) After the log failed for good nothing more is acknowledged: `onFailure` is called once,
 *     `admit` and `stage` throw BOP_READ_ONLY, and pending `durable` promises are rejected with
 *     BOP_OUTCOME_UNKNOWN.
 */
import type { Disposer } from "../base/env.ts";
import type { StorageError } from "../base/errors.ts";
import type { Lsn, PageNumber, StreamId } from "../base/units.ts";
import type { CommitFields, PageChange } from "../wal/index.ts";

export interface Log {
  /** End of everything that was sealed. */
  readonly newestLsn: Lsn;
  readonly durableLsn: Lsn;
  readonly stats: LogStats;

  /**
   * Throws BOP_BACKPRESSURE, BOP_DISK_FULL, BOP_READ_ONLY or BOP_CLOSED before a transaction did
   * any work.
   */
  admit(): void;

  /** Opens a commit of one stream. See (1). Throws as `admit` does. */
  stage(stream: StreamId): StagedFrames;

  /**
   * Asks that what is sealed be written: at once if no write is in flight, else when that one is
   * done. With `inline`, the caller has nothing else to run until then; the log may flush inline, so that
   * `durableLsn` has advanced on return.
   */
  kick(options?: { readonly inline: boolean }): void;

  /** Resolves when `durableLsn >= lsn`. Kicks by itself. */
  durable(lsn: Lsn): Promise<void>;

  /** Called after each advance of `durableLsn`, in order of subscription. */
  onDurable(listener: (durableLsn: Lsn) => void): Disposer;
  onFailure(listener: (error: StorageError) => void): Disposer;

  /**
   * Segments that end at or below `lsn` are needed by nobody: recycle or delete them. The manifest
   * must durably have its checkpoint at or above `lsn` before.
   */
  release(lsn: Lsn): Promise<void>;

  /** Flushes what is sealed, proves it with an empty batch, stops every timer. Idempotent. */
  close(): Promise<void>;
}

export interface StagedFrames {
  /** A full image of a page; 512 to 65536 bytes. */
  page(pageNumber: PageNumber, image: Uint8Array): void;

  /**
   * The changed ranges of a page against its version `baseLsn`, or, where that is not clearly
   * smaller, a full image. Returns the sum of the new image, which its next change may name;
   * LOGGED_WHOLE for a full image; UNCHANGED if it is its base, of which nothing is logged.
   */
  delta(pageNumber: PageNumber, change: PageChange): number;

  /** An entry of the catalogue (stream 0): opaque here, see the manifest's catalogue codec. */
  entry(payload: Uint8Array): void;

  /** The commit frame. Returns the commit's LSN. */
  seal(commit: CommitFields): Lsn;

  /** Forgets the frames of this commit as if they had never been staged. */
  discard(): void;
}

export interface LogStats {
  readonly commits: number;
  readonly batches: number;
  /** Flushes of the device, each one making a batch durable. */
  readonly flushes: number;
  /** Bytes of frames, before padding. */
  readonly frameBytes: number;
  /** Bytes written to segments: batch headers, frames and padding. */
  readonly writtenBytes: number;
  readonly failedFlushes: number;
  readonly segments: number;
}

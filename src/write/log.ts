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
import type { ChunkId, Lsn, PageNumber, StreamId } from "../base/units.ts";
import type {
  CommitFields,
  PageChange,
  ReplayedCommit,
  SegmentIndexBuilder,
  SegmentState,
  SpillFields,
} from "../wal/index.ts";
import type { HungOperation } from "./device/operation-watch.ts";
import type { HistoryHold } from "./history/history-segments.ts";
import type { Marks } from "./segments/watermarks.ts";

export interface Log {
  /** End of everything that was sealed. */
  readonly newestLsn: Lsn;
  readonly durableLsn: Lsn;
  readonly stats: LogStats;
  /** Segments that hold log which no checkpoint has let go, the active one included. */
  readonly inflightSegments: number;

  /**
   * Throws BOP_BACKPRESSURE, BOP_DISK_FULL, BOP_READ_ONLY or BOP_CLOSED before a transaction did
   * any work. With a stream, its own limit counts too.
   */
  admit(stream?: StreamId): void;

  /**
   * Bytes of this stream that may wait for the device; beyond them `admit` refuses it, and nobody
   * else. Undefined: none but that of the log. Commits sealed before are not counted.
   */
  limitStream(stream: StreamId, maxBacklogBytes: number | undefined): void;

  /**
   * Opens a commit of one stream. See (1). Throws as `admit` does, but for limits of room only; not for
   * those either where it is small and gives back what others took.
   */
  stage(stream: StreamId, options?: { readonly givesBack: boolean }): StagedFrames;

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
  /** What went wrong and is being mended, or waited out: a refused flush, a device that hangs. */
  onFault(listener: (fault: LogFault) => void): Disposer;

  /**
   * Segments that end at or below `lsn` are needed by no recovery. Those that end at or below the
   * horizon are recycled or deleted, by default all of them; the others are history. The manifest
   * must durably have its checkpoint at or above `lsn` before.
   */
  release(lsn: Lsn, horizonLsn?: Lsn): Promise<void>;

  /** Flushes what is sealed, proves it with an empty batch, stops every timer. Idempotent. */
  close(): Promise<void>;
}

/** A log whose past can be read: what was let go and the horizon has not passed, and the rest. */
export interface StoredLog extends Log {
  readonly history: LogHistory;
  readonly shipping: LogShipping;
}

/** The log as the sink gets it. */
export interface LogShipping {
  /**
   * What is durable and begins with the batch that `fromLsn` lies in, or with the next one there is;
   * undefined if that is nothing. Rejects with BOP_CORRUPT or BOP_IO, naming the file.
   */
  shippable(wanted: ShippableFrom): Promise<Shippable | undefined>;

  /** The sink has everything up to here: it waits for the sink no more. */
  shipped(lsn: Lsn): void;

  /**
   * The same, and whoever opens the store next will know. Resolves when what waited for that is let go. Only in a
   * store that was opened with `archivedLsn`.
   */
  archived(lsn: Lsn): Promise<void>;
}

export interface ShippableFrom {
  readonly fromLsn: Lsn;
  /** Of batches, headers and padding included; one batch is handed out in any case. */
  readonly maxBytes: number;
  /**
   * Recorded as durable outside of the log, in what outlives a power cut. Batches without frames at
   * the end of what there is are handed out up to here only: the next start may cut off the others.
   */
  readonly floorLsn: Lsn;
}

export interface Shippable {
  /** Undefined if there is nothing but batches without frames, which need not be shipped. */
  readonly range: ShippableRange | undefined;
  /**
   * Whoever has the range, and what lies before it, has all of every commit up to here: beyond
   * its end if only batches without frames follow. Undefined if no commit ends in it.
   */
  readonly settledLsn: Lsn | undefined;
}

/** Whole durable batches, without gaps. */
export interface ShippableRange {
  /** `fromLsn`, unless that lies within a batch, or the log has nothing there. */
  readonly firstLsn: Lsn;
  readonly endLsn: Lsn;
  readonly batches: readonly LoggedBatch[];
  /** Where the commits lie whose commit frames are in it. */
  readonly streams: SegmentIndexBuilder;
  /** Chunks that commits in it name. */
  readonly spilled: readonly ChunkId[];
}

export interface LoggedBatch {
  readonly startLsn: number;
  readonly wallMs: number;
  readonly payload: Uint8Array;
}

/** The log that lies behind, as far as it is kept. */
export interface LogHistory {
  /** Every commit that begins at or above it, up to the durable LSN, can be read. */
  readonly fromLsn: Lsn;
  /** When that was, or some time before; milliseconds since 1970. */
  readonly fromMs: number;
  /** Newest time in the log: commits to come have none before it. */
  readonly newestMs: number;
  /** Of the disk, for what only history needs. */
  readonly bytes: number;
  readonly segments: number;

  /**
   * Up to where the log had come at a time: all durable commits of that millisecond lie at or below
   * it. Undefined for a time before `fromMs`. Rejects with BOP_CORRUPT or BOP_IO, naming the file.
   */
  lsnAt(wallMs: number): Promise<Lsn | undefined>;

  /**
   * The commits of a database in a range that is held, in order; a commit is good until the next one
   * is asked for. Throws BOP_CORRUPT or BOP_IO, naming the file; nothing is passed over.
   */
  commits(stream: StreamId, range: HistoryRange): AsyncIterable<ReplayedCommit>;

  /** Keeps everything above `lsn` until it is released; undefined if something of it is gone. */
  hold(lsn: Lsn): HistoryHold | undefined;

  /** Segments that have ended and are there, oldest first: history, then what is in flight. */
  readonly ended: readonly EndedLogSegment[];

  /**
   * Makes an ended segment anew from the copy that lies elsewhere; false if there is none that is
   * good. Rejects with BOP_IO.
   */
  mend(sequence: number): Promise<boolean>;

  /**
   * What history may take, in bytes, says how low the horizon of a checkpoint at `upToLsn` may be.
   */
  floorLsn(upToLsn: Lsn, bytesMax: number): Lsn;
}

/** A segment to which nothing will be added. */
export interface EndedLogSegment {
  readonly sequence: number;
  readonly path: string;
  readonly firstLsn: Lsn;
  readonly endLsn: Lsn;
}

export interface HistoryRange {
  /**
   * Whoever adds commits to a state gives an LSN that was `durableLsn` once: no commit lies across
   * that. One that does lie across where the range begins is given if its front is there.
   */
  readonly afterLsn: Lsn;
  /** At or below the durable LSN. */
  readonly upToLsn: Lsn;
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

  /** Pages of the commit that lie in a chunk already. It must be durable, and its name. */
  spill(fields: SpillFields): void;

  /** What a record log does in this commit: opaque here, see record-log/operations.ts. */
  records(operations: Uint8Array): void;

  /**
   * The same in two pieces, so that an append makes no memory: the first `at` bytes of `head`, and
   * the payload of its entry. RECORD_BYTES_MAX in all at most.
   */
  record(head: { readonly bytes: Uint8Array; at: number }, payload: Uint8Array): void;

  /**
   * The commit frame. Returns the commit's LSN. With `groupCount`, this commit and those staged and
   * sealed next, in the same call, are one: recovery hands out all of them or none.
   */
  seal(commit: CommitFields, groupCount?: number): Lsn;

  /** Forgets the frames of this commit as if they had never been staged. */
  discard(): void;
}

export interface LogFault {
  readonly where: string;
  readonly error: unknown;
}

export interface SegmentStats {
  readonly sequence: number;
  readonly state: SegmentState;
  readonly marks: Marks;
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
  readonly marks: Marks;
  /** Segments that hold log which somebody may need, oldest first. */
  readonly inflight: readonly SegmentStats[];
  /** Segments that hold log which no checkpoint has let go, the active one included. */
  readonly inflightSegments: number;
  /** Bytes in memory that are not durable. */
  readonly backlogBytes: number;
  /** An operation that has not come back; undefined if all have. */
  readonly hung: HungOperation | undefined;
}

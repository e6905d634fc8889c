/**
 * THE LOG WITHOUT THE DISK: which bytes go where, and what may be acknowledged.
 *
 *   durableEnd ≤ writtenEnd ≤ newestLsn         as the device has it, in whole batches
 *   durableLsn ≤ durableEnd                     as users see it, in whole commits
 *
 * (1) Two buffers: one takes frames while the other is with the device. A commit that does not fit
 *     makes further ones, since SQLite cannot wait: whoever admits commits bounds them.
 * (2) Frames are encoded straight into a buffer, and nothing is copied after that.
 * (3) The LSN of a frame is final when it is encoded: a batch begins where the one before it ends,
 *     and that is fixed when the batch after it begins.
 * (4) A commit is staged and sealed, or discarded, without anything happening in between.
 * (5) `durableLsn` never lies within a commit, so that whatever is folded up to it, the frames of a
 *     commit above it all lie in the log that is kept. Nor does it lie within a group of commits.
 */
import { assert, present } from "../base/assert.ts";
import type { WriteMemory } from "../base/driver.ts";
import type { Lsn, PageNumber, StreamId } from "../base/units.ts";
import { BATCH_HEADER, stampBatch } from "./batch.ts";
import { BatchBuffer } from "./buffer.ts";
import type { FrameBuffer } from "./bytes.ts";
import type { CommitFields } from "./commit.ts";
import type { CommitTrail } from "./commit-trail.ts";
import { GAVE_UP, UNCHANGED } from "./delta.ts";
import {
  encodeCommit,
  encodeDelta,
  encodeEntry,
  encodePage,
  encodeRecord,
  encodeRecords,
  encodeSpill,
  FRAME_OVERHEAD_BYTES,
  type PageChange,
  type SpillFields,
} from "./frame.ts";

export interface LogStart {
  readonly storeId: Uint8Array;
  /** End of the log so far; all of it is durable. */
  readonly lsn: Lsn;
  readonly bufferBytes: number;
  /** Where buffers come from, and where those go back that a large commit made. */
  readonly memory: WriteMemory;
  /** Newest time in the log so far. */
  readonly wallMs: number;
  /** Told where each commit lies, for the index of its segment. */
  readonly trail?: CommitTrail;
}

export interface WriteJob {
  /** The batch, in whole blocks. Must not change until the job is finished or has failed. */
  readonly bytes: Uint8Array;
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
  /** False for a batch that only proves the one before it. */
  readonly hasFrames: boolean;
}

/** A part of records is not shorter than this, but for the last. */
const PART_BYTES_MIN = 4096;
export const RECORD_BYTES_MAX = PART_BYTES_MIN;

/** Buffers that are kept for reuse; more were made for a large commit and are let go. */
const KEPT_BUFFERS = 2;

export class LogCore {
  readonly #start: LogStart;
  /** Closed buffers before the open one, oldest first. The first may be with the device. */
  readonly #closed: BatchBuffer[] = [];
  readonly #spare: BatchBuffer[] = [];
  #open: BatchBuffer;
  #job: WriteJob | undefined;
  #newestLsn: Lsn;
  #writtenEnd: Lsn;
  #durableEnd: Lsn;
  #durableLsn: Lsn;
  #wallMs: number;

  /** The commit that is being staged; its stream is undefined when there is none. */
  #stream: StreamId | undefined;
  #firstLsn: Lsn;
  #frameCount = 0;
  #closedBefore = 0;
  #atBefore = 0;

  /** The group that is being sealed; undefined when there is none. */
  #group: { readonly id: number; readonly count: number; left: number } | undefined;

  #commits = 0;
  #frameBytes = 0;

  constructor(start: LogStart) {
    this.#start = start;
    this.#open = new BatchBuffer(start.memory.allocate(start.bufferBytes), start.lsn);
    this.#newestLsn = this.#writtenEnd = this.#durableEnd = this.#durableLsn = start.lsn;
    this.#firstLsn = start.lsn;
    this.#wallMs = start.wallMs;
  }

  get newestLsn(): Lsn {
    return this.#newestLsn;
  }

  get writtenEnd(): Lsn {
    return this.#writtenEnd;
  }

  get durableEnd(): Lsn {
    return this.#durableEnd;
  }

  get durableLsn(): Lsn {
    return this.#durableLsn;
  }

  /** Newest time in the log. */
  get wallMs(): number {
    return this.#wallMs;
  }

  /** The time of what is written now: never before what is in the log. */
  timeOf(wallMs: number): number {
    this.#wallMs = Math.max(this.#wallMs, wallMs);
    return this.#wallMs;
  }

  get commits(): number {
    return this.#commits;
  }

  get frameBytes(): number {
    return this.#frameBytes;
  }

  /** Bytes in memory that are not durable. */
  get backlogBytes(): number {
    return this.#open.frameLsn - this.#durableEnd - BATCH_HEADER.sizeBytes;
  }

  begin(stream: StreamId): void {
    assert(this.#stream === undefined, "a commit is staged while another one is");
    this.#stream = stream;
    this.#firstLsn = this.#open.frameLsn;
    this.#frameCount = 0;
    this.#closedBefore = this.#closed.length;
    this.#atBefore = this.#open.at;
  }

  page(pageNumber: PageNumber, image: Uint8Array): void {
    encodePage(this.#room(image.length), pageNumber, image);
  }

  delta(pageNumber: PageNumber, change: PageChange): number {
    const buffer = this.#room(change.image.length);
    const sum = encodeDelta(buffer, pageNumber, change);
    if (sum === GAVE_UP) encodePage(buffer, pageNumber, change.image);
    else if (sum === UNCHANGED) this.#frameCount -= 1;
    return sum;
  }

  entry(payload: Uint8Array): void {
    encodeEntry(this.#room(payload.length), payload);
  }

  spill(fields: SpillFields): void {
    encodeSpill(this.#room(0), fields);
  }

  /** What a record log does in this commit, in as many frames as it takes. */
  records(operations: Uint8Array): void {
    for (let at = 0; at < operations.length; ) {
      const rest = operations.length - at;
      const buffer = this.#room(Math.min(rest, PART_BYTES_MIN));
      const bytes = Math.min(rest, buffer.roomBytes - FRAME_OVERHEAD_BYTES);
      encodeRecords(buffer, operations.subarray(at, at + bytes));
      at += bytes;
    }
  }

  /** The same in one frame, for what is no longer than RECORD_BYTES_MAX in all. */
  record(head: FrameBuffer, payload: Uint8Array): void {
    const bytes = head.at + payload.length;
    assert(bytes <= RECORD_BYTES_MAX, "a record that takes more than one frame");
    encodeRecord(this.#room(bytes), head, payload);
  }

  /** A group was begun, and not all of its commits are sealed. */
  get inGroup(): boolean {
    return this.#group !== undefined;
  }

  /** With `groupCount`, this commit and those sealed next are one, as many as that. */
  seal({ pageCount, pageBytes }: CommitFields, groupCount = 1): Lsn {
    const stream = present(this.#stream, "a commit is sealed that was not staged");
    const frameCount = this.#frameCount;
    const buffer = this.#room(0);
    const span = buffer.frameLsn - this.#firstLsn;
    const frame = { stream, frameCount, span, pageCount, pageBytes };
    encodeCommit(buffer, groupCount === 1 ? frame : { ...frame, ...this.#joinGroup(groupCount) });
    for (let i = this.#closedBefore; i < this.#closed.length; i++) {
      markStaged(present(this.#closed[i], "a closed buffer"));
    }
    markStaged(buffer);
    const commitLsn = buffer.frameLsn;
    if (this.#group === undefined) buffer.visibleLsn = commitLsn;
    this.#stream = undefined;
    const firstLsn = this.#firstLsn;
    this.#start.trail?.note({ stream, firstLsn, lsn: commitLsn, pageCount, pageBytes });
    this.#newestLsn = commitLsn;
    this.#commits += 1;
    this.#frameBytes += this.#framesSinceBegin();
    return commitLsn;
  }

  discard(): void {
    if (this.#stream === undefined) return;
    assert(!this.inGroup, "a commit of a group is discarded after others were sealed");
    this.#stream = undefined;
    const extra = this.#closed.splice(this.#closedBefore);
    const first = extra.shift();
    if (first !== undefined) {
      for (const buffer of [...extra, this.#open]) this.#keep(buffer);
      this.#open = first;
    }
    this.#open.at = this.#atBefore;
  }

  /** What the commit frame says of the group; the last one ends it. */
  #joinGroup(groupCount: number): { groupId: number; groupCount: number } {
    this.#group ??= { id: this.#firstLsn, count: groupCount, left: groupCount };
    const { id, count } = this.#group;
    assert(count === groupCount, "the commits of a group disagree on their number");
    this.#group.left -= 1;
    if (this.#group.left === 0) this.#group = undefined;
    return { groupId: id, groupCount };
  }

  /** Stages a batch without frames, if there is nothing else to write. */
  stageProof(): boolean {
    assert(this.#stream === undefined, "a proof within a commit");
    if (this.#open.state !== "open" || this.#closed.length > 0) return false;
    this.#open.moveTo("staged");
    return true;
  }

  /** Bytes of the batch that `startWrite` would hand out; 0 when there is nothing to write. */
  get nextWriteBytes(): number {
    const next = this.#closed[0] ?? this.#open;
    return next.state === "staged" || next.state === "failed" ? next.endLsn - next.startLsn : 0;
  }

  /** Hands the oldest batch out, stamped for the segment it goes to. Ask `nextWriteBytes` first. */
  startWrite({ sequence, wallMs }: { sequence: number; wallMs: number }): WriteJob {
    assert(this.#job === undefined, "two log writes at a time");
    assert(this.#stream === undefined && !this.inGroup, "a log write within a commit");
    if (this.#closed.length === 0) {
      this.#open.visibleLsn = this.#open.endLsn;
      this.#newestLsn = this.#open.endLsn;
      this.#close();
    }
    const buffer = present(this.#closed[0], "a buffer to write");
    buffer.moveTo("writing");
    this.timeOf(wallMs);
    const { startLsn, endLsn, payloadBytes } = buffer;
    // Field by field: this is on the path of every flush, and a spread takes 2 µs.
    stampBatch(buffer.bytes, {
      storeId: this.#start.storeId,
      sequence,
      startLsn,
      payloadBytes,
      copied: false,
      durableLsn: this.#durableEnd,
      wallMs: this.#wallMs,
    });
    const bytes = buffer.bytes.subarray(0, endLsn - startLsn);
    this.#job = { bytes, startLsn, endLsn, hasFrames: buffer.hasFrames };
    return this.#job;
  }

  finishWrite(job: WriteJob): void {
    this.#inFlight(job).moveTo("written");
    assert(this.#writtenEnd <= job.endLsn, "written falls");
    this.#writtenEnd = job.endLsn;
    assert(this.#writtenEnd <= this.#open.startLsn, "written beyond what was sealed");
  }

  /** The sync began after `finishWrite`. Returns what users may now be told is durable. */
  finishSync(job: WriteJob): Lsn {
    const buffer = this.#inFlight(job);
    buffer.moveTo("durable");
    this.#job = undefined;
    this.#closed.shift();
    assert(job.startLsn === this.#durableEnd, "a batch is durable before the one below it");
    this.#durableEnd = job.endLsn;
    assert(this.#durableEnd <= this.#writtenEnd, "durable before it was written");
    if (buffer.visibleLsn !== undefined) this.#durableLsn = buffer.visibleLsn;
    assert(this.#durableLsn <= this.#durableEnd, "a commit is durable before its batch");
    this.#keep(buffer);
    return this.#durableLsn;
  }

  /** The device refused it: the next `startWrite` hands the same frames out again. */
  failWrite(job: WriteJob): void {
    this.#inFlight(job).moveTo("failed");
    this.#job = undefined;
  }

  #inFlight(job: WriteJob): BatchBuffer {
    assert(job === this.#job, "finished a write that is not in flight");
    return present(this.#closed[0], "the buffer in flight");
  }

  /** A buffer with room for one more frame, which is counted. */
  #room(imageBytes: number): BatchBuffer {
    assert(this.#stream !== undefined, "a frame outside of a commit");
    this.#frameCount += 1;
    if (this.#open.roomBytes < imageBytes + FRAME_OVERHEAD_BYTES) {
      const fresh = this.#frameCount === 1;
      assert(this.#open.hasFrames, "a frame that is larger than a buffer");
      this.#close();
      if (fresh) this.#firstLsn = this.#open.frameLsn;
    }
    return this.#open;
  }

  /** The open buffer takes no more frames; another one begins where it ends. */
  #close(): void {
    const startLsn = this.#open.endLsn;
    const next = this.#spare.pop() ?? this.#newBuffer(startLsn);
    next.reuse(startLsn);
    this.#closed.push(this.#open);
    this.#open = next;
  }

  #newBuffer(startLsn: Lsn): BatchBuffer {
    const { memory, bufferBytes } = this.#start;
    return new BatchBuffer(memory.allocate(bufferBytes), startLsn);
  }

  #keep(buffer: BatchBuffer): void {
    if (this.#spare.length < KEPT_BUFFERS) this.#spare.push(buffer);
    else this.#start.memory.release(buffer.bytes);
  }

  /** Bytes of the frames of the commit just sealed. */
  #framesSinceBegin(): number {
    let bytes = this.#open.at - this.#atBefore;
    for (let i = this.#closedBefore; i < this.#closed.length; i++) {
      bytes += present(this.#closed[i], "a closed buffer").at - BATCH_HEADER.sizeBytes;
    }
    return bytes;
  }
}

function markStaged(buffer: BatchBuffer): void {
  if (buffer.state === "open") buffer.moveTo("staged");
}

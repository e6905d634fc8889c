/**
 * WHO MAY BEGIN. A transaction is refused before it did any work, and hears what is full and when to
 * come again.
 *
 *   full                 because
 *   device               an operation of the log has not come back: see operation-watch.ts
 *   log backlog          `maxBacklogBytes` wait in memory for the device
 *   backlog of stream N  the same, of one stream and its own limit
 *   segments             `maxInflightSegments` hold log that no checkpoint has let go
 *   sink                 `maxUnshippedBytes` of log wait for the sink
 *
 * (1) Who was let in is refused at its commit only for what memory or disk cannot hold.
 * (2) What gives back what others took, as the end of an import that came to nothing, is never refused
 *     for want of room: it is some bytes, and waits with the backlog until there is.
 */
import { isStorageError, StorageError } from "../base/errors.ts";
import type { Lsn, StreamId } from "../base/units.ts";
import type { LogCore } from "../wal/index.ts";
import type { FlushPace } from "./device/flush-pace.ts";
import { type HungOperation, hungError, type OperationWatch } from "./device/operation-watch.ts";
import type { LogLimits } from "./options.ts";
import type { Refusals } from "./refusals.ts";
import type { HeldSegments } from "./segments/held-segments.ts";
import type { SegmentStore } from "./segments/segment-store.ts";
import type { StreamBacklog } from "./stream-backlog.ts";

export interface AdmissionParts {
  readonly limits: LogLimits;
  readonly core: LogCore;
  readonly segments: SegmentStore;
  readonly held: HeldSegments;
  readonly pace: FlushPace;
  readonly watch: OperationWatch;
  readonly streams: StreamBacklog;
  readonly refusals: Refusals;
}

/** Checkpoints give segments back; they take a while. */
const SEGMENT_RETRY_MS = 100;
const HUNG_RETRY_MS = 1000;
const SINK_RETRY_MS = 1000;

export class Admission {
  readonly #parts: AdmissionParts;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /** Throws BOP_BACKPRESSURE or BOP_DISK_FULL. On the path of every transaction. */
  check(stream: StreamId | undefined): void {
    const { limits, held, watch } = this.#parts;
    this.checkRoom();
    if (held.inflightCount > limits.maxInflightSegments) throw this.#segmentsFull();
    const { shippedLsn } = held;
    if (shippedLsn !== undefined) this.#checkSink(shippedLsn);
    const { hung } = watch;
    if (hung !== undefined) throw this.#deviceHangs(hung);
    if (stream !== undefined) this.#checkStream(stream);
  }

  /** See (1). */
  checkRoom(): void {
    const { backlogBytes } = this.#parts.core;
    if (backlogBytes > this.#parts.limits.maxBacklogBytes) throw this.#backlogFull(backlogBytes);
    this.#checkDisk(backlogBytes);
  }

  #checkStream(stream: StreamId): void {
    const { streams, core } = this.#parts;
    const share = streams.share(stream, core.durableLsn);
    if (share === undefined || share.bytes <= share.limitBytes) return;
    const { bytes, limitBytes } = share;
    const what = `${bytes} bytes of stream ${stream} wait for the log, more than ${limitBytes}`;
    throw full(`backlog of stream ${stream}`, { what, retryAfterMs: this.#drainMs(bytes) });
  }

  #checkSink(shippedLsn: Lsn): void {
    const { core, limits } = this.#parts;
    const bytes = core.durableEnd - shippedLsn;
    if (bytes <= limits.maxUnshippedBytes) return;
    const what = `${bytes} bytes of log wait for the sink, more than ${limits.maxUnshippedBytes}`;
    throw full("sink", { what, retryAfterMs: SINK_RETRY_MS });
  }

  /**
   * Nothing is refused for a disk without room before what there is has been used up: a segment that
   * was made, unless the log found no room in one.
   */
  #checkDisk(backlogBytes: number): void {
    const { segments, refusals, limits } = this.#parts;
    const refusal = refusals.noRoom ?? segments.refusal;
    if (refusal === undefined || !isStorageError(refusal, "BOP_DISK_FULL")) return;
    const hasRoom = segments.roomBytes >= backlogBytes + limits.bufferBytes;
    if (hasRoom && refusals.noRoom === undefined) return;
    const { details, message } = refusal;
    throw new StorageError("BOP_DISK_FULL", message, { details, cause: refusal });
  }

  #backlogFull(bytes: number): StorageError {
    const what = `${bytes} bytes wait for the log`;
    return full("log backlog", { what, retryAfterMs: this.#drainMs(bytes) });
  }

  #segmentsFull(): StorageError {
    const { held, limits } = this.#parts;
    const what =
      `${held.inflightCount} segments hold log that no checkpoint has let go, more than ` +
      `${limits.maxInflightSegments}`;
    return full("segments", { what, retryAfterMs: SEGMENT_RETRY_MS });
  }

  #deviceHangs(hung: HungOperation): StorageError {
    return full("device", { what: hungError(hung).message, retryAfterMs: HUNG_RETRY_MS });
  }

  #drainMs(bytes: number): number {
    const batches = bytes / this.#parts.limits.bufferBytes;
    return Math.max(1, Math.ceil(batches * (this.#parts.pace.ms ?? 1)));
  }
}

function full(
  what: string,
  said: { readonly what: string; readonly retryAfterMs: number },
): StorageError<"BOP_BACKPRESSURE"> {
  const { retryAfterMs } = said;
  const message = `${said.what}; retry in ${retryAfterMs} ms`;
  return new StorageError("BOP_BACKPRESSURE", message, { details: { full: what, retryAfterMs } });
}

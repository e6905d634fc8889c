/**
 * THE LOG WITH THE DISK: carries out what `LogCore` decides, on the segments that `SegmentStore`
 * keeps, and tells those who wait.
 *
 * (1) One write is in flight at a time. When it is durable, what was sealed meanwhile follows.
 * (2) A refused flush poisons its segment: the batch is written again, from memory, to a fresh one
 *     that takes over at its LSN. After `maxSyncFailures` in a row the log has failed for good.
 * (3) A full device refuses new transactions and fails nobody: what is sealed waits in memory until
 *     there is room for the next segment, and then the log goes on by itself.
 * (4) When nothing was written for `idleProofMs` after an acknowledgement, an empty batch follows
 *     that proves the last one.
 * (5) A flush within a call (`inline`) never happens while another one is in flight, needs no new
 *     segment, and acknowledges exactly as the other kind does.
 */
import { present } from "../base/assert.ts";
import type { Disposer, Env } from "../base/env.ts";
import { ioError, isStorageError, StorageError } from "../base/errors.ts";
import { KIB, type Lsn, type StreamId } from "../base/units.ts";
import type { LogCore, WriteJob } from "../wal/index.ts";
import { FlushPace } from "./flush-pace.ts";
import type { Log, LogStats, StagedFrames } from "./log.ts";
import type { LogLimits } from "./options.ts";
import type { SegmentStore } from "./segment-store.ts";
import { Listeners, Waiters } from "./waiters.ts";

/** Batches up to this size are written synchronously; the copy takes some tens of microseconds. */
const COPIED_BYTES_MAX = 128 * KIB;

export interface LogParts {
  readonly env: Env;
  readonly limits: LogLimits;
  readonly core: LogCore;
  /** With an active segment that takes over at the core's end. */
  readonly segments: SegmentStore;
}

interface Refused {
  readonly job: WriteJob;
  readonly cause: unknown;
}

export class LogController implements Log {
  readonly #env: Env;
  readonly #limits: LogLimits;
  readonly #core: LogCore;
  readonly #segments: SegmentStore;
  readonly #waiters = new Waiters();
  readonly #durableListeners = new Listeners<Lsn>();
  readonly #failureListeners = new Listeners<StorageError>();
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;
  /** A batch is being written, or the next one is about to be. */
  #busy = false;
  #driving = Promise.resolve();
  #failure: StorageError | undefined;

  #proofTimer: Disposer | undefined;
  #acknowledgedAtMs = 0;
  /** Moving average; undefined before the first flush. */
  readonly #pace = new FlushPace();
  /** Who asked last had nothing else to run. */
  #inlineAsked = false;
  #failuresInARow = 0;
  #failedFlushes = 0;
  #flushes = 0;
  #batches = 0;
  #writtenBytes = 0;

  constructor({ env, limits, core, segments }: LogParts) {
    this.#env = env;
    this.#limits = limits;
    this.#core = core;
    this.#segments = segments;
  }

  get newestLsn(): Lsn {
    return this.#core.newestLsn;
  }

  get durableLsn(): Lsn {
    return this.#core.durableLsn;
  }

  get stats(): LogStats {
    return {
      commits: this.#core.commits,
      batches: this.#batches,
      flushes: this.#flushes,
      frameBytes: this.#core.frameBytes,
      writtenBytes: this.#writtenBytes,
      failedFlushes: this.#failedFlushes,
      segments: this.#segments.count,
    };
  }

  admit(): void {
    if (this.#failure !== undefined) throw this.#readOnly(this.#failure);
    if (this.#closed !== undefined) throw closedError();
    if (this.#core.backlogBytes > this.#limits.maxBacklogBytes) throw this.#backpressure();
    const { refusal, roomBytes } = this.#segments;
    if (refusal === undefined || !isStorageError(refusal, "BOP_DISK_FULL")) return;
    if (roomBytes < this.#core.backlogBytes + this.#limits.bufferBytes) {
      const { details, message } = refusal;
      throw new StorageError("BOP_DISK_FULL", message, { details, cause: refusal });
    }
  }

  stage(stream: StreamId): StagedFrames {
    this.admit();
    this.#core.begin(stream);
    return this.#core;
  }

  kick(options?: { readonly inline: boolean }): void {
    this.#inlineAsked = options?.inline === true;
    if (this.#busy || this.#failure !== undefined) return;
    const bytes = this.#core.nextWriteBytes;
    if (bytes === 0) return;
    if (this.#mayFlushInline(bytes)) this.#flushInline();
    else this.#drive();
  }

  durable(lsn: Lsn): Promise<void> {
    if (lsn <= this.#core.durableLsn) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#unknown(lsn, this.#failure));
    if (lsn > this.#core.newestLsn) {
      return Promise.reject(new RangeError(`nothing was committed up to LSN ${lsn}`));
    }
    const waiting = this.#waiters.wait(lsn);
    this.kick();
    return waiting;
  }

  onDurable(listener: (durableLsn: Lsn) => void): Disposer {
    return this.#durableListeners.add(listener);
  }

  onFailure(listener: (error: StorageError) => void): Disposer {
    return this.#failureListeners.add(listener);
  }

  release(lsn: Lsn): Promise<void> {
    return this.#segments.release(lsn);
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  /** See (4). */
  proveWhenIdle(): void {
    this.#acknowledgedAtMs = this.#env.clock.monotonicMs();
    this.#proofTimer ??= this.#env.clock.after(this.#limits.idleProofMs, () => this.#prove());
  }

  async #drain(): Promise<void> {
    this.#closing.abort();
    this.#proofTimer?.dispose();
    const proves = this.#proofTimer !== undefined || this.#core.nextWriteBytes > 0;
    await this.#settled();
    if (this.#failure === undefined && proves && this.#core.stageProof()) await this.#settled();
    await this.#segments.close();
  }

  /** Resolves when everything that was sealed is durable, or the log has failed. */
  async #settled(): Promise<void> {
    while (this.#failure === undefined && (this.#busy || this.#core.nextWriteBytes > 0)) {
      this.kick();
      await this.#driving;
    }
  }

  #drive(): void {
    this.#busy = true;
    this.#driving = this.#writeAll();
  }

  /**
   * Writes until nothing is left to write. Never rejects: what goes wrong fails the log. Begins
   * behind the promise callbacks that are ready now: who was woken by the flush before shares this.
   */
  async #writeAll(): Promise<void> {
    try {
      await undefined;
      while (this.#failure === undefined) {
        const bytes = this.#core.nextWriteBytes;
        if (this.#segments.roomBytes < bytes) await this.#rotate();
        else if (this.#mayFlushInline(bytes)) {
          const refused = this.#flushWithin();
          if (refused !== undefined) await this.#refused(refused.job, refused.cause);
          else if (this.#core.nextWriteBytes === 0) {
            this.#busy = false;
            return;
          }
        } else if (await this.#flush()) return;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** True if nothing is left to write; whoever is told of this batch may then begin anew. */
  async #flush(): Promise<boolean> {
    const { file } = present(this.#segments.active, "an active segment");
    const startedMs = this.#env.clock.monotonicMs();
    const job = this.#startWrite();
    try {
      await this.#write(job);
      this.#core.finishWrite(job);
      await file.sync();
    } catch (cause) {
      await this.#refused(job, cause);
      return false;
    }
    this.#pace.throughPool(this.#env.clock.monotonicMs() - startedMs);
    const durableLsn = this.#finish(job);
    const done = this.#core.nextWriteBytes === 0;
    if (done) this.#busy = false;
    this.#tell(durableLsn);
    return done;
  }

  /**
   * A small batch is copied into the page cache within the call: that takes less of this thread than
   * to wake one of the pool, and the flush is then the only trip. A refused write alone may be
   * repeated in place: nothing was promised about it yet.
   */
  async #write(job: WriteJob): Promise<void> {
    const { file, offset } = present(this.#segments.active, "an active segment");
    for (let attempt = 1; ; attempt++) {
      try {
        if (job.bytes.length <= COPIED_BYTES_MAX) file.writeSync(job.bytes, offset);
        else await file.write(job.bytes, offset);
        return;
      } catch (cause) {
        if (attempt >= this.#limits.maxWriteAttempts) throw cause;
      }
    }
  }

  #mayFlushInline(bytes: number): boolean {
    const { ms } = this.#pace;
    if (!this.#inlineAsked || bytes === 0) return false;
    if (ms === undefined || ms >= this.#limits.inlineFlushMs) return false;
    return bytes <= COPIED_BYTES_MAX && this.#segments.roomBytes >= bytes;
  }

  #flushInline(): void {
    this.#busy = true;
    try {
      const refused = this.#flushWithin();
      if (refused !== undefined) {
        this.#driving = this.#repair(refused);
        return;
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#busy = false;
    this.kick();
  }

  /** One flush within the call. Returns what the device refused of it. */
  #flushWithin(): Refused | undefined {
    const { file, offset } = present(this.#segments.active, "an active segment");
    const startedMs = this.#env.clock.monotonicMs();
    const job = this.#startWrite();
    try {
      file.writeSync(job.bytes, offset);
      this.#core.finishWrite(job);
      file.syncSync();
    } catch (cause) {
      return { job, cause };
    }
    this.#pace.withinCall(this.#env.clock.monotonicMs() - startedMs);
    this.#tell(this.#finish(job));
    return undefined;
  }

  /** Goes on as if the refused flush had not been within a call. */
  async #repair({ job, cause }: Refused): Promise<void> {
    try {
      await this.#refused(job, cause);
    } catch (error) {
      this.#fail(error);
    }
    await this.#writeAll();
  }

  #startWrite(): WriteJob {
    const { sequence } = present(this.#segments.active, "an active segment");
    const wallMs = Math.max(0, Math.floor(this.#env.clock.wallMs()));
    return this.#core.startWrite({ sequence, wallMs });
  }

  #finish(job: WriteJob): Lsn {
    const active = present(this.#segments.active, "an active segment");
    active.offset += job.bytes.length;
    this.#failuresInARow = 0;
    this.#flushes += 1;
    this.#batches += 1;
    this.#writtenBytes += job.bytes.length;
    const durableLsn = this.#core.finishSync(job);
    if (active.offset * 2 > this.#limits.segmentBytes) this.#segments.prepareSoon();
    if (job.hasFrames && this.#closed === undefined) this.proveWhenIdle();
    return durableLsn;
  }

  #tell(durableLsn: Lsn): void {
    this.#waiters.resolveUpTo(durableLsn);
    this.#durableListeners.tell(durableLsn);
  }

  /** See (2). Throws when it was one too many. */
  async #refused(job: WriteJob, cause: unknown): Promise<void> {
    const { path } = present(this.#segments.active, "an active segment");
    this.#core.failWrite(job);
    await this.#segments.poison();
    this.#countFailure(ioError("flushing", path, cause));
  }

  #countFailure(error: unknown): void {
    this.#failedFlushes += 1;
    this.#failuresInARow += 1;
    if (this.#failuresInARow >= this.#limits.maxSyncFailures) throw error;
  }

  /** The next segment takes over where the durable log ends. See (3). */
  async #rotate(): Promise<void> {
    const lsn = this.#core.durableEnd;
    try {
      await this.#segments.take({ firstLsn: lsn, durableLsn: lsn });
    } catch (error) {
      if (!isStorageError(error, "BOP_DISK_FULL")) return this.#countFailure(error);
      if (this.#closed !== undefined) throw error;
      const { signal } = this.#closing;
      await this.#env.clock.sleep(this.#limits.retryMs, signal).catch(() => undefined);
    }
  }

  /** See (4). One timer, set again when it fires too soon, since a flush must cost no timer. */
  #prove(): void {
    this.#proofTimer = undefined;
    if (this.#failure !== undefined || this.#closed !== undefined) return;
    const restMs =
      this.#acknowledgedAtMs + this.#limits.idleProofMs - this.#env.clock.monotonicMs();
    if (restMs <= 0 && !this.#busy && this.#core.stageProof()) {
      this.kick();
      return;
    }
    const delayMs = restMs > 0 ? restMs : this.#limits.idleProofMs;
    this.#proofTimer = this.#env.clock.after(delayMs, () => this.#prove());
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    const why = cause instanceof Error ? cause.message : String(cause);
    const { durableLsn } = this.#core;
    const message = `the log takes no more writes since it failed: ${why}`;
    const error = new StorageError("BOP_READ_ONLY", message, {
      details: { durableLsn, why },
      cause,
    });
    this.#failure = error;
    this.#busy = false;
    this.#proofTimer?.dispose();
    this.#waiters.rejectAll((lsn) => this.#unknown(lsn, error));
    this.#failureListeners.tell(error);
  }

  #readOnly(failure: StorageError): StorageError {
    const { durableLsn } = this.#core;
    const details = { durableLsn, why: failure.message };
    return new StorageError("BOP_READ_ONLY", failure.message, { details, cause: failure });
  }

  #unknown(lsn: Lsn, cause: StorageError): StorageError {
    const { durableLsn } = this.#core;
    const message = `the commit at LSN ${lsn} may or may not survive: ${cause.message}`;
    return new StorageError("BOP_OUTCOME_UNKNOWN", message, {
      details: { lsn, durableLsn },
      cause,
    });
  }

  #backpressure(): StorageError {
    const batches = this.#core.backlogBytes / this.#limits.bufferBytes;
    const retryAfterMs = Math.max(1, Math.ceil(batches * (this.#pace.ms ?? 1)));
    const details = { full: "log backlog", retryAfterMs };
    const message = `${this.#core.backlogBytes} bytes wait for the log; retry in ${retryAfterMs} ms`;
    return new StorageError("BOP_BACKPRESSURE", message, { details });
  }
}

function closedError(): StorageError {
  return new StorageError("BOP_CLOSED", "the log is closed", { details: { what: "log" } });
}

/**
 * THE LOG WITH THE DISK: carries out what `LogCore` decides, on the segments that `SegmentStore`
 * keeps, and tells those who wait.
 *
 * (1) One write is in flight at a time. When it is durable, what was sealed meanwhile follows.
 * (2) A refused flush poisons its segment: the batch is written again, from memory, to a fresh one
 *     that takes over at its LSN. One too many in a row, and the log has failed for good (refusals.ts).
 * (3) A full device refuses new transactions and fails nobody: what is sealed waits in memory until
 *     there is room for the next segment, and then the log goes on by itself.
 * (4) When nothing was written for `idleProofMs` after an acknowledgement, an empty batch follows
 *     that proves the last one.
 * (5) A device that hangs is waited for. Its batch is neither written again nor given up, since it
 *     may still land; nobody is told that it is durable, and nobody new is let in.
 * (6) A flush within a call (`inline`) never happens while another one is in flight, needs no new
 *     segment, and acknowledges exactly as the other kind does.
 */
import { present } from "../base/assert.ts";
import type { Disposer, Env } from "../base/env.ts";
import type { StorageError } from "../base/errors.ts";
import { KIB, type Lsn, type StreamId } from "../base/units.ts";
import { wallMsOf } from "../base/wall-ms.ts";
import type { LogCore, WriteJob } from "../wal/index.ts";
import { Admission } from "./admission.ts";
import { FlushPace } from "./device/flush-pace.ts";
import type { OperationWatch } from "./device/operation-watch.ts";
import { closedError, failedForGood, outcomeUnknown, readOnly } from "./failure.ts";
import { FlushCounts, logStats } from "./flush-counts.ts";
import { HistoryReader } from "./history/history-reader.ts";
import { ShippableLog } from "./history/shippable.ts";
import { IdleProof } from "./idle-proof.ts";
import type {
  LogFault,
  LogHistory,
  LogShipping,
  LogStats,
  StagedFrames,
  StoredLog,
} from "./log.ts";
import type { LogLimits } from "./options.ts";
import type { SegmentMending } from "./recovery/mending.ts";
import { Refusals } from "./refusals.ts";
import type { SegmentStore } from "./segments/segment-store.ts";
import { StreamBacklog } from "./stream-backlog.ts";
import { Listeners, Waiters } from "./waiters.ts";

/** Larger batches are never flushed within a call: the thread would be held for too long. */
const INLINE_BYTES_MAX = 128 * KIB;

export interface LogParts {
  readonly env: Env;
  readonly storeId: Uint8Array;
  readonly limits: LogLimits;
  readonly core: LogCore;
  /** With an active segment that takes over at the core's end. */
  readonly segments: SegmentStore;
  /** Of everything that is done for the log. Its reports are to be handed to `reportFault`. */
  readonly watch: OperationWatch;
  readonly mending: SegmentMending;
}

interface Refused {
  readonly job: WriteJob;
  readonly cause: unknown;
}

export class LogController implements StoredLog {
  readonly history: LogHistory;
  readonly shipping: LogShipping;
  readonly #env: Env;
  readonly #limits: LogLimits;
  readonly #core: LogCore;
  readonly #segments: SegmentStore;
  readonly #waiters = new Waiters();
  readonly #durableListeners = new Listeners<Lsn>();
  readonly #failureListeners = new Listeners<StorageError>();
  readonly #faultListeners = new Listeners<LogFault>();
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;
  /** A batch is being written, or the next one is about to be. */
  #busy = false;
  #driving = Promise.resolve();
  #failure: StorageError | undefined;

  readonly #watch: OperationWatch;
  readonly #proof: IdleProof;
  readonly #pace = new FlushPace();
  readonly #streams = new StreamBacklog();
  readonly #admission: Admission;
  /** Who asked last had nothing else to run. */
  #inlineAsked = false;
  readonly #counts = new FlushCounts();
  readonly #refusals: Refusals;

  constructor({ env, storeId, limits, core, segments, watch, mending }: LogParts) {
    const { clock, storage } = env;
    const { held } = segments;
    const reading = { clock, storage, storeId, core, segments: held };
    this.history = new HistoryReader({ ...reading, mending });
    this.shipping = new ShippableLog(reading);
    this.#env = env;
    this.#limits = limits;
    this.#core = core;
    this.#segments = segments;
    this.#watch = watch;
    const refusals = new Refusals({
      ...{ clock, limits, core, segments, counts: this.#counts },
      closing: this.#closing.signal,
      tell: (fault) => this.reportFault(fault),
    });
    this.#refusals = refusals;
    const [pace, streams] = [this.#pace, this.#streams];
    const full = { pace, watch, streams, refusals };
    this.#admission = new Admission({ limits, core, segments, held, ...full });
    this.#proof = new IdleProof({
      clock,
      idleMs: limits.idleProofMs,
      prove: () => this.#prove(),
    });
  }

  get newestLsn(): Lsn {
    return this.#core.newestLsn;
  }

  get durableLsn(): Lsn {
    return this.#core.durableLsn;
  }

  get stats(): LogStats {
    const [core, segments, watch] = [this.#core, this.#segments, this.#watch];
    return logStats({ core, segments, watch }, this.#counts);
  }

  get inflightSegments(): number {
    return this.#segments.held.inflightCount;
  }

  admit(stream?: StreamId): void {
    this.#assertTakes();
    this.#admission.check(stream);
  }

  limitStream(stream: StreamId, maxBacklogBytes: number | undefined): void {
    this.#streams.limit(stream, maxBacklogBytes);
  }

  stage(stream: StreamId, options?: { readonly givesBack: boolean }): StagedFrames {
    if (!this.#core.inGroup) {
      this.#assertTakes();
      if (options?.givesBack !== true) this.#admission.checkRoom();
    }
    this.#core.begin(stream);
    return this.#streams.counted(stream, this.#core);
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
    const { durableLsn } = this.#core;
    const failure = this.#failure;
    if (failure !== undefined) return Promise.reject(outcomeUnknown(lsn, { durableLsn, failure }));
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

  onFault(listener: (fault: LogFault) => void): Disposer {
    return this.#faultListeners.add(listener);
  }

  reportFault(fault: LogFault): void {
    this.#faultListeners.tell(fault);
  }

  release(lsn: Lsn, horizonLsn?: Lsn): Promise<void> {
    return this.#segments.held.release(lsn, horizonLsn);
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  /** See (4). */
  proveWhenIdle(): void {
    this.#proof.acknowledged();
  }

  #assertTakes(): void {
    if (this.#failure !== undefined) throw readOnly(this.#failure, this.#core.durableLsn);
    if (this.#closed !== undefined) throw closedError();
  }

  async #drain(): Promise<void> {
    this.#closing.abort();
    this.#proof.stop();
    const proves = this.#proof.isDue || this.#core.nextWriteBytes > 0;
    await this.#settled();
    if (this.#failure === undefined && proves && this.#core.stageProof()) await this.#settled();
    await this.#segments.close();
    this.#watch.stop();
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
        if (this.#segments.roomBytes < bytes) await this.#refusals.tryRotate();
        else if (this.#mayFlushInline(bytes)) {
          const refused = this.#flushWithin();
          if (refused !== undefined) await this.#refusals.flushRefused(refused.job, refused.cause);
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
    const { file, path } = present(this.#segments.active, "an active segment");
    const startedMs = this.#env.clock.monotonicMs();
    const watched = this.#watch.begin({ operation: "flushing", file: path, startedMs });
    const job = this.#startWrite();
    try {
      await this.#refusals.tryWrite(job);
      this.#core.finishWrite(job);
      if (!file.writesAreDurable) await file.sync();
    } catch (cause) {
      this.#watch.end(watched);
      await this.#refusals.flushRefused(job, cause);
      return false;
    }
    this.#watch.end(watched);
    this.#pace.throughPool(this.#env.clock.monotonicMs() - startedMs);
    const durableLsn = this.#finish(job);
    const done = this.#core.nextWriteBytes === 0;
    if (done) this.#busy = false;
    this.#tell(durableLsn);
    return done;
  }

  #mayFlushInline(bytes: number): boolean {
    const { ms } = this.#pace;
    if (!this.#inlineAsked || bytes === 0) return false;
    if (ms === undefined || ms >= this.#limits.inlineFlushMs) return false;
    return bytes <= INLINE_BYTES_MAX && this.#segments.roomBytes >= bytes;
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
      if (!file.writesAreDurable) file.syncSync();
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
      await this.#refusals.flushRefused(job, cause);
    } catch (error) {
      this.#fail(error);
    }
    await this.#writeAll();
  }

  #startWrite(): WriteJob {
    const { sequence } = present(this.#segments.active, "an active segment");
    return this.#core.startWrite({ sequence, wallMs: wallMsOf(this.#env.clock) });
  }

  #finish(job: WriteJob): Lsn {
    const active = present(this.#segments.active, "an active segment");
    active.offset += job.bytes.length;
    this.#refusals.flushed();
    this.#counts.flushes += 1;
    this.#counts.writtenBytes += job.bytes.length;
    const durableLsn = this.#core.finishSync(job);
    if (active.offset * 2 > this.#limits.segmentBytes) this.#segments.prepareSoon();
    if (job.hasFrames && this.#closed === undefined) this.proveWhenIdle();
    return durableLsn;
  }

  #tell(durableLsn: Lsn): void {
    this.#waiters.resolveUpTo(durableLsn);
    this.#durableListeners.tell(durableLsn);
  }

  /** See (4). */
  #prove(): boolean {
    if (this.#failure !== undefined || this.#closed !== undefined) return true;
    if (this.#busy || !this.#core.stageProof()) return false;
    this.kick();
    return true;
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    const { durableLsn } = this.#core;
    const failure = failedForGood(cause, durableLsn);
    this.#failure = failure;
    this.#busy = false;
    this.#proof.stop();
    this.#waiters.rejectAll((lsn) => outcomeUnknown(lsn, { durableLsn, failure }));
    this.#failureListeners.tell(failure);
  }
}

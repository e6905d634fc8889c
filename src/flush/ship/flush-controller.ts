/**
 * SHIPS A STORE TO ITS BUCKET: the log in order, and states of the manifest with the chunks that they
 * name. The states that it goes through are drawn in flush-state.ts.
 *
 *      log durable ──► schedule ──► one object at a time ──► marks ──► who waits for `remote`
 *      checkpoint  ──► one state at a time, behind the log that it needs ──► marks
 *
 * (1) An outage of any length changes nothing but time: what was begun keeps its place, and is tried
 *     again with pauses for as long as it takes. Only what was refused for good becomes a dead letter.
 * (2) Two loops run in an epoch, one for the log and one for states. What ends the epoch for one of
 *     them ends it for both; the next begins when both have stopped.
 * (3) It is called for every flush of the log, and does no more then than compare two numbers.
 * (4) No epoch begins before a dead letter of the log is decided, whoever left it: an earlier process,
 *     or the epoch before, which ended for another reason.
 */
import type { Disposer } from "../../base/env.ts";
import { isStorageError, StorageError } from "../../base/errors.ts";
import { type ChunkId, LSN_ZERO, type Lsn, lsn } from "../../base/units.ts";
import { NumberedWriter } from "../lineage/numbered-writer.ts";
import { type BegunEpoch, beginEpoch, type Claim } from "./begin-epoch.ts";
import { Course, type EpochEnd } from "./course.ts";
import { type DeadLetter, letterOf } from "./dead-letters.ts";
import { type FlushState, moveFlush } from "./flush-state.ts";
import { type FlushFacts, type FlushStats, flushFacts } from "./flush-stats.ts";
import { shipLog } from "./log-loop.ts";
import type { FlushControllerOptions, LostListener, PumpStart } from "./ports.ts";
import { shipStates } from "./state-loop.ts";
import type { FaultListener } from "./troubles.ts";
import { WalPump } from "./wal-pump.ts";

const LOST = ["BOP_FENCED", "BOP_DIVERGED", "BOP_SINK_AHEAD", "BOP_SINK_FOREIGN"] as const;

interface Session extends BegunEpoch {
  readonly pump: WalPump;
  readonly beganMs: number;
}

export class FlushController {
  readonly #options: FlushControllerOptions;
  readonly #course: Course;
  readonly #life: { state: FlushState } = { state: "offline" };
  readonly #closing = new AbortController();
  readonly #lostListeners: LostListener[] = [];
  readonly #baseListeners: (() => void)[] = [];
  readonly #subscription: Disposer;
  #running: Promise<void> | undefined;
  #started: { resolve(): void; reject(error: unknown): void } | undefined;
  #session: Session | undefined;
  #isFit = false;
  readonly #claim: Claim = { epoch: undefined };

  constructor(options: FlushControllerOptions) {
    this.#options = options;
    const course = new Course(options, (isHalted) => this.#halted(isHalted));
    this.#course = course;
    const { clock, log } = options;
    this.#subscription = log.onDurable((durableLsn) => {
      if (course.schedule.durable(durableLsn, clock.monotonicMs())) course.logAlarm.ring();
    });
  }

  /** Every commit up to here is in the bucket, and can be restored from it. */
  get remoteLsn(): Lsn {
    return this.#course.mark.remoteLsn;
  }

  get unshippedBytes(): number {
    return this.#course.unshippedBytes;
  }

  get facts(): FlushFacts {
    const { store, clock, requests, retries, manifest } = this.#options;
    const { schedule, troubles, soFar } = this.#course;
    return flushFacts({
      requests: requests(),
      retries: retries(),
      location: store.location,
      state: this.#life.state,
      epoch: this.#session?.epoch,
      remoteLsn: this.remoteLsn,
      unshippedBytes: this.unshippedBytes,
      sinceMs: schedule.sinceMs,
      nowMs: clock.monotonicMs(),
      lastError: troubles.last,
      deadLetters: troubles.letters.all.length,
      lostWindows: [...manifest.opened.lostWindows, ...soFar.lost],
    });
  }

  get stats(): FlushStats {
    return { ...this.facts, lastState: this.#course.lastState };
  }

  get deadLetters(): readonly DeadLetter[] {
    return this.#course.troubles.letters.all;
  }

  /**
   * Resolves when it ships for the first time. Rejects when it never will, with what is in the way,
   * or when the bucket refuses; goes on trying while the bucket cannot be reached.
   */
  start(): Promise<void> {
    const started = new Promise<void>((resolve, reject) => {
      this.#started = { resolve, reject };
    });
    started.catch(() => undefined);
    this.#running ??= this.#run();
    return started;
  }

  onRemote(listener: (lsn: Lsn) => void): void {
    this.#course.onRemote(listener);
  }

  /** A state was shipped. */
  onState(listener: () => void): void {
    this.#course.onState(listener);
  }

  /** Of this process; undefined while it has none. */
  get epoch(): number | undefined {
    return this.#session?.epoch;
  }

  /** The file of a chunk may go here. Whoever has lost the bucket lets nothing go. */
  isSafe(chunk: ChunkId): boolean {
    const { state } = this.#life;
    return (state === "shipping" || state === "halted") && this.#options.pump.isSafe(chunk);
  }

  /** The log in the bucket begins above the newest checkpoint: only a new one makes it of use. */
  onBaseWanted(listener: () => void): void {
    this.#baseListeners.push(listener);
  }

  /** Nothing is shipped from here on. */
  onLost(listener: LostListener): void {
    this.#lostListeners.push(listener);
  }

  onFault(listener: FaultListener): void {
    this.#course.troubles.onFault(listener);
  }

  /** See (3): it hears of what is durable by itself. */
  consider(): void {}

  wanted(upToLsn: Lsn): void {
    const { schedule, logAlarm } = this.#course;
    if (upToLsn > this.remoteLsn && schedule.wanted(upToLsn)) logAlarm.ring();
  }

  checkpointed(): void {
    this.#course.stateAlarm.ring();
  }

  newBase(): void {
    this.#options.pump.newBase();
    this.#course.stateAlarm.ring();
  }

  async retryDeadLetter(id: number): Promise<void> {
    await this.#course.troubles.letters.decide(id, "retry");
  }

  async discardDeadLetter(id: number): Promise<void> {
    await this.#course.troubles.letters.decide(id, "discard");
  }

  /** Ships what is durable, and the newest state; gives up after the time. Does not throw. */
  async close({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    const course = this.#course;
    const { letters } = course.troubles;
    course.isDraining = true;
    course.schedule.hurry();
    const isHalted = letters.all.length > 0;
    letters.close();
    course.ring();
    const { state } = this.#life;
    if (state !== "shipping" || isHalted) this.#closing.abort();
    const deadline = this.#options.clock.deadline(timeoutMs, () => this.#closing.abort());
    await this.#running;
    deadline.dispose();
    this.#closing.abort();
    this.#subscription.dispose();
    if (this.#life.state !== "closed") this.#moveTo("closed");
  }

  #moveTo(state: FlushState): void {
    if (this.#life.state !== state) moveFlush(this.#life, state);
  }

  #halted(isHalted: boolean): void {
    if (isHalted) this.#moveTo("halted");
    else if (this.#session !== undefined && this.#life.state === "halted") this.#moveTo("shipping");
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    await this.#left();
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const session = await this.#begin(signal);
        attempt = -1;
        const ending = await this.#ship(session, signal);
        if (ending.type === "lost") this.#lose(ending.error);
        if (ending.type !== "next") return;
        this.#followedBy(session);
        await this.#left();
      } catch (error) {
        if (signal.aborted) break;
        if (!(await this.#beginsAgain(error, { attempt, signal }))) return;
      }
    }
    const details = { what: "sink" };
    this.#started?.reject(new StorageError("BOP_CLOSED", "the store was closed", { details }));
  }

  async #begin(signal: AbortSignal): Promise<Session> {
    const { clock, random, storeId, log, pump: chunks, flushBytes } = this.#options;
    const options = this.#options;
    const moveTo = (state: FlushState) => this.#moveTo(state);
    const course = this.#course;
    const { letters } = course.troubles;
    if (!this.#isFit) await options.ready?.(signal);
    this.#isFit = true;
    const claim = this.#claim;
    const { soFar } = course;
    const begun = await beginEpoch({ options, letters, soFar, claim, moveTo, signal });
    letters.begun();
    const { bucket, epoch, lineage, bucketLsn, fromLsn, isAnchored, anchorLsn, row } = begun;
    const { rows, lost } = course.soFar;
    const nowLost = begun.lost === undefined ? lost : [...lost, begun.lost];
    course.soFar = { ...course.soFar, rows: [...rows, row], lost: nowLost };
    const { lastWal: last } = lineage;
    const lastWal = last && { ...last, endLsn: lsn(last.endLsn) };
    const writer = new NumberedWriter({ bucket, kind: "wal", epoch, random });
    const ends = { bucketLsn, fromLsn, lastWal };
    const pump = new WalPump({ clock, storeId, log, writer, chunks, flushBytes, ...ends });
    const session = { ...begun, pump, beganMs: clock.monotonicMs() };
    await chunks.start(this.#pumpStart(session), signal);
    course.mark.begin(fromLsn, { isAnchored, anchorLsn });
    course.schedule.shipped(fromLsn, clock.monotonicMs());
    this.#session = session;
    this.#moveTo("shipping");
    course.troubles.last = undefined;
    if (log.durableLsn <= fromLsn) course.mark.shipped(undefined, log.durableLsn);
    log.shipping.shipped(fromLsn);
    course.archive(bucketLsn);
    course.tellRemote();
    this.#started?.resolve();
    this.#started = undefined;
    if (!isAnchored && options.checkpointLsn() < anchorLsn) {
      for (const listener of this.#baseListeners) listener();
    }
    return session;
  }

  #pumpStart({ bucket, epoch, lineage, pump, isAnchored, anchorLsn }: Session): PumpStart {
    return {
      ...{ bucket, epoch, lineage },
      checkpointLsnMin: isAnchored ? LSN_ZERO : anchorLsn,
      wal: () => pump.newest,
      hasNews: () => this.#course.stateAlarm.ring(),
      shipped: (upToLsn, signal = this.#closing.signal) => this.#course.shipped(upToLsn, signal),
    };
  }

  /** See (4). */
  async #left(): Promise<void> {
    const decision = this.#course.troubles.left("log");
    if (this.#course.troubles.letters.left("log") !== undefined) {
      this.#started?.resolve();
      this.#started = undefined;
    }
    await decision;
  }

  /** True if it is to begin again. */
  async #beginsAgain(
    error: unknown,
    { attempt, signal }: { readonly attempt: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    this.#course.troubles.last = error;
    if (error instanceof StorageError && LOST.some((code) => error.code === code)) {
      this.#lose(error);
      return false;
    }
    this.#moveTo("offline");
    if (isStorageError(error, "BOP_SINK_UNFIT")) {
      this.#started?.reject(error);
      this.#started = undefined;
      this.#course.troubles.report(error);
      return false;
    }
    if (letterOf(error, "log") !== undefined) {
      this.#started?.reject(error);
      this.#started = undefined;
      return (await this.#course.troubles.hold("log", { error, isKept: false })) !== "closed";
    }
    this.#course.troubles.report(error);
    return await this.#course.troubles.pause(attempt, signal);
  }

  /** See (2). */
  async #ship(session: Session, closing: AbortSignal): Promise<EpochEnd> {
    const cut = new AbortController();
    const stop = () => cut.abort(closing.reason);
    closing.addEventListener("abort", stop, { once: true });
    let first: EpochEnd | undefined;
    const end = (ending: EpochEnd | undefined) => {
      if (ending === undefined) return;
      first ??= ending;
      cut.abort();
    };
    const { signal } = cut;
    await Promise.all([
      shipLog(this.#course, session, signal).then(end),
      shipStates(this.#course, session.pump, signal).then(end),
    ]);
    await this.#options.pump.settled();
    closing.removeEventListener("abort", stop);
    return first ?? { type: "closed" };
  }

  /** A new epoch is to follow. */
  #followedBy({ pump }: Session): void {
    this.#session = undefined;
    const { soFar } = this.#course;
    const { newest: shipped = soFar.shipped } = pump;
    this.#course.soFar = { ...soFar, shipped };
  }

  #lose(error: StorageError): void {
    const isFenced = isStorageError(error, "BOP_FENCED");
    this.#moveTo(isFenced ? "fenced" : "diverged");
    this.#course.waiters.rejectAll(error);
    const told = isFenced ? withUnshipped(error, this.unshippedBytes) : error;
    this.#course.troubles.last = told;
    if (this.#started !== undefined) this.#started.reject(told);
    else for (const listener of this.#lostListeners) listener(told);
    this.#started = undefined;
  }
}

function withUnshipped(error: StorageError<"BOP_FENCED">, unshippedBytes: number): StorageError {
  const { details, message, cause } = error;
  return new StorageError("BOP_FENCED", `${message}; ${unshippedBytes} bytes were not shipped`, {
    details: { ...details, unshippedBytes },
    cause,
  });
}

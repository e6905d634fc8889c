/**
 * SHIPS A STORE TO ITS BUCKET: the log in order, and states of the manifest with the chunks that they
 * name. The states that it goes through are drawn in flush-state.ts.
 *
 *      log durable ──► schedule ──► one object at a time ──► marks ──► who waits for `remote`
 *      checkpoint  ──► one state at a time, behind the log that it needs ──► marks
 *
 * It is over 400 lines because both loops move the same marks and end each other's epochs.
 *
 * (1) An outage of any length changes nothing but time: what was begun keeps its place, and is tried
 *     again with pauses for as long as it takes. Only what was refused for good becomes a dead letter.
 * (2) Nothing is let go on this disk before the bucket has it, with a state that leads to it.
 * (3) Two loops run in an epoch, one for the log and one for states. What ends the epoch for one of
 *     them ends it for both; the next begins when both have stopped.
 * (4) It is called for every flush of the log, and does no more then than compare two numbers.
 */
import type { Disposer } from "../../base/env.ts";
import { isStorageError, StorageError } from "../../base/errors.ts";
import { LSN_ZERO, type Lsn, lsn } from "../../base/units.ts";
import { NumberedWriter } from "../lineage/numbered-writer.ts";
import { Alarm } from "./alarm.ts";
import { type BegunEpoch, beginEpoch, type EpochsSoFar } from "./begin-epoch.ts";
import { CountedStore } from "./counted-store.ts";
import { type DeadLetter, letterOf } from "./dead-letters.ts";
import { type FlushState, moveFlush } from "./flush-state.ts";
import { type FlushFacts, type FlushStats, flushFacts } from "./flush-stats.ts";
import type { FlushControllerOptions, LostListener, PumpStart, ShippedState } from "./ports.ts";
import { RemoteMark } from "./remote-mark.ts";
import { ShippedWaiters } from "./shipped-waiters.ts";
import { type FaultListener, Troubles } from "./troubles.ts";
import { WalPump } from "./wal-pump.ts";
import { WalSchedule } from "./wal-schedule.ts";

/** How an epoch, or all shipping, came to its end. */
type Ending =
  | { readonly type: "next"; readonly discards: boolean }
  | { readonly type: "lost"; readonly error: StorageError }
  | { readonly type: "closed" };

const LOST = ["BOP_FENCED", "BOP_DIVERGED", "BOP_SINK_AHEAD", "BOP_SINK_FOREIGN"] as const;

interface Session extends BegunEpoch {
  readonly pump: WalPump;
  readonly beganMs: number;
}

export class FlushController {
  readonly #options: FlushControllerOptions;
  readonly #store: CountedStore;
  readonly #mark: RemoteMark;
  readonly #schedule: WalSchedule;
  readonly #waiters = new ShippedWaiters();
  readonly #troubles: Troubles;
  readonly #life: { state: FlushState } = { state: "offline" };
  readonly #closing = new AbortController();
  readonly #logAlarm: Alarm;
  readonly #stateAlarm: Alarm;
  readonly #remoteListeners: ((lsn: Lsn) => void)[] = [];
  readonly #lostListeners: LostListener[] = [];
  readonly #subscription: Disposer;
  #running: Promise<void> | undefined;
  #started: { resolve(): void; reject(error: unknown): void } | undefined;
  #session: Session | undefined;
  #soFar: EpochsSoFar;
  #isDraining = false;
  #statesDone = false;
  #lastState: (ShippedState & { readonly atMs: number }) | undefined;

  constructor(options: FlushControllerOptions) {
    const { clock, random, log, manifest, flushBytes, flushIntervalMs } = options;
    const { shipping } = manifest.opened;
    this.#store = new CountedStore(options.store);
    this.#options = { ...options, store: this.#store };
    const isRestorable = shipping !== undefined && shipping.shippedGeneration > 0;
    this.#mark = new RemoteMark(isRestorable ? shipping.shippedLsn : LSN_ZERO);
    this.#schedule = new WalSchedule({ flushBytes, flushIntervalMs }, log.durableLsn);
    const halted = (isHalted: boolean) => this.#halted(isHalted);
    this.#troubles = new Troubles({ clock, random, halted });
    this.#logAlarm = new Alarm(clock);
    this.#stateAlarm = new Alarm(clock);
    this.#soFar = {
      ...{ shipped: undefined, isAnchored: undefined },
      ...{ hasState: false, rows: [], discards: false },
    };
    this.#subscription = log.onDurable((durableLsn) => {
      if (this.#schedule.durable(durableLsn, clock.monotonicMs())) this.#logAlarm.ring();
    });
  }

  /** Every commit up to here is in the bucket, and can be restored from it. */
  get remoteLsn(): Lsn {
    return this.#mark.remoteLsn;
  }

  get unshippedBytes(): number {
    return Math.max(0, this.#options.log.durableLsn - this.#mark.shippedLsn);
  }

  get facts(): FlushFacts {
    const { store, clock } = this.#options;
    return flushFacts({
      location: store.location,
      state: this.#life.state,
      epoch: this.#session?.epoch,
      remoteLsn: this.remoteLsn,
      unshippedBytes: this.unshippedBytes,
      sinceMs: this.#schedule.sinceMs,
      nowMs: clock.monotonicMs(),
      lastError: this.#troubles.last,
      deadLetters: this.#troubles.letters.all.length,
    });
  }

  get stats(): FlushStats {
    return {
      ...this.facts,
      requests: this.#store.counts,
      retries: this.#options.retries(),
      lastState: this.#lastState,
    };
  }

  get deadLetters(): readonly DeadLetter[] {
    return this.#troubles.letters.all;
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
    this.#remoteListeners.push(listener);
  }

  /** Nothing is shipped from here on. */
  onLost(listener: LostListener): void {
    this.#lostListeners.push(listener);
  }

  onFault(listener: FaultListener): void {
    this.#troubles.onFault(listener);
  }

  /** See (4): it hears of what is durable by itself. */
  consider(): void {}

  wanted(upToLsn: Lsn): void {
    if (upToLsn > this.remoteLsn && this.#schedule.wanted(upToLsn)) this.#logAlarm.ring();
  }

  checkpointed(): void {
    this.#stateAlarm.ring();
  }

  async retryDeadLetter(id: number): Promise<void> {
    this.#troubles.letters.decide(id, "retry");
  }

  async discardDeadLetter(id: number): Promise<void> {
    this.#troubles.letters.decide(id, "discard");
  }

  /** Ships what is durable, and the newest state; gives up after the time. Does not throw. */
  async close({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    this.#isDraining = true;
    this.#schedule.hurry();
    const isHalted = this.#troubles.letters.all.length > 0;
    this.#troubles.letters.close();
    this.#logAlarm.ring();
    this.#stateAlarm.ring();
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
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const session = await this.#begin(signal);
        attempt = -1;
        const ending = await this.#ship(session, signal);
        if (ending.type === "lost") this.#lose(ending.error);
        if (ending.type !== "next") return;
        this.#followedBy(session, ending.discards);
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
    const begun = await beginEpoch({ options, soFar: this.#soFar, moveTo, signal });
    const { bucket, epoch, lineage, bucketLsn, fromLsn, isAnchored, anchorLsn, row } = begun;
    this.#soFar = { ...this.#soFar, rows: [...this.#soFar.rows, row] };
    const { lastWal: last } = lineage;
    const lastWal = last && { ...last, endLsn: lsn(last.endLsn) };
    const writer = new NumberedWriter({ bucket, kind: "wal", epoch, random });
    const reading = { storeId, log, writer, chunks, flushBytes, bucketLsn, fromLsn, lastWal };
    const pump = new WalPump(reading);
    const session = { ...begun, pump, beganMs: clock.monotonicMs() };
    await chunks.start(this.#pumpStart(session));
    this.#soFar = { ...this.#soFar, discards: false, isAnchored };
    this.#mark.begin(fromLsn, { isAnchored, anchorLsn });
    this.#schedule.shipped(fromLsn, clock.monotonicMs());
    this.#session = session;
    this.#moveTo("shipping");
    this.#troubles.last = undefined;
    if (log.durableLsn <= fromLsn) this.#mark.shipped(undefined, log.durableLsn);
    log.shipping.shipped(fromLsn);
    this.#archive(bucketLsn);
    this.#tellRemote();
    this.#started?.resolve();
    this.#started = undefined;
    return session;
  }

  #pumpStart({ bucket, epoch, lineage, pump, isAnchored, anchorLsn }: Session): PumpStart {
    return {
      ...{ bucket, epoch, lineage },
      checkpointLsnMin: isAnchored ? LSN_ZERO : anchorLsn,
      wal: () => pump.newest,
      shipped: (upToLsn, signal) => {
        if (upToLsn <= this.#mark.shippedLsn) return Promise.resolve();
        this.#schedule.floor(upToLsn);
        this.#logAlarm.ring();
        return this.#waiters.wait(upToLsn, signal ?? this.#closing.signal);
      },
    };
  }

  /** True if it is to begin again. */
  async #beginsAgain(
    error: unknown,
    { attempt, signal }: { readonly attempt: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    this.#troubles.last = error;
    if (error instanceof StorageError && LOST.some((code) => error.code === code)) {
      this.#lose(error);
      return false;
    }
    this.#moveTo("offline");
    if (letterOf(error, "log") !== undefined) {
      this.#started?.reject(error);
      this.#started = undefined;
      return (await this.#troubles.hold("log", error)) !== "closed";
    }
    this.#troubles.report(error);
    return await this.#troubles.pause(attempt, signal);
  }

  /** See (3). */
  async #ship(session: Session, closing: AbortSignal): Promise<Ending> {
    const cut = new AbortController();
    const stop = () => cut.abort(closing.reason);
    closing.addEventListener("abort", stop, { once: true });
    let first: Ending | undefined;
    const end = (ending: Ending | undefined) => {
      if (ending === undefined) return;
      first ??= ending;
      cut.abort();
    };
    const { signal } = cut;
    await Promise.all([
      this.#shipLog(session, signal).then(end),
      this.#shipStates(signal).then(end),
    ]);
    closing.removeEventListener("abort", stop);
    return first ?? { type: "closed" };
  }

  async #shipLog({ pump, beganMs }: Session, signal: AbortSignal): Promise<Ending | undefined> {
    const { clock, epochMs } = this.#options;
    for (let attempt = 0; !signal.aborted; ) {
      const nowMs = clock.monotonicMs();
      const isOld = nowMs >= beganMs + epochMs && this.#soFar.hasState;
      if (isOld && !pump.isPending && !this.#isDraining) return { type: "next", discards: false };
      const dueMs = pump.isPending ? nowMs : this.#schedule.dueMs(nowMs);
      if (dueMs === undefined && this.#isDraining && this.#statesDone) return undefined;
      if (dueMs === undefined || dueMs > nowMs) {
        await this.#logAlarm.sleep(dueMs, signal);
        continue;
      }
      try {
        await this.#step(pump, signal);
        attempt = 0;
      } catch (error) {
        const ending = await this.#troubled(error, { part: "log", attempt: attempt++, signal });
        if (ending !== undefined) return ending;
      }
    }
    return undefined;
  }

  async #step(pump: WalPump, signal: AbortSignal): Promise<void> {
    const { log, clock } = this.#options;
    const { durableLsn } = log;
    const { floorLsn } = this.#schedule;
    const step = await pump.step(floorLsn, signal);
    this.#troubles.last = undefined;
    if (step.type === "index") return;
    if (step.type === "nothing") this.#schedule.nothing(durableLsn, floorLsn);
    const endLsn = step.type === "log" ? step.endLsn : undefined;
    this.#mark.shipped(endLsn, step.settledLsn);
    if (endLsn !== undefined) {
      this.#schedule.shipped(endLsn, clock.monotonicMs());
      this.#soFar = { ...this.#soFar, shipped: pump.newest };
      this.#waiters.resolveUpTo(endLsn);
      log.shipping.shipped(endLsn);
    }
    this.#tellRemote();
  }

  async #shipStates(signal: AbortSignal): Promise<Ending | undefined> {
    const { clock, pump, flushIntervalMs } = this.#options;
    let nextMs = 0;
    for (let attempt = 0; !signal.aborted; ) {
      const nowMs = clock.monotonicMs();
      const isDue = pump.isDue(nowMs);
      if (!isDue && this.#isDraining) break;
      if (!isDue || (nowMs < nextMs && !this.#isDraining)) {
        await this.#stateAlarm.sleep(isDue ? nextMs : undefined, signal);
        continue;
      }
      try {
        const newest = this.#session?.pump.newest;
        this.#stateShipped(await pump.round(signal));
        this.#archive(newest?.endLsn);
        attempt = 0;
      } catch (error) {
        const part = "manifest";
        const ending = await this.#troubled(error, { part, attempt: attempt++, signal });
        if (ending !== undefined) return ending;
        if (this.#isDraining && this.#troubles.letters.isClosed) break;
      }
      nextMs = clock.monotonicMs() + flushIntervalMs;
    }
    this.#statesDone = true;
    this.#logAlarm.ring();
    return undefined;
  }

  #stateShipped(state: ShippedState): void {
    this.#mark.stateShipped(state.checkpointLsn);
    this.#lastState = { ...state, atMs: this.#options.clock.wallMs() };
    this.#soFar = { ...this.#soFar, hasState: true, isAnchored: this.#mark.isAnchored };
    this.#tellRemote();
  }

  /** What ends the epoch, if it is that. Otherwise it has waited, and the same is to be tried again. */
  async #troubled(
    error: unknown,
    by: { readonly part: "log" | "manifest"; readonly attempt: number; signal: AbortSignal },
  ): Promise<Ending | undefined> {
    const { part, attempt, signal } = by;
    if (signal.aborted) return undefined;
    this.#troubles.last = error;
    if (isStorageError(error, "BOP_FENCED")) return { type: "lost", error };
    if (isStorageError(error, "BOP_CLOSED")) return { type: "closed" };
    if (letterOf(error, part) === undefined) {
      this.#troubles.report(error);
      const goesOn = (await this.#troubles.pause(attempt, signal)) || signal.aborted;
      return goesOn ? undefined : { type: "closed" };
    }
    const decision = await this.#troubles.hold(part, error);
    if (signal.aborted) return undefined;
    if (decision === "closed" && part === "log") return { type: "closed" };
    return decision === "discard" && part === "log" ? { type: "next", discards: true } : undefined;
  }

  /** A new epoch is to follow. */
  #followedBy({ pump }: Session, discards: boolean): void {
    this.#session = undefined;
    const { newest: shipped = this.#soFar.shipped } = pump;
    this.#soFar = { ...this.#soFar, shipped, discards };
  }

  #lose(error: StorageError): void {
    const isFenced = isStorageError(error, "BOP_FENCED");
    this.#moveTo(isFenced ? "fenced" : "diverged");
    this.#waiters.rejectAll(error);
    const told = isFenced ? withUnshipped(error, this.unshippedBytes) : error;
    this.#troubles.last = told;
    if (this.#started !== undefined) this.#started.reject(told);
    else for (const listener of this.#lostListeners) listener(told);
    this.#started = undefined;
  }

  #tellRemote(): void {
    for (const listener of this.#remoteListeners) listener(this.#mark.remoteLsn);
  }

  /** The manifest remembers that the bucket has the log up to here. See (2). */
  #archive(upToLsn: Lsn | undefined): void {
    if (upToLsn === undefined || !this.#mark.isAnchored) return;
    this.#options.log.shipping.archived(upToLsn).catch((error: unknown) => {
      this.#troubles.report(error);
    });
  }
}

function withUnshipped(error: StorageError<"BOP_FENCED">, unshippedBytes: number): StorageError {
  const { details, message, cause } = error;
  return new StorageError("BOP_FENCED", `${message}; ${unshippedBytes} bytes were not shipped`, {
    details: { ...details, unshippedBytes },
    cause,
  });
}

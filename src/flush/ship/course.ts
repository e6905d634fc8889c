/**
 * HOW FAR SHIPPING IS, and what both loops of an epoch do to it: marks move, those who wait are told,
 * and what goes wrong ends the epoch or is waited out.
 *
 * (1) Nothing is let go on this disk before the bucket has it, with a state that leads to it.
 */
import { isStorageError, type StorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";
import { Alarm } from "./alarm.ts";
import type { EpochsSoFar } from "./begin-epoch.ts";
import { letterOf } from "./dead-letters.ts";
import type { FlushControllerOptions, ShippedState } from "./ports.ts";
import { rememberedOf, restorableLsn, waitsFrom } from "./remembered.ts";
import { RemoteMark } from "./remote-mark.ts";
import { ShippedWaiters } from "./shipped-waiters.ts";
import { Troubles, unlessAborted } from "./troubles.ts";
import { WalSchedule } from "./wal-schedule.ts";

/** How an epoch, or all shipping, came to its end. */
export type EpochEnd =
  | { readonly type: "next" }
  | { readonly type: "lost"; readonly error: StorageError }
  | { readonly type: "closed" };

interface Trouble {
  readonly part: "log" | "manifest";
  /** So often the same went wrong before. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

export class Course {
  readonly options: FlushControllerOptions;
  readonly mark: RemoteMark;
  readonly schedule: WalSchedule;
  readonly waiters = new ShippedWaiters();
  readonly troubles: Troubles;
  readonly logAlarm: Alarm;
  readonly stateAlarm: Alarm;
  soFar: EpochsSoFar = { shipped: undefined, hasState: false, rows: [], lost: [] };
  /** The store is being closed: what there is goes, and nothing is waited for. */
  isDraining = false;
  /** There is no state to ship any more. */
  isStatesDone = false;
  lastState: (ShippedState & { readonly atMs: number }) | undefined;
  readonly #remoteListeners: ((lsn: Lsn) => void)[] = [];
  readonly #stateListeners: (() => void)[] = [];

  constructor(options: FlushControllerOptions, halted: (isHalted: boolean) => void) {
    const { clock, random, log, manifest, flushBytes, flushIntervalMs, store } = options;
    this.options = options;
    const remembered = rememberedOf(manifest.opened, store.location);
    this.mark = new RemoteMark(restorableLsn(remembered.shipping), waitsFrom(remembered));
    this.schedule = new WalSchedule({ flushBytes, flushIntervalMs }, log.durableLsn);
    const unshippedBytes = () => this.unshippedBytes;
    const mending = { manifest, location: store.location, unshippedBytes, halted };
    this.troubles = new Troubles({ clock, random, ...mending });
    this.logAlarm = new Alarm(clock);
    this.stateAlarm = new Alarm(clock);
  }

  get unshippedBytes(): number {
    return Math.max(0, this.options.log.durableLsn - this.mark.waitsFromLsn);
  }

  onRemote(listener: (lsn: Lsn) => void): void {
    this.#remoteListeners.push(listener);
  }

  onState(listener: () => void): void {
    this.#stateListeners.push(listener);
  }

  tellRemote(): void {
    for (const listener of this.#remoteListeners) listener(this.mark.remoteLsn);
  }

  tellState(): void {
    for (const listener of this.#stateListeners) listener();
  }

  ring(): void {
    this.logAlarm.ring();
    this.stateAlarm.ring();
  }

  /** Resolves when the bucket has the log up to there: that is shipped at once. */
  shipped(upToLsn: Lsn, signal: AbortSignal): Promise<void> {
    if (upToLsn <= this.mark.shippedLsn) return Promise.resolve();
    this.schedule.floor(upToLsn);
    this.logAlarm.ring();
    return this.waiters.wait(upToLsn, signal);
  }

  /** The manifest remembers that the bucket has the log up to here. See (1). */
  archive(upToLsn: Lsn | undefined): void {
    if (upToLsn === undefined || !this.mark.isAnchored) return;
    this.options.log.shipping.archived(upToLsn).catch((error: unknown) => {
      this.troubles.report(error);
    });
  }

  /** What ends the epoch, if it is that. Otherwise it has waited, and the same is to be tried again. */
  async troubled(
    error: unknown,
    { part, attempt, signal }: Trouble,
  ): Promise<EpochEnd | undefined> {
    const { troubles } = this;
    if (signal.aborted) return undefined;
    troubles.last = error;
    if (isStorageError(error, "BOP_FENCED")) return { type: "lost", error };
    if (isStorageError(error, "BOP_CLOSED")) return { type: "closed" };
    if (letterOf(error, part) === undefined) {
      troubles.report(error);
      const goesOn = (await troubles.pause(attempt, signal)) || signal.aborted;
      return goesOn ? undefined : { type: "closed" };
    }
    // The other loop may end the epoch meanwhile, of which nobody must be told later for a letter.
    const decision = await unlessAborted(troubles.hold(part, { error, isKept: true }), signal);
    if (signal.aborted) return undefined;
    if (decision === "closed" && part === "log") return { type: "closed" };
    return decision === "discard" ? { type: "next" } : undefined;
  }
}

/**
 * WHEN THE NEXT LOG OBJECT IS DUE. Pure: it is told the time and what happens.
 *
 *   at once           somebody waits for the bucket, a whole object is there, or the store closes
 *   after a while     `flushIntervalMs` after the first of what waits became durable
 *   never             nothing waits; or what waits was looked at, and was nothing to ship
 *
 * (1) While an object is on its way nothing else is due: what becomes durable meanwhile goes with
 *     the next one.
 */
import { LSN_ZERO, type Lsn, laterLsn } from "../../base/units.ts";

export interface ScheduleLimits {
  readonly flushBytes: number;
  readonly flushIntervalMs: number;
}

export class WalSchedule {
  readonly #limits: ScheduleLimits;
  #durableLsn: Lsn;
  #shippedLsn: Lsn = LSN_ZERO;
  /** Commits up to here were asked for. */
  #wantedLsn: Lsn = LSN_ZERO;
  /** Bytes up to here were asked for. */
  #floorLsn: Lsn = LSN_ZERO;
  /** Since when something waits; undefined if nothing does. */
  #sinceMs: number | undefined;
  /** Of `durableLsn` and `floorLsn`, when there was nothing to ship. */
  #seen: { readonly durableLsn: Lsn; readonly floorLsn: Lsn } | undefined;
  #hurries = false;

  constructor(limits: ScheduleLimits, durableLsn: Lsn) {
    this.#limits = limits;
    this.#durableLsn = durableLsn;
  }

  get floorLsn(): Lsn {
    return this.#floorLsn;
  }

  get unshippedBytes(): number {
    return Math.max(0, this.#durableLsn - this.#shippedLsn);
  }

  /** Since when the oldest of it waits; undefined if nothing does. */
  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  /** On the path of every flush. True if that may have made something due. */
  durable(lsn: Lsn, nowMs: number): boolean {
    this.#durableLsn = lsn;
    if (this.#sinceMs === undefined) {
      this.#sinceMs = nowMs;
      return true;
    }
    return this.#wantedLsn > this.#shippedLsn || this.unshippedBytes >= this.#limits.flushBytes;
  }

  /** Somebody waits for the commits up to here. True if that may have made something due. */
  wanted(lsn: Lsn): boolean {
    const isNews = lsn > this.#wantedLsn;
    this.#wantedLsn = laterLsn(this.#wantedLsn, lsn);
    return isNews;
  }

  /** A state waits for the log up to here, which is known elsewhere to be durable. */
  floor(lsn: Lsn): void {
    this.#floorLsn = laterLsn(this.#floorLsn, lsn);
  }

  /** All that there is, at once, from now on. */
  hurry(): void {
    this.#hurries = true;
  }

  /** The bucket has the log up to here. */
  shipped(lsn: Lsn, nowMs: number): void {
    this.#shippedLsn = lsn;
    this.#seen = undefined;
    this.#sinceMs = this.#durableLsn > lsn ? nowMs : undefined;
  }

  /** It was looked at: nothing was to be shipped of what was durable then. */
  nothing(durableLsn: Lsn, floorLsn: Lsn): void {
    this.#seen = { durableLsn, floorLsn };
    if (this.#durableLsn === durableLsn) this.#sinceMs = undefined;
  }

  /** Undefined: not before something happens. */
  dueMs(nowMs: number): number | undefined {
    const { flushBytes, flushIntervalMs } = this.#limits;
    if (this.#durableLsn <= this.#shippedLsn || this.#isSeen) return undefined;
    const isAsked = this.#wantedLsn > this.#shippedLsn || this.#floorLsn > this.#shippedLsn;
    if (isAsked || this.#hurries || this.unshippedBytes >= flushBytes) return nowMs;
    return (this.#sinceMs ?? nowMs) + flushIntervalMs;
  }

  get #isSeen(): boolean {
    const { durableLsn, floorLsn } = this.#seen ?? {};
    return durableLsn === this.#durableLsn && floorLsn === this.#floorLsn;
  }
}

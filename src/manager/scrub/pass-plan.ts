/**
 * ONE PASS AFTER THE OTHER OVER EVERYTHING THERE IS: when its next piece is due, and what of it outlives
 * the process. Pure: it is told the time, and what was read.
 *
 *             due                      the last piece
 *     resting ───► under way ─────────────────────────► resting
 *                    │  ▲ the next piece, at its share of the time
 *                    └──┘
 *
 * (1) A pass is spread over seven eighths of its interval, by bytes: a piece is due when as much of
 *     that time has passed as of the bytes lie before it. Then it rests for the last eighth. So
 *     between two readings of a piece lies one interval, as long as the reader keeps up.
 * (2) One that is behind, because the store was closed or the device is slow, has all pieces due
 *     until it has caught up: how fast that goes is bounded elsewhere (pace.ts).
 * (3) Times are by the wall, since they outlive the process. A clock that was put back moves what was
 *     noted before it to now; one that was put forward makes the pass late, and (2) follows.
 * (4) A pass that was cut off goes on behind the last piece that was noted.
 */
import type { PassRow } from "./scrub-rows.ts";

export interface PassBytes {
  /** Before and with the position of the row. */
  readonly doneBytes: number;
  readonly leftBytes: number;
}

const SPREAD = 7 / 8;

export class PassPlan {
  readonly #everyMs: number;
  #row: PassRow;
  #doneBytes = 0;
  #leftBytes = 0;
  /** Read in this pass by this process. */
  #readBytes = 0;
  /** Found in this pass by this process, or noted by one before it. */
  #problem = "";

  constructor(everyMs: number, row: PassRow) {
    this.#everyMs = everyMs;
    this.#row = row;
    if (this.isUnderWay) this.#problem = row.problem;
  }

  /** As it is to be noted. */
  get row(): PassRow {
    return this.#row;
  }

  get isUnderWay(): boolean {
    return this.#row.beganMs > 0;
  }

  /** Of the pass under way. */
  get bytes(): { readonly doneBytes: number; readonly totalBytes: number } {
    return { doneBytes: this.#doneBytes, totalBytes: this.#doneBytes + this.#leftBytes };
  }

  /** How much of the pass under way is done, from 0 to 1. */
  get share(): number {
    const { doneBytes, totalBytes } = this.bytes;
    return this.isUnderWay && totalBytes > 0 ? doneBytes / totalBytes : 0;
  }

  /** How long until there is something to do, in milliseconds; Infinity if there never is. */
  dueInMs(nowMs: number): number {
    if (this.#everyMs === 0) return Number.POSITIVE_INFINITY;
    this.#notLaterThan(nowMs);
    return Math.max(0, this.#dueMs() - nowMs);
  }

  /** A pass begins, or goes on after the store was opened: so much lies before it. */
  begin(nowMs: number, { doneBytes, leftBytes }: PassBytes): void {
    this.#doneBytes = doneBytes;
    this.#leftBytes = leftBytes;
    if (this.isUnderWay) return;
    this.#problem = "";
    this.#readBytes = 0;
    this.#row = { ...this.#row, beganMs: Math.max(1, nowMs), position: "" };
  }

  took(piece: {
    readonly position: string;
    readonly bytes: number;
    readonly problem: string;
  }): void {
    const { position, bytes, problem } = piece;
    this.#doneBytes += bytes;
    this.#leftBytes = Math.max(0, this.#leftBytes - bytes);
    this.#readBytes += bytes;
    if (this.#problem === "") this.#problem = problem;
    this.#row = { ...this.#row, position, problem: this.#problem };
  }

  end(nowMs: number): void {
    const lastTriedMs = Math.max(1, nowMs);
    const lastGoodMs = this.#problem === "" ? lastTriedMs : this.#row.lastGoodMs;
    const [bytes, problem] = [this.#readBytes, this.#problem];
    this.#row = { lastGoodMs, lastTriedMs, bytes, problem, beganMs: 0, position: "" };
    this.#doneBytes = this.#leftBytes = 0;
  }

  #dueMs(): number {
    const { beganMs, lastTriedMs } = this.#row;
    if (beganMs > 0) return beganMs + this.#everyMs * SPREAD * this.share;
    if (lastTriedMs === 0) return 0;
    return lastTriedMs + this.#everyMs * (1 - SPREAD);
  }

  /** See (3). */
  #notLaterThan(nowMs: number): void {
    const { beganMs, lastTriedMs, lastGoodMs } = this.#row;
    const began = beganMs <= nowMs ? beganMs : nowMs - this.#everyMs * SPREAD * this.share;
    this.#row = {
      ...this.#row,
      beganMs: beganMs > 0 ? Math.max(1, began) : 0,
      lastTriedMs: Math.min(lastTriedMs, nowMs),
      lastGoodMs: Math.min(lastGoodMs, nowMs),
    };
  }
}

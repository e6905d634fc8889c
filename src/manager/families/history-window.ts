/**
 * THE HISTORY WINDOW of an open store: keeps page store and log to one horizon.
 *
 * (1) A checkpoint asks for the horizon, and drops the states of databases that lie below it; what
 *     the log lets go when the checkpoint is done is bounded by that same horizon.
 * (2) The disk is for what is new: where a checkpoint finds no room, the history of the log goes.
 * (3) Time is the log's: never before what is in it (wal/batch.ts), so that a clock that was set back
 *     does not make what was written since look old.
 */
import type { Clock } from "../../base/env.ts";
import { LSN_ZERO, type Lsn, laterLsn } from "../../base/units.ts";
import type { PageStore } from "../../page-store/index.ts";
import type { StoredLog } from "../../write/index.ts";
import { horizonOf } from "./horizon.ts";

export interface WindowOptions {
  readonly historyMs: number;
  readonly historyBytes: number;
}

export interface WindowGround {
  readonly clock: Clock;
  readonly pages: Pick<PageStore, "checkpoints" | "checkpointLsn">;
  readonly log: Pick<StoredLog, "newestLsn" | "history" | "release">;
}

export class HistoryWindow {
  readonly #options: WindowOptions;
  #ground: WindowGround | undefined;
  /** Until the first checkpoint: what there is of history stays. */
  #horizonLsn: Lsn = LSN_ZERO;

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  /** Nothing of the past is kept but what is pinned. */
  get isClosed(): boolean {
    return this.#options.historyMs === 0 || this.#options.historyBytes === 0;
  }

  attach(ground: WindowGround): void {
    this.#ground = ground;
  }

  /** Of the checkpoint that begins now. */
  next(): Lsn {
    const ground = this.#ground;
    if (ground === undefined) return this.#horizonLsn;
    const { clock, pages, log } = ground;
    const { history, newestLsn } = log;
    const { historyMs, historyBytes } = this.#options;
    this.#horizonLsn = horizonOf({
      checkpoints: pages.checkpoints,
      nowMs: Math.max(clock.wallMs(), history.newestMs),
      historyMs,
      floorLsn: history.floorLsn(newestLsn, historyBytes),
      passedLsn: this.#horizonLsn,
    });
    return this.#horizonLsn;
  }

  /** See (2). False if there is nothing to give up. */
  async giveUp(): Promise<boolean> {
    const ground = this.#ground;
    if (ground === undefined || ground.log.history.segments === 0) return false;
    const { checkpointLsn } = ground.pages;
    this.#horizonLsn = laterLsn(this.#horizonLsn, checkpointLsn);
    await ground.log.release(checkpointLsn, checkpointLsn);
    return true;
  }

  /** States below it may be gone already. */
  get passedLsn(): Lsn {
    return this.#horizonLsn;
  }

  /** Of the checkpoint that was published last: what the log lets go at most. Undefined: all. */
  get horizonLsn(): Lsn | undefined {
    return this.isClosed ? undefined : this.#horizonLsn;
  }
}

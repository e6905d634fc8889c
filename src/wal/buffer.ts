/**
 * LIFE OF A BUFFER: the memory of one batch, from its first frame until a power cut can no longer
 * take it.
 *
 *            seal            startWrite            finishWrite            finishSync
 *     open ────────► staged ────────────► writing ─────────────► written ────────────► durable
 *      ▲                                   ▲    │                   │                     │
 *      │                        startWrite │    │ failWrite         │ failWrite           │ reuse
 *      │                                   │    ▼                   ▼                     │
 *      │                                   failed ◄─────────────────┘                     │
 *      └──────────────────────────────────────────────────────────────────────────────────┘
 *
 *   open      Takes frames. What it holds is not part of the log yet.
 *   staged    Holds a sealed commit, or the front of one. The newest staged buffer still takes
 *             frames; what a later commit adds may be discarded again.
 *   writing   With the device: no byte of it changes.
 *   written   The device has taken it; a power cut may still take it back.
 *   durable   A power cut can no longer take it. Its memory may be used again.
 *   failed    The device refused it. It is written again, to another segment.
 */
import { assert } from "../base/assert.ts";
import { StateTable } from "../base/state-table.ts";
import { type Lsn, lsnAfter } from "../base/units.ts";
import { BATCH_HEADER, batchBytes } from "./batch.ts";

export type BufferState = "open" | "staged" | "writing" | "written" | "durable" | "failed";

const NEXT = new StateTable<BufferState>("buffer", {
  open: ["staged"],
  staged: ["writing"],
  writing: ["written", "failed"],
  written: ["durable", "failed"],
  durable: ["open"],
  failed: ["writing"],
});

export class BatchBuffer {
  readonly bytes: Uint8Array;
  /** Where the next frame goes, counted from the beginning of the batch. */
  at = BATCH_HEADER.sizeBytes;
  startLsn: Lsn;
  /**
   * What becomes visible when this batch is durable: its end, or, if a commit that began in it ends
   * in a later one, the last commit that it holds whole. Undefined if it holds none.
   */
  visibleLsn: Lsn | undefined;
  #state: BufferState = "open";

  constructor(bytes: Uint8Array, startLsn: Lsn) {
    this.bytes = bytes;
    this.startLsn = startLsn;
  }

  get state(): BufferState {
    return this.#state;
  }

  /** The only place where a buffer changes its state. */
  moveTo(next: BufferState): void {
    NEXT.assertMove(this.#state, next);
    this.#state = next;
  }

  get payloadBytes(): number {
    return this.at - BATCH_HEADER.sizeBytes;
  }

  get hasFrames(): boolean {
    return this.at > BATCH_HEADER.sizeBytes;
  }

  /** Where the batch ends if it takes no more frames. */
  get endLsn(): Lsn {
    return lsnAfter(this.startLsn, batchBytes(this.payloadBytes));
  }

  /** LSN of the next frame. */
  get frameLsn(): Lsn {
    return lsnAfter(this.startLsn, this.at);
  }

  get roomBytes(): number {
    return this.bytes.length - this.at;
  }

  /** Begins a new batch in memory that is durable, or was never part of the log. */
  reuse(startLsn: Lsn): void {
    if (this.#state === "durable") this.moveTo("open");
    assert(this.#state === "open", "a buffer is used again before it is durable");
    this.at = BATCH_HEADER.sizeBytes;
    this.visibleLsn = undefined;
    this.startLsn = startLsn;
  }
}

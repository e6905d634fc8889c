/**
 * SIEVE: which frame goes next.
 *
 *   newest ─► frame ─► frame ─► frame ─► frame ─► oldest
 *     ▲ add               ▲ hand, moves towards the newest, and on to the oldest
 *
 * The hand asks about one frame after the other. One that was used since the hand last passed is
 * spared once; the first that was not, goes. A use only sets a bit, so it costs nothing, and a frame
 * is not moved by it: what a scan brings in lies before the hand when it comes and is gone at once,
 * what is used stays.
 *
 * (1) The hand is at a frame of the queue, or nowhere; then it begins at the oldest.
 * (2) Links are the frame's number plus one; 0 is none.
 */
import { assert } from "../base/assert.ts";
import { NO_FRAME } from "./slab.ts";

export const QUEUE_FRAME_BYTES = 2 * 4;

export class Sieve {
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  #newest = 0;
  #oldest = 0;
  #hand = 0;
  #count = 0;

  constructor(frames: number) {
    this.#newer = new Int32Array(frames);
    this.#older = new Int32Array(frames);
  }

  get count(): number {
    return this.#count;
  }

  add(frame: number): void {
    const link = frame + 1;
    this.#older[frame] = this.#newest;
    this.#newer[frame] = 0;
    if (this.#newest !== 0) this.#newer[this.#newest - 1] = link;
    else this.#oldest = link;
    this.#newest = link;
    this.#count += 1;
  }

  remove(frame: number): void {
    const newer = this.#newer[frame] as number;
    const older = this.#older[frame] as number;
    if (this.#hand === frame + 1) this.#hand = newer;
    if (newer === 0) this.#newest = older;
    else this.#older[newer - 1] = older;
    if (older === 0) this.#oldest = newer;
    else this.#newer[older - 1] = newer;
    this.#count -= 1;
    assert(this.#count >= 0, "more frames went than came");
  }

  /** The frame that the hand is at, and moves the hand on. NO_FRAME if there is none at all. */
  next(): number {
    const link = this.#hand === 0 ? this.#oldest : this.#hand;
    if (link === 0) return NO_FRAME;
    this.#hand = this.#newer[link - 1] as number;
    return link - 1;
  }
}

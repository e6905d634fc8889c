/**
 * LOCATION TABLE: location → frame. Open addressing over typed arrays: half the time of a Map, which
 * has to make an object of a key beyond 31 bits, and nothing in it for the collector to walk through.
 *
 * (1) An entry is the frame's number plus one, 0 is no entry. Its key is in `locations`, by frame.
 * (2) From the place that the hash of a location says, up to its entry, there is no empty entry:
 *     removing one moves those behind it forward. So nothing is ever marked as deleted, and a
 *     look-up stays as short as on the first day.
 * (3) At most two thirds of the entries are taken.
 */
import { assert } from "../base/assert.ts";
import { NO_FRAME } from "./slab.ts";

const ENTRIES_MIN = 16;

/** Memory that a table takes for a frame, at most, but for that of the smallest table. */
export const TABLE_FRAME_BYTES = 8 + 3 * 4;

export class LocationTable {
  readonly #entries: Int32Array;
  readonly #locations: Float64Array;
  readonly #mask: number;
  readonly #shift: number;

  constructor(frames: number) {
    let bits = Math.log2(ENTRIES_MIN);
    while (2 ** bits < frames * 1.5) bits += 1;
    this.#entries = new Int32Array(2 ** bits);
    this.#locations = new Float64Array(frames);
    this.#mask = 2 ** bits - 1;
    this.#shift = 32 - bits;
  }

  find(location: number): number {
    const entries = this.#entries;
    for (let at = this.#home(location); ; at = (at + 1) & this.#mask) {
      const frame = (entries[at] as number) - 1;
      if (frame === NO_FRAME || this.#locations[frame] === location) return frame;
    }
  }

  locationOf(frame: number): number {
    return this.#locations[frame] as number;
  }

  /** The location is not there. */
  add(location: number, frame: number): void {
    let at = this.#home(location);
    while (this.#entries[at] !== 0) at = (at + 1) & this.#mask;
    this.#entries[at] = frame + 1;
    this.#locations[frame] = location;
  }

  remove(frame: number): void {
    const entries = this.#entries;
    const mask = this.#mask;
    let hole = this.#home(this.locationOf(frame));
    while (entries[hole] !== frame + 1) {
      assert(entries[hole] !== 0, "a frame to remove is in the table");
      hole = (hole + 1) & mask;
    }
    for (let at = (hole + 1) & mask; entries[at] !== 0; at = (at + 1) & mask) {
      const home = this.#home(this.locationOf((entries[at] as number) - 1));
      // It may move forward unless that would put it before its home.
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      entries[hole] = entries[at] as number;
      hole = at;
    }
    entries[hole] = 0;
  }

  /** Where the search for a location begins: chunks and offsets both come in steps. */
  #home(location: number): number {
    const high = (location / 0x1_0000_0000) >>> 0;
    const mixed = (location >>> 0) ^ Math.imul(high, 0x85eb_ca6b);
    return Math.imul(mixed, 0x9e37_79b1) >>> this.#shift;
  }
}

/**
 * ENDED SEGMENTS MADE AGAIN while the log is open: of history, or in flight and sealed. Recovery does
 * the same for what it needs (holes.ts, walk.ts); what it does not read is found out later.
 *
 * (1) The copy takes the place of the damaged file by a rename: whoever reads that one reads on in
 *     what it had opened, and finds the copy when it opens it again.
 * (2) Who asks for one that is being made gets that one. A reader asks once for each: what comes back
 *     damaged is told.
 */

import type { ReadableSegment } from "../segments/segment-records.ts";
import { type HealOptions, heal } from "./archive.ts";

export class SegmentMending {
  readonly #options: HealOptions;
  readonly #running = new Map<number, Promise<boolean>>();

  constructor(options: HealOptions) {
    this.#options = options;
  }

  /** True if it was put back. Rejects with BOP_IO. */
  async mend(segment: ReadableSegment | undefined): Promise<boolean> {
    if (segment?.endLsn === undefined || this.#options.archive === undefined) return false;
    const { sequence, path, firstLsn, endLsn } = segment;
    const running = this.#running.get(sequence);
    if (running !== undefined) return await running;
    const healing = heal(this.#options, { sequence, path, firstLsn, endLsn }).then(
      (header) => header !== undefined,
    );
    this.#running.set(sequence, healing);
    return await healing.finally(() => this.#running.delete(sequence));
  }
}

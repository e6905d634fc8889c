/**
 * WHICH SEGMENTS ARE HISTORY: what a checkpoint let go of and the horizon has not passed, oldest first.
 * Nobody reads them but who asks for a moment of the past (history-reader.ts).
 *
 *        history │ horizon              checkpoint │
 *      ──[ gone ]│[ segment ][ segment ][ segment ]│[ in flight ]──►
 *                └ fromLsn, or behind a hole
 *
 * (1) `fromLsn` never falls while the log is open. Above it, up to where segments are in flight, there is no hole that
 *     anything says was there: a repair that has cut the log ends the history before it.
 * (2) What a hold needs stays, however far the horizon moves; `hold` below `fromLsn` is refused. It is
 *     decided and noted in one go, before anything is struck from the register.
 * (3) A segment that holds nothing is no history. One that holds little is kept as a copy of its
 *     size, so that its file can be used again: a store that is opened often has many of them.
 */
import { assert } from "../../base/assert.ts";
import { LSN_ZERO, type Lsn, laterLsn, type SegmentSequence } from "../../base/units.ts";
import { BLOCK_BYTES } from "../../wal/index.ts";

/** A segment of which no recovery needs anything. */
export interface HistorySegment {
  readonly sequence: SegmentSequence;
  readonly firstLsn: Lsn;
  readonly endLsn: Lsn;
  /** When it was taken into use: nothing in the segments before it is newer. */
  readonly createdAtMs: number;
  readonly fileBytes: number;
  /** See (3). */
  readonly isCopy: boolean;
}

/** Whoever holds it can read everything above its LSN. */
export interface HistoryHold {
  release(): void;
}

/** A segment that has ended, as far as its file is concerned. */
export type EndedSegment = Omit<HistorySegment, "fileBytes" | "isCopy">;

/** A copy is made of what takes up at most this part of a segment. */
const COPY_SHARE = 4;

/** The file of a segment as history. */
export function asHistory(ended: EndedSegment, segmentBytes: number): HistorySegment {
  const { sequence, firstLsn, endLsn, createdAtMs } = ended;
  const usedBytes = BLOCK_BYTES + endLsn - firstLsn;
  const isCopy = usedBytes * COPY_SHARE <= segmentBytes;
  const fileBytes = isCopy ? usedBytes : segmentBytes;
  return { sequence, firstLsn, endLsn, createdAtMs, fileBytes, isCopy };
}

export const holdsNothing = ({ firstLsn, endLsn }: EndedSegment): boolean => firstLsn === endLsn;

export class HistorySegments {
  readonly #segments: HistorySegment[];
  readonly #holds = new Set<{ readonly lsn: Lsn }>();
  /** The horizon has passed it: see (2). */
  #passedLsn: Lsn = LSN_ZERO;

  constructor(found: readonly HistorySegment[]) {
    this.#segments = [...found].sort((a, b) => a.firstLsn - b.firstLsn);
  }

  /** Oldest first, those that are about to go included. */
  get all(): readonly HistorySegment[] {
    return this.#segments;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  }

  /** See (1). `inflightLsn` is where the segments in flight begin. */
  fromLsn(inflightLsn: Lsn): Lsn {
    let from = inflightLsn;
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const { firstLsn, endLsn } = this.#segments[i] as HistorySegment;
      if (endLsn < from) break;
      from = firstLsn;
    }
    return laterLsn(from, this.#passedLsn);
  }

  get isHeld(): boolean {
    return this.#holds.size > 0;
  }

  hold(lsn: Lsn, inflightLsn: Lsn): HistoryHold | undefined {
    if (lsn < this.fromLsn(inflightLsn)) return undefined;
    const held = { lsn };
    this.#holds.add(held);
    return { release: () => void this.#holds.delete(held) };
  }

  /** The horizon moves, as far as holds let it. Returns where it is, and what is below it. See (2). */
  pass(horizonLsn: Lsn): { readonly horizonLsn: Lsn; readonly gone: readonly HistorySegment[] } {
    const held = [...this.#holds].map(({ lsn }) => lsn);
    this.#passedLsn = laterLsn(this.#passedLsn, Math.min(horizonLsn, ...held) as Lsn);
    const passed = this.#passedLsn;
    return { horizonLsn: passed, gone: this.#segments.filter(({ endLsn }) => endLsn <= passed) };
  }

  add(segments: readonly HistorySegment[]): void {
    for (const segment of segments) {
      assert(segment.firstLsn >= (this.#segments.at(-1)?.endLsn ?? 0), "history is in order");
      this.#segments.push(segment);
    }
  }

  /** Their files are nobody's. */
  remove(gone: readonly HistorySegment[]): void {
    const sequences = new Set(gone.map(({ sequence }) => sequence));
    const left = this.#segments.filter(({ sequence }) => !sequences.has(sequence));
    this.#segments.splice(0, this.#segments.length, ...left);
  }

  /**
   * What lies above it takes at most `bytesMax` on disk, `ended` (not yet let go) included: the
   * horizon must not be lower.
   */
  floorLsn(ended: readonly HistorySegment[], bytesMax: number): Lsn {
    const all = [...this.#segments, ...ended];
    let rest = bytesMax;
    for (let i = all.length - 1; i >= 0; i--) {
      const { fileBytes, endLsn } = all[i] as HistorySegment;
      rest -= fileBytes;
      if (rest < 0) return endLsn;
    }
    return LSN_ZERO;
  }
}

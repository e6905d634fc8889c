/**
 * THE FILES OF HISTORY: segments that stay where they are, and copies of those that hold little.
 *
 *   <sequence>.wal       as it was written to; used again when the horizon has passed it
 *   <sequence>.history   header and batches of one whose own file is used again already
 *
 * (1) A copy is synced before the register names it. A crash before that leaves a file that the next
 *     start removes (survey.ts).
 */
import type { Storage } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";
import { historyFileName, segmentFileName } from "../../wal/index.ts";
import { copyHistory } from "./history-copy.ts";
import {
  asHistory,
  type EndedSegment,
  type HistoryHold,
  type HistorySegment,
  HistorySegments,
  holdsNothing,
} from "./history-segments.ts";

export interface HistoryPlace {
  readonly storage: Storage;
  /** Where the segments lie. */
  readonly directory: string;
  readonly segmentBytes: number;
}

/** What becomes of segments that are let go, and of history. */
export interface HistoryChange {
  readonly released: readonly EndedSegment[];
  /** Those of them that are history now. */
  readonly kept: readonly HistorySegment[];
  /** Of what was history, what the horizon has passed. */
  readonly passed: readonly HistorySegment[];
}

export class HistoryFiles {
  readonly #place: HistoryPlace;
  readonly #segments: HistorySegments;
  /** Their files, when they were written to, refused something: they are not used again. */
  readonly #suspects = new Set<number>();

  constructor(place: HistoryPlace, found: readonly HistorySegment[]) {
    this.#place = place;
    this.#segments = new HistorySegments(found);
  }

  /** Oldest first. */
  get all(): readonly HistorySegment[] {
    return this.#segments.all;
  }

  get bytes(): number {
    return this.#segments.bytes;
  }

  /** Everything above it can be read; segments in flight begin at `inflightLsn`. */
  fromLsn(inflightLsn: Lsn): Lsn {
    return this.#segments.fromLsn(inflightLsn);
  }

  /** Everything above `lsn` stays until it is released; undefined if something of it is gone. */
  hold(lsn: Lsn, inflightLsn: Lsn): HistoryHold | undefined {
    return this.#segments.hold(lsn, inflightLsn);
  }

  /** See HistorySegments. */
  floorLsn(ended: readonly EndedSegment[], bytesMax: number): Lsn {
    const { segmentBytes } = this.#place;
    return this.#segments.floorLsn(
      ended.map((each) => asHistory(each, segmentBytes)),
      bytesMax,
    );
  }

  pathOf({ sequence, isCopy }: Pick<HistorySegment, "sequence" | "isCopy">): string {
    const name = isCopy ? historyFileName(sequence) : segmentFileName(sequence);
    return `${this.#place.directory}/${name}`;
  }

  /** Moves the horizon, and makes the copies that the change needs. Undefined if nothing changes. */
  async pass(
    released: readonly EndedSegment[],
    wantedLsn: Lsn,
  ): Promise<HistoryChange | undefined> {
    const { horizonLsn, gone } = this.#segments.pass(wantedLsn);
    if (released.length === 0 && gone.length === 0) return undefined;
    const kept: HistorySegment[] = [];
    for (const ended of released) {
      const isOver = holdsNothing(ended) || ended.endLsn <= horizonLsn;
      if (!isOver) kept.push(await this.#keep(ended));
    }
    return { released, kept, passed: gone };
  }

  /** The oldest history whose file can be used again goes; undefined if there is none, or it is held. */
  giveUpOldest(): HistoryChange | undefined {
    const oldest = this.all.find(({ isCopy }) => !isCopy);
    if (oldest === undefined) return undefined;
    const { gone } = this.#segments.pass(oldest.endLsn);
    return gone.includes(oldest) ? { released: [], kept: [], passed: gone } : undefined;
  }

  /** The register says so. */
  took({ kept, passed }: HistoryChange): void {
    this.#segments.remove(passed);
    this.#segments.add(kept);
  }

  /** Somebody may have the file of a segment open, which must not be written to then. */
  get isHeld(): boolean {
    return this.#segments.isHeld;
  }

  suspect(sequence: number): void {
    this.#suspects.add(sequence);
  }

  /** The file must not be used again. Asked once, when it is let go. */
  isSpent({ sequence, isCopy }: HistorySegment): boolean {
    return this.#suspects.delete(sequence) || isCopy;
  }

  async #keep(ended: EndedSegment): Promise<HistorySegment> {
    const { storage, directory, segmentBytes } = this.#place;
    const history = asHistory(ended, segmentBytes);
    if (!history.isCopy) return history;
    const whole = { ...history, isCopy: false, fileBytes: segmentBytes };
    const files = { from: this.pathOf(whole), to: this.pathOf(history) };
    try {
      await copyHistory(storage, { ...files, segment: history });
      await storage.syncDirectory(directory);
      return history;
    } catch {
      return whole; // A copy saves room, and nothing else.
    }
  }
}

/** Copies that nothing names: see (1). */
export async function removeCopies(storage: Storage, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await storage.unlink(path).catch((cause) => {
      throw ioError("removing", path, cause);
    });
  }
}

/**
 * WHICH SEGMENTS SOMEBODY STILL NEEDS, and what becomes of those that nobody does.
 *
 *   used, and above the last checkpoint │ or not in the sink yet │ or history ──► spare, or removed
 *
 * (1) A released segment is struck from the register first, then renamed or removed. A crash in
 *     between leaves a file that nobody needs, which the next start removes. One above the horizon
 *     is registered as history in the same commit, and stays (history-segments.ts).
 * (2) In a store with a sink a segment is let go only when the sink has all of it and the manifest
 *     says so, whatever else does not need it any more: what the disk and the sink have is compared
 *     before the store ships again. A release that came too early is made up for by `archived`.
 * (3) Segments leave the list from its front, and in a turn of the store only (segment-store.ts (2)).
 * (4) A file that could not be let go does not keep those behind it: whoever released them is told, and
 *     the next release tries it again. What is still owed when the log closes, the next start removes.
 */
import { present } from "../../base/assert.ts";
import { ioError } from "../../base/errors.ts";
import type { Turns } from "../../base/turns.ts";
import { earlierLsn, LSN_ZERO, type Lsn, laterLsn, segmentSequence } from "../../base/units.ts";
import { moveSegment } from "../../wal/index.ts";
import { type HistoryChange, HistoryFiles } from "../history/history-files.ts";
import type { EndedSegment, HistoryHold, HistorySegment } from "../history/history-segments.ts";
import type { SegmentStats } from "../log.ts";
import {
  freeSegment,
  type ReadableSegment,
  type Segment,
  type SegmentStoreOptions,
} from "./segment-records.ts";
import { type Marks, marksWithin } from "./watermarks.ts";

export interface HeldParts {
  readonly options: SegmentStoreOptions;
  readonly turns: Turns;
  /** Segments that were used and are not released, in order; the newest last. */
  readonly used: Segment[];
  /** Takes the file of a segment that was retired, if it is wanted as a spare. In a turn. */
  readonly reuse: (segment: Segment) => Promise<boolean>;
}

export class HeldSegments {
  readonly #options: SegmentStoreOptions;
  readonly #turns: Turns;
  readonly #used: Segment[];
  readonly #reuse: HeldParts["reuse"];
  readonly #history: HistoryFiles;
  #archivedLsn: Lsn | undefined;
  #shippedLsn: Lsn | undefined;
  /** Of the last release. */
  #asked: { readonly lsn: Lsn; readonly horizonLsn: Lsn } | undefined;
  /** See (4). */
  readonly #owed = new Set<Segment>();
  #stopped = false;

  constructor({ options, turns, used, reuse }: HeldParts, history: readonly HistorySegment[]) {
    this.#options = options;
    this.#turns = turns;
    this.#used = used;
    this.#reuse = reuse;
    this.#archivedLsn = options.archivedLsn;
    this.#shippedLsn = options.shippedLsn;
    const { env, directory, limits } = options;
    const place = { storage: env.storage, directory, segmentBytes: limits.segmentBytes };
    this.#history = new HistoryFiles(place, history);
    this.markArchived();
  }

  /** Segments that hold log which no checkpoint has let go: not those that wait for the sink. */
  get inflightCount(): number {
    const archivedLsn = this.#archivedLsn;
    if (archivedLsn === undefined) return this.#used.length;
    const letGoLsn = this.#asked?.lsn ?? LSN_ZERO;
    let count = 0;
    for (const { endLsn = Number.POSITIVE_INFINITY } of this.#used) {
      if (endLsn > letGoLsn || endLsn <= archivedLsn) count += 1;
    }
    return count;
  }

  /** Up to where the sink has the log, and that is on record; undefined in a store without one. */
  get archivedLsn(): Lsn | undefined {
    return this.#archivedLsn;
  }

  /** Log from here on waits for the sink, as far as it is here; undefined in a store without one. */
  get shippedLsn(): Lsn | undefined {
    if (this.#shippedLsn === undefined) return undefined;
    return laterLsn(this.#shippedLsn, this.#inflightLsn);
  }

  /** Segments that hold log which somebody may need, the sink included; oldest first. */
  inflight(marks: Marks): SegmentStats[] {
    return this.#used.map(({ sequence, state, firstLsn = LSN_ZERO, endLsn }) => {
      const range = { firstLsn, endLsn: endLsn ?? laterLsn(firstLsn, marks.reservedLsn) };
      return { sequence, state, marks: marksWithin(marks, range) };
    });
  }

  /** Everything above it can be read. */
  get historyLsn(): Lsn {
    return this.#history.fromLsn(this.#inflightLsn);
  }

  get history(): readonly HistorySegment[] {
    return this.#history.all;
  }

  /** Everything above `lsn` stays until it is released; undefined if something of it is gone. */
  hold(lsn: Lsn): HistoryHold | undefined {
    return this.#history.hold(lsn, this.#inflightLsn);
  }

  /** History takes at most `bytesMax` if the horizon of a checkpoint at `upToLsn` is not lower. */
  historyFloor(upToLsn: Lsn, bytesMax: number): Lsn {
    return this.#history.floorLsn(this.#endedUpTo(upToLsn), bytesMax);
  }

  /** Segments that have something above an LSN, oldest first. */
  readable(aboveLsn: Lsn): ReadableSegment[] {
    const history = this.#history.all.map((segment) => {
      return { ...segment, path: this.#history.pathOf(segment), createdMs: segment.createdAtMs };
    });
    const used = this.#used.flatMap(({ firstLsn, ...segment }) =>
      firstLsn === undefined ? [] : { ...segment, firstLsn },
    );
    return [...history, ...used].filter(({ endLsn }) => endLsn === undefined || endLsn > aboveLsn);
  }

  /**
   * Segments that end at or below `lsn` are recycled or removed; those that end above the horizon are
   * history until it has passed them. See (2).
   */
  release(lsn: Lsn, horizonLsn: Lsn = lsn): Promise<void> {
    this.#asked = { lsn, horizonLsn: earlierLsn(lsn, horizonLsn) };
    return this.#turns.run(() => this.#release());
  }

  shipped(lsn: Lsn): void {
    this.#shippedLsn = laterLsn(present(this.#shippedLsn, "a store with a sink"), lsn);
  }

  /** The sink has the log up to here, and that is on record. See (2). */
  async archived(lsn: Lsn): Promise<void> {
    const before = present(this.#archivedLsn, "a store with a sink");
    this.#archivedLsn = laterLsn(before, lsn);
    this.shipped(lsn);
    this.markArchived();
    const endLsn = this.#used[0]?.endLsn;
    const isAwaited = endLsn !== undefined && endLsn <= (this.#asked?.lsn ?? LSN_ZERO);
    if (isAwaited && endLsn <= lsn) await this.#turns.run(() => this.#release());
  }

  /** A segment was sealed, or the sink has more of the log. */
  markArchived(): void {
    const archivedLsn = this.#archivedLsn;
    if (archivedLsn === undefined) return;
    for (const segment of this.#used) {
      if (segment.endLsn === undefined || segment.endLsn > archivedLsn) return;
      if (segment.state === "sealed") moveSegment(segment, "archived");
    }
  }

  /** The file of the oldest history goes, or becomes a spare. False if there is none that can. */
  async giveUpHistory(): Promise<boolean> {
    const change = this.#history.giveUpOldest();
    if (change === undefined) return false;
    try {
      await this.#strike(change);
    } catch {
      return false; // Who asked tells of the disk that is full.
    }
    return true;
  }

  /** Nothing is let go any more but what was asked for already and has begun. */
  stop(): void {
    this.#stopped = true;
  }

  async #release(): Promise<void> {
    if (this.#stopped || this.#asked === undefined) return;
    const { lsn, horizonLsn } = this.#asked;
    const upToLsn = earlierLsn(lsn, this.#archivedLsn ?? lsn);
    const horizon = earlierLsn(upToLsn, horizonLsn);
    const change = await this.#history.pass(this.#endedUpTo(upToLsn), horizon);
    const owed = [...this.#owed];
    if (change !== undefined) await this.#strike(change);
    // Who is told of them was told when they became owed.
    if (owed.length > 0) await this.#letGo(owed).catch(() => undefined);
  }

  /** Segments in flight that end at or below an LSN. */
  #endedUpTo(lsn: Lsn): EndedSegment[] {
    const ended: EndedSegment[] = [];
    for (const { sequence, firstLsn = LSN_ZERO, endLsn, createdMs } of this.#used) {
      if (endLsn === undefined || endLsn > lsn) break;
      const about = { firstLsn, endLsn, createdAtMs: createdMs };
      ended.push({ sequence: segmentSequence(sequence), ...about });
    }
    return ended;
  }

  /** See (1). */
  async #strike(change: HistoryChange): Promise<void> {
    const { directory, unregister } = this.#options;
    const { released, kept, passed } = change;
    const keptFiles = new Map(kept.map(({ sequence, isCopy }) => [sequence as number, isCopy]));
    const gone = [...passed, ...released].filter(({ sequence }) => !keptFiles.has(sequence));
    await unregister(
      gone.map(({ sequence }) => sequence),
      kept,
    );
    this.#history.took(change);
    const retired: Segment[] = [];
    for (const segment of this.#used.splice(0, released.length)) {
      const staysFile = keptFiles.get(segment.sequence) === false;
      if (segment.state === "poisoned") segment.suspect = true;
      if (staysFile && segment.suspect) this.#history.suspect(segment.sequence);
      // A reader that has it open reads on in a file that was removed, but not in one that is reused.
      if (keptFiles.has(segment.sequence) && this.#history.isHeld) segment.suspect = true;
      if (staysFile) moveSegment(segment, "history");
      else retired.push(segment);
    }
    for (const each of passed) {
      const about = { path: this.#history.pathOf(each), suspect: this.#history.isSpent(each) };
      retired.push({ ...freeSegment(directory, each.sequence), ...about, state: "history" });
    }
    for (const segment of retired) moveSegment(segment, "retired");
    await this.#letGo(retired);
  }

  /** Rejects with the first that failed, when all were tried. See (4). */
  async #letGo(retired: readonly Segment[]): Promise<void> {
    const { directory, env } = this.#options;
    const failures: unknown[] = [];
    for (const segment of retired) {
      this.#owed.add(segment);
      await this.#removeOrReuse(segment).then(
        () => this.#owed.delete(segment),
        (failure) => failures.push(failure),
      );
    }
    await env.storage.syncDirectory(directory).catch((cause) => {
      failures.push(ioError("sync", directory, cause));
    });
    if (failures.length > 0) throw failures[0];
  }

  async #removeOrReuse(segment: Segment): Promise<void> {
    const { storage } = this.#options.env;
    const { segmentBytes } = this.#options.limits;
    try {
      const found = await storage.stat(segment.path);
      if (found === undefined) return;
      const isWhole = !segment.suspect && found.bytes === segmentBytes;
      if (!isWhole || !(await this.#reuse(segment))) await storage.unlink(segment.path);
    } catch (cause) {
      throw ioError("recycling", segment.path, cause);
    }
  }

  get #inflightLsn(): Lsn {
    return this.#used[0]?.firstLsn ?? LSN_ZERO;
  }
}

/**
 * THE SEGMENT FILES: which one takes batches, and which are still needed. Their life is drawn in
 * wal/segment-state.ts; those that wait to become the next are in spare-segments.ts.
 *
 * It is over 400 lines because use, release and history change the same list of segments.
 *
 * (1) A segment is active as soon as its head is durable (segment-head.ts). The one before it is
 *     sealed then, and ends where it begins.
 * (2) A released segment is struck from the register first, then renamed or removed. A crash in
 *     between leaves a file that nobody needs, which the next start removes. One above the horizon
 *     is registered as history in the same commit, and stays (history-segments.ts).
 * (3) All that changes files of the log goes through one queue (`#turns`): making, indexing, recycling
 *     and removing run one at a time.
 * (4) A file that is smaller than a segment was the reserve (reserve.ts): it is sealed as soon as it
 *     has taken over what was to be copied. Nothing is active then until there is room.
 * (5) In a store with a sink a segment is let go only when the sink has all of it and the manifest
 *     says so, whatever else does not need it any more: what the disk and the sink have is compared
 *     before the store ships again. A release that came too early is made up for by `archived`.
 */
import { assert, present } from "../base/assert.ts";
import { ioError, type StorageError } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import {
  earlierLsn,
  LSN_ZERO,
  type Lsn,
  laterLsn,
  lsnAfter,
  segmentSequence,
} from "../base/units.ts";
import { BLOCK_BYTES, moveSegment } from "../wal/index.ts";
import { type HistoryChange, HistoryFiles } from "./history-files.ts";
import type { EndedSegment, HistoryHold, HistorySegment } from "./history-segments.ts";
import type { SegmentStats } from "./log.ts";
import { writeIndex } from "./seal.ts";
import { writeHead } from "./segment-head.ts";
import {
  type ActiveSegment,
  type FoundSegments,
  freeSegment,
  type ReadableSegment,
  type Segment,
  type SegmentStoreOptions,
  type TakeOptions,
} from "./segment-records.ts";
import { SpareSegments } from "./spare-segments.ts";
import { type Marks, marksWithin } from "./watermarks.ts";

/** At most this part of a segment is kept free for its index. */
const INDEX_SHARE = 16;

export class SegmentStore {
  readonly #options: SegmentStoreOptions;
  /** Segments that were used and are not released, in order; the newest last. */
  readonly #used: Segment[];
  readonly #spares: SpareSegments;
  readonly #history: HistoryFiles;
  /** See (3). */
  readonly #turns = new Turns();
  #active: ActiveSegment | undefined;
  #closed = false;
  #archivedLsn: Lsn | undefined;
  #shippedLsn: Lsn | undefined;
  /** Of the last release. */
  #asked: { readonly lsn: Lsn; readonly horizonLsn: Lsn } | undefined;

  constructor(options: SegmentStoreOptions, found: FoundSegments) {
    this.#options = options;
    this.#archivedLsn = options.archivedLsn;
    this.#shippedLsn = options.archivedLsn;
    this.#used = found.sealed.map(({ sequence, ...about }) => {
      return { ...this.#segment(sequence), ...about, state: "sealed" };
    });
    const { env, directory, limits } = options;
    const place = { storage: env.storage, directory, segmentBytes: limits.segmentBytes };
    this.#history = new HistoryFiles(place, found.history);
    const giveUpHistory = () => this.#giveUpHistory();
    this.#spares = new SpareSegments({ options, turns: this.#turns, giveUpHistory }, found);
    this.#markArchived();
  }

  /** The segment that takes batches; undefined before the first `take`, after `poison`, and (4). */
  get active(): ActiveSegment | undefined {
    return this.#active;
  }

  /** Bytes that the active segment still takes, so that there is room for its index behind them. */
  get roomBytes(): number {
    if (this.#active === undefined) return 0;
    const { limits, trail } = this.#options;
    const { segmentBytes } = limits;
    const indexBytes = Math.min(BLOCK_BYTES + trail.indexBytes, segmentBytes / INDEX_SHARE);
    return segmentBytes - this.#active.offset - indexBytes;
  }

  /** Up to here there is a file that can be written: the end of the active segment. */
  get reservedLsn(): Lsn | undefined {
    const active = this.#active;
    if (active === undefined) return undefined;
    // The one behind it may be about to be taken, and has no beginning yet.
    const segment = this.#used.findLast(({ sequence }) => sequence === active.sequence);
    const firstLsn = present(segment?.firstLsn, "the active segment has a beginning");
    return lsnAfter(firstLsn, this.#options.limits.segmentBytes - BLOCK_BYTES);
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

  /** Up to where the sink has the log; undefined in a store without one. */
  get shippedLsn(): Lsn | undefined {
    return this.#shippedLsn;
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

  /** Why there is no spare; undefined once one was made. */
  get refusal(): StorageError | undefined {
    return this.#spares.refusal;
  }

  get count(): number {
    return this.#used.length + this.#spares.count;
  }

  /** Makes a spare in the background unless there is one; tries again by itself until it can. */
  prepareSoon(): void {
    this.#spares.makeSoon();
  }

  /** Takes the next spare into use, from `firstLsn` on, and seals the one before it. */
  async take(options: TakeOptions): Promise<void> {
    while (this.#spares.count === 0) await this.#spares.make();
    const segment = this.#spares.take();
    this.#used.push(segment);
    try {
      segment.file ??= await this.#options.driver.open(segment.path);
      segment.firstLsn = options.firstLsn;
      segment.createdMs = options.createdMs;
      const { driver, storeId } = this.#options;
      const head = { ...options, storeId, sequence: segment.sequence };
      const offset = await writeHead(segment.file, driver, head);
      await this.#sealBefore(segment, options.firstLsn);
      moveSegment(segment, "active");
      const { sequence, path, file } = segment;
      this.#active = { sequence, path, file, offset };
      if (await this.#isSmall(segment)) await this.#sealActive(segment);
    } catch (cause) {
      this.#active = undefined;
      moveSegment(segment, "poisoned");
      await this.#retireHandle(segment);
      throw ioError("taking into use", segment.path, cause);
    }
  }

  /**
   * The same on a disk that has no room for a segment, of which the last `take` was refused: what is
   * copied goes to the reserve. False if there is none.
   */
  async takeReserve(
    options: TakeOptions & Required<Pick<TakeOptions, "copied">>,
  ): Promise<boolean> {
    const bytesFor = (sequence: number) => BLOCK_BYTES + options.copied(sequence).length;
    const moved = await this.#spares.makeOfReserve(bytesFor);
    if (moved) await this.take(options);
    return moved;
  }

  /** Sees to it in the background that there is a reserve. */
  keepReserveSoon(): void {
    this.#spares.keepReserveSoon();
  }

  /** The device refused a write or a sync: nothing is written to this segment again. */
  async poison(): Promise<void> {
    const segment = present(this.#used.at(-1), "a segment to poison");
    assert(this.#active?.sequence === segment.sequence, "poisoned a segment that is not active");
    this.#active = undefined;
    moveSegment(segment, "poisoned");
    await this.#retireHandle(segment);
  }

  /**
   * Segments that end at or below `lsn` are recycled or removed; those that end above the horizon are
   * history until it has passed them. See (5).
   */
  release(lsn: Lsn, horizonLsn: Lsn = lsn): Promise<void> {
    this.#asked = { lsn, horizonLsn: earlierLsn(lsn, horizonLsn) };
    return this.#turns.run(() => this.#release());
  }

  shipped(lsn: Lsn): void {
    this.#shippedLsn = laterLsn(present(this.#shippedLsn, "a store with a sink"), lsn);
  }

  /** The sink has the log up to here, and that is on record. See (5). */
  async archived(lsn: Lsn): Promise<void> {
    const before = present(this.#archivedLsn, "a store with a sink");
    this.#archivedLsn = laterLsn(before, lsn);
    this.shipped(lsn);
    this.#markArchived();
    const endLsn = this.#used[0]?.endLsn;
    const isAwaited = endLsn !== undefined && endLsn <= (this.#asked?.lsn ?? LSN_ZERO);
    if (isAwaited && endLsn <= lsn) await this.#turns.run(() => this.#release());
  }

  /** Waits for what runs, closes every file. Nothing is taken or made any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#spares.stop();
    await this.#turns.run(async () => {
      for (const segment of [...this.#used, ...this.#spares.files]) {
        await this.#retireHandle(segment);
      }
      this.#active = undefined;
    });
  }

  async #release(): Promise<void> {
    if (this.#closed || this.#asked === undefined) return;
    const { lsn, horizonLsn } = this.#asked;
    const upToLsn = earlierLsn(lsn, this.#archivedLsn ?? lsn);
    const horizon = earlierLsn(upToLsn, horizonLsn);
    const change = await this.#history.pass(this.#endedUpTo(upToLsn), horizon);
    if (change !== undefined) await this.#strike(change);
  }

  #markArchived(): void {
    const archivedLsn = this.#archivedLsn;
    if (archivedLsn === undefined) return;
    for (const segment of this.#used) {
      if (segment.endLsn === undefined || segment.endLsn > archivedLsn) return;
      if (segment.state === "sealed") moveSegment(segment, "archived");
    }
  }

  /** See (4). */
  async #isSmall({ path }: Segment): Promise<boolean> {
    const found = await this.#options.env.storage.stat(path);
    return found !== undefined && found.bytes < this.#options.limits.segmentBytes;
  }

  async #sealActive(segment: Segment): Promise<void> {
    this.#active = undefined;
    moveSegment(segment, "sealed");
    await this.#retireHandle(segment);
  }

  /** What was used before ends where the new segment begins. */
  async #sealBefore(segment: Segment, endLsn: Lsn): Promise<void> {
    for (const earlier of this.#used) {
      if (earlier === segment) break;
      earlier.endLsn ??= endLsn;
      if (earlier.state !== "active") continue;
      moveSegment(earlier, "sealed");
      await this.#retireHandle(earlier);
      this.#indexSoon(earlier);
    }
    this.#markArchived();
  }

  /** See seal.ts. */
  #indexSoon(segment: Segment): void {
    const { env, storeId, trail, limits } = this.#options;
    const { path, sequence } = segment;
    const firstLsn = present(segment.firstLsn, "a sealed segment has a beginning");
    const endLsn = present(segment.endLsn, "a sealed segment has an end");
    const isLog = () => segment.state === "sealed" || segment.state === "archived";
    const isWanted = () => !this.#closed && isLog();
    const parts = { env, storeId, trail, segmentBytes: limits.segmentBytes, isWanted };
    this.#turns
      .run(async () => {
        if (this.#closed) return;
        const refused = await writeIndex({ path, sequence, firstLsn, endLsn }, parts);
        if (refused !== undefined) segment.suspect = true;
      })
      .catch(() => {
        segment.suspect = true;
      });
  }

  /** A file that is closed badly has nothing left to lose: what counts in it was synced. */
  async #retireHandle(segment: Segment): Promise<void> {
    const { file } = segment;
    segment.file = undefined;
    await file?.close().catch(() => undefined);
  }

  /** The file of the oldest history goes, or becomes a spare. False if there is none that can. */
  async #giveUpHistory(): Promise<boolean> {
    const change = this.#history.giveUpOldest();
    if (change === undefined) return false;
    try {
      await this.#strike(change);
    } catch {
      return false; // Who asked tells of the disk that is full.
    }
    return true;
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

  /** See (2). */
  async #strike(change: HistoryChange): Promise<void> {
    const { released, kept, passed } = change;
    const keptFiles = new Map(kept.map(({ sequence, isCopy }) => [sequence as number, isCopy]));
    const gone = [...passed, ...released].filter(({ sequence }) => !keptFiles.has(sequence));
    await this.#options.unregister(
      gone.map(({ sequence }) => sequence),
      kept,
    );
    this.#history.took(change);
    for (const segment of this.#used.splice(0, released.length)) {
      const staysFile = keptFiles.get(segment.sequence) === false;
      const isSpent = segment.suspect || segment.state === "poisoned";
      // A reader that has it open reads on in a file that was removed, but not in one that is reused.
      if (keptFiles.has(segment.sequence) && this.#history.isHeld) segment.suspect = true;
      if (staysFile) moveSegment(segment, "history");
      else await this.#letGo(segment);
      if (staysFile && isSpent) this.#history.suspect(segment.sequence);
    }
    for (const each of passed) {
      const about = { path: this.#history.pathOf(each), suspect: this.#history.isSpent(each) };
      await this.#letGo({ ...this.#segment(each.sequence), ...about, state: "history" });
    }
    await this.#syncDirectory().catch((cause) => {
      throw ioError("sync", this.#options.directory, cause);
    });
  }

  async #letGo(segment: Segment): Promise<void> {
    const { storage } = this.#options.env;
    const { segmentBytes } = this.#options.limits;
    const healthy = segment.state !== "poisoned" && !segment.suspect;
    moveSegment(segment, "retired");
    try {
      const found = await storage.stat(segment.path);
      if (found === undefined) return;
      const isWhole = healthy && found.bytes === segmentBytes;
      if (isWhole && this.#spares.wantsFile) await this.#spares.recycle(segment);
      else await storage.unlink(segment.path);
    } catch (cause) {
      throw ioError("recycling", segment.path, cause);
    }
  }

  get #inflightLsn(): Lsn {
    return this.#used[0]?.firstLsn ?? LSN_ZERO;
  }

  #syncDirectory(): Promise<void> {
    return this.#options.env.storage.syncDirectory(this.#options.directory);
  }

  #segment(sequence: number): Segment {
    return freeSegment(this.#options.directory, sequence);
  }
}

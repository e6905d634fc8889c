/**
 * THE SEGMENT FILES: which one takes batches. Their life is drawn in wal/segment-state.ts; those that
 * wait to become the next are in spare-segments.ts, those that are still needed in held-segments.ts.
 *
 * (1) A segment is active as soon as its head is durable (segment-head.ts). The one before it is
 *     sealed then, and ends where it begins.
 * (2) All that changes files of the log goes through one queue (`#turns`): making, indexing, recycling
 *     and removing run one at a time.
 * (3) A file that is smaller than a segment was the reserve (reserve.ts): it is sealed as soon as it
 *     has taken over what was to be copied. Nothing is active then until there is room.
 */
import { assert, present } from "../../base/assert.ts";
import type { LogFile } from "../../base/driver.ts";
import { ioError, type StorageError } from "../../base/errors.ts";
import { Turns } from "../../base/turns.ts";
import { type Lsn, lsnAfter } from "../../base/units.ts";
import { BLOCK_BYTES, moveSegment } from "../../wal/index.ts";
import { HeldSegments } from "./held-segments.ts";
import { writeIndex } from "./seal.ts";
import { writeHead } from "./segment-head.ts";
import {
  type ActiveSegment,
  type FoundSegments,
  freeSegment,
  type Segment,
  type SegmentStoreOptions,
  type TakeOptions,
} from "./segment-records.ts";
import { SpareSegments } from "./spare-segments.ts";

/** At most this part of a segment is kept free for its index. */
const INDEX_SHARE = 16;

export class SegmentStore {
  readonly #options: SegmentStoreOptions;
  /** Segments that were used and are not released, in order; the newest last. */
  readonly #used: Segment[];
  readonly #spares: SpareSegments;
  /** Those that somebody still needs. */
  readonly held: HeldSegments;
  /** See (2). */
  readonly #turns = new Turns();
  #active: ActiveSegment | undefined;
  #closed = false;

  constructor(options: SegmentStoreOptions, found: FoundSegments) {
    this.#options = options;
    this.#used = found.sealed.map(({ sequence, ...about }) => {
      return { ...this.#segment(sequence), ...about, state: "sealed" };
    });
    const [turns, used] = [this.#turns, this.#used];
    const reuse = (segment: Segment) => this.#reuse(segment);
    this.held = new HeldSegments({ options, turns, used, reuse }, found.history);
    const giveUpHistory = () => this.held.giveUpHistory();
    this.#spares = new SpareSegments({ options, turns, giveUpHistory }, found);
  }

  /** The segment that takes batches; undefined before the first `take`, after `poison`, and (3). */
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
      segment.file ??= await this.#open(segment);
      segment.firstLsn = options.firstLsn;
      segment.createdMs = options.createdMs;
      const offset = await this.#writeHead(segment.file, segment, options);
      await this.#sealBefore(segment, options.firstLsn);
      moveSegment(segment, "active");
      const { sequence, path, file } = segment;
      this.#active = { sequence, path, file, offset };
      if (await this.#isSmall(segment)) await this.#sealActive(segment);
    } catch (cause) {
      this.#active = undefined;
      segment.firstLsn ??= options.firstLsn; // It could not be opened: it holds nothing, and not all.
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

  /** Waits for what runs, closes every file. Nothing is taken or made any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#spares.stop();
    this.held.stop();
    await this.#turns.run(async () => {
      for (const segment of [...this.#used, ...this.#spares.files]) {
        await this.#retireHandle(segment);
      }
      this.#active = undefined;
    });
  }

  /** See (3). */
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
    this.held.markArchived();
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

  #open({ path }: Segment): Promise<LogFile> {
    const { driver, watch } = this.#options;
    return watch.during(() => driver.open(path), { operation: "opening", file: path });
  }

  #writeHead(file: LogFile, { path, sequence }: Segment, options: TakeOptions): Promise<number> {
    const { driver, watch, storeId } = this.#options;
    const write = () => writeHead(file, driver, { ...options, storeId, sequence });
    return watch.during(write, { operation: "taking into use", file: path });
  }

  /** A file that is closed badly has nothing left to lose: what counts in it was synced. */
  async #retireHandle(segment: Segment): Promise<void> {
    const { file, path } = segment;
    segment.file = undefined;
    if (file === undefined) return;
    const close = () => file.close().catch(() => undefined);
    await this.#options.watch.during(close, { operation: "closing", file: path });
  }

  async #reuse(segment: Segment): Promise<boolean> {
    if (!this.#spares.wantsFile) return false;
    await this.#spares.recycle(segment);
    return true;
  }

  #segment(sequence: number): Segment {
    return freeSegment(this.#options.directory, sequence);
  }
}

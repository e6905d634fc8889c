/**
 * THE SEGMENT FILES: which one takes batches, which wait to become the next, which are still
 * needed. Their life is drawn in wal/segment-state.ts.
 *
 * It is over 400 lines because all that changes the files of the log goes through one queue (5).
 *
 * (1) A sequence is registered before its file is made, and `reserved`, the highest one registered,
 *     has never been taken into use. So a file that is missing was lost, unless it is `reserved`.
 * (2) A file is taken into use when its directory entry and the registration of the sequence behind
 *     it are durable. Sequences are used in ascending order, each at most once.
 * (3) A header is synced before the first batch is issued, but behind batches that are copied into
 *     the segment: until then the segment that they come from counts.
 * (4) A released segment is struck from the register first, then renamed or removed. A crash in
 *     between leaves a file that nobody needs, which the next start removes. One above the horizon
 *     is registered as history in the same commit, and stays (history-segments.ts).
 * (5) Making, indexing, recycling and removing run one at a time; taking a spare only takes it off
 *     the list.
 * (6) A file that is smaller than a segment was the reserve (reserve.ts): it is sealed as soon as it
 *     has taken over what was to be copied. Nothing is active then until there is room.
 * (7) In a store with a sink a segment is let go only when the sink has all of it and the manifest
 *     says so, whatever else does not need it any more: what the disk and the sink have is compared
 *     before the store ships again. A release that came too early is made up for by `archived`.
 * (8) Where the disk has no room for a file, the oldest history gives its own: commits come first.
 */
import { assert, present } from "../base/assert.ts";
import type { LogFile } from "../base/driver.ts";
import type { Disposer, Storage } from "../base/env.ts";
import { ioError, isStorageError, type StorageError } from "../base/errors.ts";
import {
  earlierLsn,
  LSN_ZERO,
  type Lsn,
  laterLsn,
  lsnAfter,
  segmentSequence,
} from "../base/units.ts";
import { BLOCK_BYTES, encodeSegmentHeader, moveSegment, segmentFileName } from "../wal/index.ts";
import { type HistoryChange, HistoryFiles } from "./history-files.ts";
import type { EndedSegment, HistoryHold, HistorySegment } from "./history-segments.ts";
import type { SegmentStats } from "./log.ts";
import { MAX_SPARES } from "./options.ts";
import { keepReserve, moveReserve, putReserveBack, reserveBytes } from "./reserve.ts";
import { writeIndex } from "./seal.ts";
import { makeSegmentFile } from "./segment-file.ts";
import type {
  ActiveSegment,
  FoundSegments,
  ReadableSegment,
  Segment,
  SegmentStoreOptions,
  TakeOptions,
} from "./segment-records.ts";
import { type Marks, marksWithin } from "./watermarks.ts";

/** At most this part of a segment is kept free for its index. */
const INDEX_SHARE = 16;

export class SegmentStore {
  readonly #options: SegmentStoreOptions;
  /** Segments that were used and are not released, in order; the newest last. */
  readonly #used: Segment[];
  readonly #spares: Segment[];
  readonly #history: HistoryFiles;
  #reserved: number;
  #active: ActiveSegment | undefined;
  /** A file that is ready but for the registration of the sequence behind it. */
  #unannounced: Segment | undefined;
  #refusal: StorageError | undefined;
  #retry: Disposer | undefined;
  #serial: Promise<unknown> = Promise.resolve();
  #making: Promise<void> | undefined;
  #closed = false;
  #hasReserve = false;
  #archivedLsn: Lsn | undefined;
  #shippedLsn: Lsn | undefined;
  /** Of the last release. */
  #asked: { readonly lsn: Lsn; readonly horizonLsn: Lsn } | undefined;

  constructor(options: SegmentStoreOptions, found: FoundSegments) {
    this.#options = options;
    this.#archivedLsn = options.archivedLsn;
    this.#shippedLsn = options.archivedLsn;
    this.#reserved = found.reserved;
    this.#used = found.sealed.map(({ sequence, ...about }) => {
      return { ...this.#segment(sequence), ...about, state: "sealed" };
    });
    const { segmentBytes } = options.limits;
    this.#history = new HistoryFiles({ ...this.#place, segmentBytes }, found.history);
    this.#spares = found.spares.map((sequence) => this.#segment(sequence));
    this.#markArchived();
  }

  /** The segment that takes batches; undefined before the first `take`, after `poison`, and (6). */
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
    if (this.#active === undefined) return undefined;
    const firstLsn = present(this.#used.at(-1)?.firstLsn, "the active segment has a beginning");
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

  /** Why the last try to make a spare failed; undefined once one succeeds. */
  get refusal(): StorageError | undefined {
    return this.#refusal;
  }

  get count(): number {
    return this.#used.length + this.#spares.length;
  }

  /** Makes a spare in the background unless there is one; tries again by itself until it can. */
  prepareSoon(): void {
    if (this.#closed || this.#spares.length > 0 || this.#retry !== undefined) return;
    this.#prepare().catch(() => {
      if (this.#closed) return;
      const { env, limits } = this.#options;
      this.#retry ??= env.clock.after(limits.retryMs, () => {
        this.#retry = undefined;
        this.prepareSoon();
      });
    });
  }

  /** Takes the next spare into use, from `firstLsn` on, and seals the one before it. */
  async take(options: TakeOptions): Promise<void> {
    while (this.#spares.length === 0) await this.#prepare();
    const segment = present(this.#spares.shift(), "a spare");
    this.#used.push(segment);
    try {
      segment.file ??= await this.#options.driver.open(segment.path);
      segment.firstLsn = options.firstLsn;
      segment.createdMs = options.createdMs;
      const offset = await this.#writeHead(segment.file, { ...options, segment });
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
    const segment = this.#segment(this.#reserved);
    const bytes = BLOCK_BYTES + options.copied(segment.sequence).length;
    const moved = await this.#inTurn(() => this.#announceReserve(segment, bytes));
    if (moved) await this.take(options);
    return moved;
  }

  /** Sees to it in the background that there is a reserve. */
  keepReserveSoon(): void {
    if (this.#hasReserve || this.#closed) return;
    this.#hasReserve = true;
    this.#inTurn(async () => {
      if (this.#closed) return;
      await keepReserve(this.#place, reserveBytes(this.#options.limits.bufferBytes));
    }).catch(() => {
      this.#hasReserve = false; // Tried again when the next segment has been made.
    });
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
   * history until it has passed them. See (7).
   */
  release(lsn: Lsn, horizonLsn: Lsn = lsn): Promise<void> {
    this.#asked = { lsn, horizonLsn: earlierLsn(lsn, horizonLsn) };
    return this.#inTurn(() => this.#release());
  }

  shipped(lsn: Lsn): void {
    this.#shippedLsn = laterLsn(present(this.#shippedLsn, "a store with a sink"), lsn);
  }

  /** The sink has the log up to here, and that is on record. See (7). */
  async archived(lsn: Lsn): Promise<void> {
    const before = present(this.#archivedLsn, "a store with a sink");
    this.#archivedLsn = laterLsn(before, lsn);
    this.shipped(lsn);
    this.#markArchived();
    const endLsn = this.#used[0]?.endLsn;
    const isAwaited = endLsn !== undefined && endLsn <= (this.#asked?.lsn ?? LSN_ZERO);
    if (isAwaited && endLsn <= lsn) await this.#inTurn(() => this.#release());
  }

  /** Waits for what runs, closes every file. Nothing is taken or made any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.dispose();
    await this.#inTurn(async () => {
      const handles = [...this.#used, ...this.#spares, this.#unannounced];
      for (const segment of handles) {
        if (segment !== undefined) await this.#retireHandle(segment);
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

  async #writeHead(file: LogFile, options: TakeOptions & { segment: Segment }): Promise<number> {
    const { storeId } = this.#options;
    const { firstLsn, durableLsn, createdMs, copied, segment } = options;
    const { sequence } = segment;
    const batches = copied?.(sequence);
    if (batches !== undefined) await this.#writeThrough(file, { bytes: batches, at: BLOCK_BYTES });
    const header = { storeId, sequence, firstLsn, durableLsn, createdMs };
    await this.#writeThrough(file, { bytes: encodeSegmentHeader(header), at: 0 });
    return BLOCK_BYTES + (batches?.length ?? 0);
  }

  /** By way of the driver's own memory. */
  async #writeThrough(
    file: LogFile,
    { bytes, at }: { readonly bytes: Uint8Array; readonly at: number },
  ): Promise<void> {
    const { driver } = this.#options;
    const memory = driver.allocate(bytes.length);
    try {
      memory.set(bytes);
      await file.write(memory, at);
      await file.sync();
    } finally {
      driver.release(memory);
    }
  }

  async #announceReserve(segment: Segment, bytes: number): Promise<boolean> {
    const { path, sequence } = segment;
    try {
      if (!(await moveReserve(this.#place, { path, bytes }))) return false;
      this.#hasReserve = false;
      await this.#reserve(sequence + 1);
    } catch (cause) {
      await putReserveBack(this.#place, path);
      throw ioError("taking the reserve as", path, cause);
    }
    this.#spares.push(segment);
    return true;
  }

  /** See (6). */
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
    this.#inTurn(async () => {
      if (this.#closed) return;
      const refused = await writeIndex({ path, sequence, firstLsn, endLsn }, parts);
      if (refused !== undefined) segment.suspect = true;
    }).catch(() => {
      segment.suspect = true;
    });
  }

  /** A file that is closed badly has nothing left to lose: what counts in it was synced. */
  async #retireHandle(segment: Segment): Promise<void> {
    const { file } = segment;
    segment.file = undefined;
    await file?.close().catch(() => undefined);
  }

  #prepare(): Promise<void> {
    this.#making ??= this.#inTurn(() => this.#makeSpare()).finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #makeSpare(): Promise<void> {
    if (this.#spares.length > 0) return;
    try {
      if (this.#reserved === 0) await this.#reserve(1);
      this.#unannounced ??= await this.#makeFile(this.#segment(this.#reserved));
      await this.#announce(this.#unannounced);
      this.#refusal = undefined;
      this.keepReserveSoon();
    } catch (cause) {
      const path = this.#path(this.#reserved);
      const refusal = ioError("preparing", path, cause);
      if (isStorageError(refusal, "BOP_DISK_FULL") && (await this.#takeFromHistory())) return;
      this.#refusal = refusal;
      throw refusal;
    }
  }

  /** See (8). True if there is a spare now. */
  async #takeFromHistory(): Promise<boolean> {
    const change = this.#history.giveUpOldest();
    if (change === undefined) return false;
    try {
      await this.#strike(change);
    } catch {
      return false; // The caller tells of the disk that is full.
    }
    return this.#spares.length > 0;
  }

  async #makeFile(segment: Segment): Promise<Segment> {
    const { path } = segment;
    const { storage } = this.#options.env;
    // What lies at the path of `reserved` was left by a crash, and never taken into use.
    await makeSegmentFile(storage, { path, bytes: this.#options.limits.segmentBytes });
    try {
      await this.#syncDirectory();
      segment.file = await this.#options.driver.open(path);
    } catch (cause) {
      await storage.unlink(path).catch(() => undefined);
      throw cause;
    }
    return segment;
  }

  /** A file at the path of `reserved` becomes a spare. */
  async #announce(segment: Segment): Promise<void> {
    this.#unannounced = segment;
    await this.#reserve(segment.sequence + 1);
    this.#unannounced = undefined;
    this.#spares.push(segment);
  }

  async #reserve(sequence: number): Promise<void> {
    await this.#options.register(segmentSequence(sequence));
    this.#reserved = sequence;
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

  /** See (4). */
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
      const wanted = this.#spares.length < MAX_SPARES && this.#unannounced === undefined;
      if (!healthy || !wanted || found.bytes !== segmentBytes || this.#reserved === 0) {
        await storage.unlink(segment.path);
        return;
      }
      const spare = this.#segment(this.#reserved);
      await storage.rename(segment.path, spare.path);
      await this.#syncDirectory();
      moveSegment(segment, "free");
      await this.#announce(spare);
      this.#refusal = undefined; // No other one will be made while there is this one.
    } catch (cause) {
      throw ioError("recycling", segment.path, cause);
    }
  }

  #inTurn<T>(job: () => Promise<T>): Promise<T> {
    const done = this.#serial.then(job);
    this.#serial = done.catch(() => undefined);
    return done;
  }

  get #inflightLsn(): Lsn {
    return this.#used[0]?.firstLsn ?? LSN_ZERO;
  }

  get #place(): { readonly storage: Storage; readonly directory: string } {
    return { storage: this.#options.env.storage, directory: this.#options.directory };
  }

  #syncDirectory(): Promise<void> {
    return this.#options.env.storage.syncDirectory(this.#options.directory);
  }

  #segment(sequence: number): Segment {
    const path = this.#path(sequence);
    const nowhere = { file: undefined, firstLsn: undefined, endLsn: undefined };
    return { sequence, path, state: "free", ...nowhere, createdMs: 0, suspect: false };
  }

  #path(sequence: number): string {
    return `${this.#options.directory}/${segmentFileName(sequence)}`;
  }
}

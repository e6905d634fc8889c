/**
 * SPARE SEGMENTS: files that wait to take batches, and how there comes to be one.
 *
 *   made ─────────────┐
 *   let go (recycle) ─┼─► named durably ─► the sequence behind it registered ─► a spare ─► take
 *   the reserve ──────┘
 *
 * (1) A sequence is registered before its file is made, and `reserved`, the highest one registered,
 *     has never been taken into use. So a file that is missing was lost, unless it is `reserved`.
 * (2) A file is a spare when its directory entry and the registration of the sequence behind it are
 *     durable. Sequences are used in ascending order, each at most once.
 * (3) Making and recycling run in the turns of the segment store; taking a spare only takes it off the
 *     list.
 * (4) Where the disk has no room for a file, the oldest history gives its own: commits come first.
 */
import { assert, present } from "../../base/assert.ts";
import type { Disposer, Storage } from "../../base/env.ts";
import { ioError, isStorageError, type StorageError } from "../../base/errors.ts";
import type { Turns } from "../../base/turns.ts";
import { segmentSequence } from "../../base/units.ts";
import { moveSegment } from "../../wal/index.ts";
import { MAX_SPARES } from "../options.ts";
import { keepReserve, moveReserve, reserveBytes } from "./reserve.ts";
import { makeSegmentFile } from "./segment-file.ts";
import {
  type FoundSegments,
  freeSegment,
  type Segment,
  type SegmentStoreOptions,
  segmentPath,
} from "./segment-records.ts";

export interface SpareParts {
  readonly options: Omit<
    SegmentStoreOptions,
    "unregister" | "trail" | "archivedLsn" | "shippedLsn"
  >;
  /** See (3). */
  readonly turns: Turns;
  /** See (4). Called in a turn; resolves whether a file was let go. */
  readonly giveUpHistory: () => Promise<boolean>;
}

export class SpareSegments {
  readonly #parts: SpareParts;
  readonly #spares: Segment[];
  #reserved: number;
  /** A file that is ready but for the registration of the sequence behind it. */
  #unannounced: Segment | undefined;
  #refusal: StorageError | undefined;
  #retry: Disposer | undefined;
  #making: Promise<void> | undefined;
  #hasReserve = false;
  #stopped = false;

  constructor(parts: SpareParts, { spares, reserved }: Pick<FoundSegments, "spares" | "reserved">) {
    this.#parts = parts;
    this.#spares = spares.map((sequence) => this.#free(sequence));
    this.#reserved = reserved;
  }

  get count(): number {
    return this.#spares.length;
  }

  /** Why the last try to make one failed; undefined once one succeeds. */
  get refusal(): StorageError | undefined {
    return this.#refusal;
  }

  /** The one that is not ready included. */
  get files(): readonly Segment[] {
    return this.#unannounced === undefined ? this.#spares : [...this.#spares, this.#unannounced];
  }

  /** Takes the next one off the list. There is one. */
  take(): Segment {
    return present(this.#spares.shift(), "a spare");
  }

  /** Makes one unless there is one. Rejects with what the system says, or BOP_DISK_FULL. */
  make(): Promise<void> {
    this.#making ??= this.#parts.turns
      .run(() => this.#make())
      .finally(() => {
        this.#making = undefined;
      });
    return this.#making;
  }

  /** The same in the background; tries again by itself until it can. */
  makeSoon(): void {
    if (this.#stopped || this.#spares.length > 0 || this.#retry !== undefined) return;
    this.make().catch(() => {
      if (this.#stopped) return;
      const { env, limits } = this.#parts.options;
      this.#retry ??= env.clock.after(limits.retryMs, () => {
        this.#retry = undefined;
        this.makeSoon();
      });
    });
  }

  /** Whether a file that is let go would become one. */
  get wantsFile(): boolean {
    const hasPlace = this.#spares.length < MAX_SPARES && this.#unannounced === undefined;
    return hasPlace && this.#reserved > 0;
  }

  /** The file of a segment that was retired becomes one that is wanted. In a turn. */
  async recycle(segment: Segment): Promise<void> {
    assert(this.wantsFile, "a file is recycled that nobody wants");
    const spare = this.#free(this.#reserved);
    await this.#storage.rename(segment.path, spare.path);
    await this.#syncDirectory();
    moveSegment(segment, "free");
    await this.#announce(spare);
    this.#refusal = undefined; // No other one will be made while there is this one.
  }

  /** The reserve becomes one, if there is a reserve of the size that its sequence needs. */
  async makeOfReserve(bytesFor: (sequence: number) => number): Promise<boolean> {
    const segment = this.#free(this.#reserved);
    const bytes = bytesFor(segment.sequence);
    return await this.#parts.turns.run(() => this.#announceReserve(segment, bytes));
  }

  /** Sees to it in the background that there is a reserve. */
  keepReserveSoon(): void {
    if (this.#hasReserve || this.#stopped) return;
    this.#hasReserve = true;
    this.#parts.turns
      .run(async () => {
        if (!this.#stopped) await this.#keepReserve();
      })
      .catch(() => {
        this.#hasReserve = false; // Tried again when the next segment has been made.
      });
  }

  /** Nothing is made any more but what was asked for already. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.dispose();
  }

  async #make(): Promise<void> {
    if (this.#spares.length > 0) return;
    try {
      if (this.#reserved === 0) await this.#reserve(1);
      this.#unannounced ??= await this.#makeFile(this.#free(this.#reserved));
      await this.#announce(this.#unannounced);
      this.#refusal = undefined;
      this.keepReserveSoon();
    } catch (cause) {
      const path = segmentPath(this.#place.directory, this.#reserved);
      const refusal = ioError("preparing", path, cause);
      if (isStorageError(refusal, "BOP_DISK_FULL") && (await this.#takeFromHistory())) return;
      this.#refusal = refusal;
      throw refusal;
    }
  }

  /** See (4). True if there is a spare now. */
  async #takeFromHistory(): Promise<boolean> {
    return (await this.#parts.giveUpHistory()) && this.#spares.length > 0;
  }

  async #makeFile(segment: Segment): Promise<Segment> {
    const { path } = segment;
    const { driver, limits } = this.#parts.options;
    // What lies at the path of `reserved` was left by a crash, and never taken into use.
    await makeSegmentFile(this.#storage, { path, bytes: limits.segmentBytes });
    try {
      await this.#syncDirectory();
      segment.file = await driver.open(path);
    } catch (cause) {
      await this.#storage.unlink(path).catch(() => undefined);
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

  async #announceReserve(segment: Segment, bytes: number): Promise<boolean> {
    const { path } = segment;
    const move = () => moveReserve(this.#place, { path, bytes });
    try {
      if (!(await move())) {
        const isMade = await this.#keepReserve().then(
          () => true,
          () => false,
        );
        if (!isMade || !(await move())) return false; // See reserve.ts (2).
      }
      this.#hasReserve = false;
      // A file that waited at that path has lost its name.
      await this.#unannounced?.file?.close().catch(() => undefined);
      await this.#announce(segment);
    } catch (cause) {
      throw ioError("taking the reserve as", path, cause);
    }
    return true;
  }

  #keepReserve(): Promise<void> {
    const { bufferBytes } = this.#parts.options.limits;
    return keepReserve(this.#place, reserveBytes(bufferBytes));
  }

  async #reserve(sequence: number): Promise<void> {
    await this.#parts.options.register(segmentSequence(sequence));
    this.#reserved = sequence;
  }

  #free(sequence: number): Segment {
    return freeSegment(this.#parts.options.directory, sequence);
  }

  get #storage(): Storage {
    return this.#parts.options.env.storage;
  }

  get #place(): { readonly storage: Storage; readonly directory: string } {
    return { storage: this.#storage, directory: this.#parts.options.directory };
  }

  #syncDirectory(): Promise<void> {
    return this.#storage.syncDirectory(this.#parts.options.directory);
  }
}

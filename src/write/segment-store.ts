/**
 * THE SEGMENT FILES: which one takes batches, which wait to become the next, which are still
 * needed. Their life is drawn in wal/segment-state.ts.
 *
 * (1) A sequence is registered before its file is made, and `reserved`, the highest one registered,
 *     has never been taken into use. So a file that is missing was lost, unless it is `reserved`.
 * (2) A file is taken into use when its directory entry and the registration of the sequence behind
 *     it are durable. Sequences are used in ascending order, each at most once.
 * (3) A header is synced before the first batch is issued, but behind batches that are copied into
 *     the segment: until then the segment that they come from counts.
 * (4) A released segment is struck from the register first, then renamed or removed. A crash in
 *     between leaves a file that nobody needs, which the next start removes.
 * (5) Making, recycling and removing run one at a time; taking a spare only takes it off the list.
 */
import { assert, present } from "../base/assert.ts";
import type { Disposer, Env, File } from "../base/env.ts";
import { ioError, type StorageError, systemCode } from "../base/errors.ts";
import { type Lsn, type SegmentSequence, segmentSequence } from "../base/units.ts";
import {
  BLOCK_BYTES,
  encodeSegmentHeader,
  moveSegment,
  type SegmentState,
  segmentFileName,
} from "../wal/index.ts";
import { type LogLimits, MAX_SPARES } from "./options.ts";

export interface SegmentStoreOptions {
  readonly env: Env;
  /** Where the segments lie. It exists. */
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly limits: LogLimits;
  /** Resolves when the manifest durably names the sequence. */
  readonly register: (sequence: SegmentSequence) => Promise<void>;
  /** Resolves when the manifest durably no longer names them. */
  readonly unregister: (sequences: readonly SegmentSequence[]) => Promise<void>;
}

/** What recovery found. */
export interface FoundSegments {
  /** In order of use, each with its end; the newest ends where the next one taken begins. */
  readonly sealed: readonly { readonly sequence: number; readonly endLsn: Lsn | undefined }[];
  readonly spares: readonly number[];
  /** The highest sequence registered; 0 in a new store. */
  readonly reserved: number;
}

export interface TakeOptions {
  readonly firstLsn: Lsn;
  readonly durableLsn: Lsn;
  /** Batches that the segment takes over, stamped for it; written and synced before its header. */
  readonly copied?: (sequence: number) => Uint8Array;
}

interface Segment {
  readonly sequence: number;
  readonly path: string;
  state: SegmentState;
  /** Open while it is free or active. */
  file: File | undefined;
  /** Where the next segment began; undefined for the newest. */
  endLsn: Lsn | undefined;
}

interface ActiveSegment {
  readonly sequence: number;
  readonly path: string;
  readonly file: File;
  /** Where the next batch goes. */
  offset: number;
}

export class SegmentStore {
  readonly #options: SegmentStoreOptions;
  /** Segments that were used and are not released, in order; the newest last. */
  readonly #used: Segment[];
  readonly #spares: Segment[];
  #reserved: number;
  #active: ActiveSegment | undefined;
  /** A file that is ready but for the registration of the sequence behind it. */
  #unannounced: Segment | undefined;
  #refusal: StorageError | undefined;
  #retry: Disposer | undefined;
  #serial: Promise<unknown> = Promise.resolve();
  #making: Promise<void> | undefined;
  #closed = false;

  constructor(options: SegmentStoreOptions, found: FoundSegments) {
    this.#options = options;
    this.#reserved = found.reserved;
    this.#used = found.sealed.map(({ sequence, endLsn }) => {
      return { ...this.#segment(sequence), state: "sealed", endLsn };
    });
    this.#spares = found.spares.map((sequence) => this.#segment(sequence));
  }

  /** The segment that takes batches; undefined before the first `take` and after `poison`. */
  get active(): ActiveSegment | undefined {
    return this.#active;
  }

  /** Bytes that the active segment still takes. */
  get roomBytes(): number {
    if (this.#active === undefined) return 0;
    return this.#options.limits.segmentBytes - this.#active.offset;
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
      segment.file ??= await this.#options.env.storage.open(segment.path, "write");
      const offset = await this.#writeHead(segment.file, { ...options, segment });
      await this.#sealBefore(segment, options.firstLsn);
      moveSegment(segment, "active");
      const { sequence, path, file } = segment;
      this.#active = { sequence, path, file, offset };
    } catch (cause) {
      this.#active = undefined;
      moveSegment(segment, "poisoned");
      await this.#retireHandle(segment);
      throw ioError("taking into use", segment.path, cause);
    }
  }

  /** The device refused a write or a sync: nothing is written to this segment again. */
  async poison(): Promise<void> {
    const segment = present(this.#used.at(-1), "a segment to poison");
    assert(this.#active?.sequence === segment.sequence, "poisoned a segment that is not active");
    this.#active = undefined;
    moveSegment(segment, "poisoned");
    await this.#retireHandle(segment);
  }

  /** Segments that end at or below `lsn` are recycled or removed. */
  release(lsn: Lsn): Promise<void> {
    return this.#inTurn(async () => {
      const gone = this.#used.filter(({ endLsn }) => endLsn !== undefined && endLsn <= lsn);
      if (gone.length === 0 || this.#closed) return;
      await this.#options.unregister(gone.map(({ sequence }) => segmentSequence(sequence)));
      this.#used.splice(0, gone.length);
      for (const segment of gone) await this.#letGo(segment);
      await this.#syncDirectory().catch((cause) => {
        throw ioError("sync", this.#options.directory, cause);
      });
    });
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

  async #writeHead(file: File, options: TakeOptions & { segment: Segment }): Promise<number> {
    const { env, storeId } = this.#options;
    const { firstLsn, durableLsn, copied, segment } = options;
    const { sequence } = segment;
    const batches = copied?.(sequence);
    if (batches !== undefined) {
      await file.write(batches, BLOCK_BYTES);
      await file.sync();
    }
    const createdMs = Math.max(0, Math.floor(env.clock.wallMs()));
    const header = { storeId, sequence, firstLsn, durableLsn, createdMs };
    await file.write(encodeSegmentHeader(header), 0);
    await file.sync();
    return BLOCK_BYTES + (batches?.length ?? 0);
  }

  /** What was used before ends where the new segment begins. */
  async #sealBefore(segment: Segment, endLsn: Lsn): Promise<void> {
    for (const earlier of this.#used) {
      if (earlier === segment) break;
      earlier.endLsn ??= endLsn;
      if (earlier.state !== "active") continue;
      moveSegment(earlier, "sealed");
      await this.#retireHandle(earlier);
    }
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
    } catch (cause) {
      const path = this.#path(this.#reserved);
      this.#refusal = ioError("preparing", path, cause);
      throw this.#refusal;
    }
  }

  async #makeFile(segment: Segment): Promise<Segment> {
    const { storage } = this.#options.env;
    const file = await this.#create(segment.path);
    try {
      await file.preallocate(this.#options.limits.segmentBytes);
      await file.sync();
      await this.#syncDirectory();
    } catch (cause) {
      await file.close().catch(() => undefined);
      await storage.unlink(segment.path).catch(() => undefined);
      throw cause;
    }
    segment.file = file;
    return segment;
  }

  /** What lies at the path of `reserved` was left by a crash, and never taken into use. */
  async #create(path: string): Promise<File> {
    const { storage } = this.#options.env;
    try {
      return await storage.open(path, "create");
    } catch (cause) {
      if (systemCode(cause) !== "EEXIST") throw cause;
      await storage.unlink(path);
      return await storage.open(path, "create");
    }
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

  async #letGo(segment: Segment): Promise<void> {
    const { storage } = this.#options.env;
    const { segmentBytes } = this.#options.limits;
    const healthy = segment.state === "sealed";
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

  #syncDirectory(): Promise<void> {
    return this.#options.env.storage.syncDirectory(this.#options.directory);
  }

  #segment(sequence: number): Segment {
    const path = this.#path(sequence);
    return { sequence, path, state: "free", file: undefined, endLsn: undefined };
  }

  #path(sequence: number): string {
    return `${this.#options.directory}/${segmentFileName(sequence)}`;
  }
}

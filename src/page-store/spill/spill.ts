/**
 * THE SPILL OF ONE WRITE TRANSACTION: the pages that memory had no room for, in chunk files that are
 * written while the transaction runs and that its commit names.
 *
 *             put               finish              seal
 *     empty ───────► written ───────────► durable ─────────► the page store's
 *                       ▲                    │
 *                       └──────── put ───────┘
 *         discard, from anywhere before the seal: the files are removed
 *
 * (1) Everything is synchronous, since SQLite cannot wait. The removal of files alone is not.
 * (2) A page is written again where it was written before: files grow with the pages that a
 *     transaction changes, not with how often it changes them.
 * (3) When `finish` returns, files and names survive a power cut. Nothing names them yet: should
 *     the commit never be sealed, they are leftovers, which their header says.
 * (4) What failed once stays failed. A sync that is repeated may report success for what was lost,
 *     and SQLite rolls the transaction back anyway.
 * (5) A page that was cut off and not written again has zeros in its slot when it is finished.
 */
import { assert, present } from "../../base/assert.ts";
import type { File, Storage } from "../../base/env.ts";
import { ioError, StorageError } from "../../base/errors.ts";
import { type ChunkId, type Lsn, MIB } from "../../base/units.ts";
import { recordBytes, recordImage, SlottedChunk, slotOffset, slotsIn } from "../../chunk/index.ts";
import type { SpillFields } from "../../write/index.ts";
import { chunkDirectory, chunkFolder, chunkName, chunkPath } from "../chunks/chunk-files.ts";
import type { PageSpill } from "../page-space.ts";
import { SlotMap } from "./slot-map.ts";
import { SpilledPages } from "./spilled.ts";

/** What all spills of a store share. */
export interface SpillGround {
  readonly storage: Storage;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly generation: () => number;
  readonly chunkBytesMax: number;
  readonly maxTransactionBytes: number;
  readonly nextChunkId: () => ChunkId;
  /** Folders of chunks whose own entry is known to be durable; a spill adds to it. */
  readonly durableFolders: Set<string>;
  /** Waits for what goes on behind the back of a call, before the store is closed. */
  readonly settleLater: (work: Promise<void>) => void;
}

export interface SpillOf {
  readonly stream: number;
  /** Above the commit on which the transaction stands, below the one that it will be. */
  readonly lsn: Lsn;
  readonly pageBytes: number;
}

interface SpillFile {
  readonly slotted: SlottedChunk;
  readonly file: File;
  path: string;
  /** What was finished; undefined if it was changed since. */
  finished: SpillFields | undefined;
}

const BUFFER_BYTES = MIB;

export class Spill implements PageSpill {
  readonly #ground: SpillGround;
  readonly #of: SpillOf;
  readonly #slotsPerChunk: number;
  readonly #recordBytes: number;
  readonly #slots = new SlotMap();
  readonly #files: SpillFile[] = [];
  readonly #buffer: Uint8Array;
  #pageCount = 0;
  #failure: unknown;
  #ended = false;

  constructor(ground: SpillGround, of: SpillOf) {
    this.#ground = ground;
    this.#of = of;
    this.#slotsPerChunk = slotsIn(ground.chunkBytesMax, of.pageBytes);
    this.#recordBytes = recordBytes(of.pageBytes);
    assert(this.#slotsPerChunk > 0, "a chunk too small for a page");
    this.#buffer = new Uint8Array(Math.max(BUFFER_BYTES, this.#recordBytes));
  }

  put(pages: ReadonlyMap<number, Uint8Array>): void {
    assert(!this.#ended, "a spill is written to after its end");
    if (this.#failure !== undefined) throw this.#failure;
    this.#orFail(() => {
      const run = new Run(this.#buffer);
      for (const pageNumber of Uint32Array.from(pages.keys()).sort()) {
        const slot = this.#slotOf(pageNumber);
        this.#slots.set(pageNumber, slot);
        this.#encode(run, slot, present(pages.get(pageNumber), "a page to spill"));
      }
      this.#flush(run);
    });
  }

  get(pageNumber: number): Uint8Array | undefined {
    const slot = this.#slots.find(pageNumber);
    if (slot === undefined) return undefined;
    const { file, path, slotted } = this.#fileOf(slot);
    const { stream, pageBytes } = this.#of;
    const offset = slotOffset(slot % this.#slotsPerChunk, pageBytes);
    const record = this.#buffer.subarray(0, this.#recordBytes);
    const count = attempt("read", path, () => file.readSync(record, offset));
    const expected = { stream, pageNumber, imageBytes: pageBytes, seed: slotted.seed };
    const image = recordImage(record.subarray(0, count), expected);
    if (typeof image !== "string") return image;
    throw new StorageError("BOP_CORRUPT", `page ${pageNumber}: ${image} (${path})`, {
      details: { file: path, offset, why: image, page: pageNumber },
    });
  }

  async settle(): Promise<void> {
    for (const { file, path } of this.#files) {
      try {
        await file.sync();
      } catch (cause) {
        this.#failure ??= ioError("sync", path, cause);
      }
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  truncate(pageCount: number): void {
    this.#slots.cut(pageCount);
  }

  /** Makes it durable, as the pages of a database of `pageCount` pages. */
  finish(pageCount: number): SpilledPages {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#orFail(() => {
      this.#slots.cut(pageCount);
      this.#clearGone(pageCount);
      const chunks = this.#files.map((file) => this.#finishFile(file));
      const { directory, storage } = this.#ground;
      for (const folder of new Set(chunks.map(({ chunk }) => chunkFolder(directory, chunk)))) {
        attempt("sync", folder, () => storage.syncDirectorySync(folder));
      }
      const shape = { pageBytes: this.#of.pageBytes, slotsPerChunk: this.#slotsPerChunk };
      return new SpilledPages(chunks, this.#slots, shape);
    });
  }

  /** A commit with it was sealed: it belongs to the page store. */
  close(): void {
    this.#end(async ({ file }) => file.close());
  }

  discard(): void {
    const { storage } = this.#ground;
    this.#end(async ({ file, path }) => {
      await file.close();
      await storage.unlink(path);
    });
  }

  /** See (4). */
  #orFail<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #end(act: (file: SpillFile) => Promise<void>): void {
    if (this.#ended) return;
    this.#ended = true;
    // What cannot be removed now is removed when the store is next opened.
    const ends = this.#files.map((file) => act(file).catch(() => undefined));
    this.#ground.settleLater(Promise.all(ends).then(() => undefined));
  }

  #slotOf(pageNumber: number): number {
    const known = this.#slots.reserved(pageNumber);
    if (known !== undefined) return known;
    const { maxTransactionBytes: limitBytes } = this.#ground;
    const bytes = (this.#pageCount + 1) * this.#of.pageBytes;
    if (bytes > limitBytes) throw tooLarge(bytes, limitBytes);
    let last = this.#files.at(-1);
    if (last === undefined || last.slotted.isFull) last = this.#open();
    this.#pageCount += 1;
    return (this.#files.length - 1) * this.#slotsPerChunk + last.slotted.add(pageNumber);
  }

  #fileOf(slot: number): SpillFile {
    return present(this.#files[Math.floor(slot / this.#slotsPerChunk)], "a slot has a file");
  }

  #encode(run: Run, slot: number, image: Uint8Array): void {
    const file = this.#fileOf(slot);
    const at = slotOffset(slot % this.#slotsPerChunk, this.#of.pageBytes);
    if (!run.takes(file, at, this.#recordBytes)) this.#flush(run);
    const into = run.take(file, at, this.#recordBytes);
    file.slotted.encode(into, slot % this.#slotsPerChunk, image);
  }

  #flush(run: Run): void {
    const { target } = run;
    if (target === undefined) return;
    target.finished = undefined;
    attempt("write", target.path, () => target.file.writeSync(run.bytes, run.at));
    run.clear();
  }

  /** See (5). */
  #clearGone(pageCount: number): void {
    const gone: number[] = [];
    for (const pageNumber of this.#slots.gone()) {
      if (pageNumber > pageCount) break;
      gone.push(pageNumber);
    }
    const zeros = new Uint8Array(this.#of.pageBytes);
    if (gone.length > 0) this.put(new Map(gone.map((pageNumber) => [pageNumber, zeros])));
  }

  #open(): SpillFile {
    const { storage, directory, storeId, generation, nextChunkId } = this.#ground;
    const chunk = nextChunkId();
    const path = `${directory}/tmp/${chunkName(chunk)}`;
    const file = attempt("create", path, () => storage.createSync(path));
    const shape = { ...this.#of, slotsMax: this.#slotsPerChunk };
    const slotted = new SlottedChunk({ chunk, generation: generation(), storeId }, shape);
    const opened: SpillFile = { slotted, file, path, finished: undefined };
    this.#files.push(opened);
    return opened;
  }

  #finishFile(target: SpillFile): SpillFields {
    if (target.finished !== undefined) return target.finished;
    const { file, slotted } = target;
    const { header, end, endAt, directoryCrc } = slotted.finish();
    attempt("write", target.path, () => {
      file.writeSync(end, endAt);
      file.writeSync(header, 0);
    });
    attempt("sync", target.path, () => file.syncSync());
    this.#giveName(target);
    const { chunk, count } = slotted;
    const fields = { chunk, fileBytes: endAt + end.length, pageCount: count, directoryCrc };
    target.finished = fields;
    return fields;
  }

  /** Its final name, with a folder that will still be there. */
  #giveName(target: SpillFile): void {
    const { storage, directory, durableFolders } = this.#ground;
    const { chunk } = target.slotted;
    const folder = chunkFolder(directory, chunk);
    const path = chunkPath(directory, chunk);
    if (target.path === path) return;
    if (!durableFolders.has(folder)) {
      const parent = chunkDirectory(directory);
      attempt("create", folder, () => storage.mkdirSync(folder));
      attempt("sync", parent, () => storage.syncDirectorySync(parent));
      durableFolders.add(folder);
    }
    attempt("rename", target.path, () => storage.renameSync(target.path, path));
    target.path = path;
  }
}

/** Records that lie one behind the other in a file, gathered for one write. */
class Run {
  readonly #buffer: Uint8Array;
  target: SpillFile | undefined;
  at = 0;
  #bytes = 0;

  constructor(buffer: Uint8Array) {
    this.#buffer = buffer;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#bytes);
  }

  takes(target: SpillFile, at: number, bytes: number): boolean {
    if (this.target === undefined) return true;
    const follows = this.target === target && this.at + this.#bytes === at;
    return follows && this.#bytes + bytes <= this.#buffer.length;
  }

  take(target: SpillFile, at: number, bytes: number): Uint8Array {
    if (this.target === undefined) {
      this.target = target;
      this.at = at;
    }
    const into = this.#buffer.subarray(this.#bytes, this.#bytes + bytes);
    this.#bytes += bytes;
    return into;
  }

  clear(): void {
    this.target = undefined;
    this.#bytes = 0;
  }
}

export function tooLarge(bytes: number, limitBytes: number): StorageError {
  const message = `the transaction changes ${bytes} bytes of pages, more than ${limitBytes}`;
  return new StorageError("BOP_TRANSACTION_TOO_LARGE", message, { details: { bytes, limitBytes } });
}

function attempt<T>(operation: string, file: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw cause instanceof StorageError ? cause : ioError(operation, file, cause);
  }
}

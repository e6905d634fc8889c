/**
 * CHUNK FILES AS THEY ARE READ: names, a bounded number of open files, and one checked read for a
 * page.
 *
 * (1) Nothing is served that did not pass its checksum, seeded with store and chunk.
 *     An image that was packed is checked again when it is whole.
 * (2) At most `openMax` files are open; the one used longest ago is closed first. Closing waits for
 *     nobody, but `close` waits for it.
 * (3) Where a store has a bucket, what is not here or damaged throws BytesAway: see residency/.
 */
import type { File, Storage } from "../../base/env.ts";
import { ioError, isStorageError, StorageError, systemCode } from "../../base/errors.ts";
import { type ChunkId, chunkId } from "../../base/units.ts";
import {
  type ChunkHeader,
  decodeHeader,
  FILE_HEADER,
  type ImageCodec,
  imageOffset,
  pageSeed,
  recordImage,
} from "../../chunk/index.ts";
import { chunkOf, offsetOf } from "../maps/location.ts";
import { BytesAway } from "../residency/pages-away.ts";
import type { ByteRange } from "../residency/remote-chunks.ts";
import type { Stretch } from "./chunk-stretch.ts";

export interface PagePlace {
  readonly stream: number;
  readonly pageNumber: number;
  readonly location: number;
  /** For the error that may come of it. */
  readonly database: string | undefined;
}

export interface PageWanted extends PagePlace {
  /** Takes the image; its length is the page's. */
  readonly into: Uint8Array;
}

export interface ChunkFilesOptions {
  readonly storage: Storage;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly openMax: number;
  /** Absent: all chunks are here. */
  readonly elsewhere?: Elsewhere | undefined;
}

/** Chunks that are not here, or that are damaged. */
export interface Elsewhere {
  /** Undefined: its file is here. */
  openSync(chunk: ChunkId): File | undefined;
  /** There is no file. Undefined if it cannot be had elsewhere. */
  lost(chunk: ChunkId): File | undefined;
  /** What lies in a range is not what it should be. True if it is to be read again. */
  damaged(chunk: ChunkId, range: ByteRange, why: string): boolean;
  isInBucket(chunk: ChunkId): boolean;
}

interface FileAtPath {
  readonly path: string;
  readonly file: File;
}

interface OpenChunk extends FileAtPath {
  readonly seed: number;
  readonly codec: ImageCodec;
  /** In front of a stored image. */
  readonly headBytes: number;
}

const PAGE_BYTES_MAX = 65_536;
const HEADER_RANGE: ByteRange = { offset: 0, bytes: FILE_HEADER.sizeBytes };

export function chunkDirectory(directory: string): string {
  return `${directory}/chunks`;
}

/** Ids follow each other, so their low digits spread the files over the directories. */
export function chunkFolder(directory: string, chunk: ChunkId): string {
  return `${chunkDirectory(directory)}/${chunkName(chunk).slice(14, 16)}`;
}

export function chunkPath(directory: string, chunk: ChunkId): string {
  return `${chunkFolder(directory, chunk)}/${chunkName(chunk)}`;
}

export function chunkName(chunk: ChunkId): string {
  return `${chunk.toString(16).padStart(16, "0")}.chunk`;
}

/** The chunk that a file of this name is; undefined if no chunk is named so. */
export function chunkOfName(name: string): ChunkId | undefined {
  if (!/^[0-9a-f]{16}\.chunk$/.test(name)) return undefined;
  const id = Number.parseInt(name.slice(0, 16), 16);
  return Number.isSafeInteger(id) ? chunkId(id) : undefined;
}

export class ChunkFiles {
  readonly #options: ChunkFilesOptions;
  /** In the order of their last use. */
  readonly #open = new Map<ChunkId, OpenChunk>();
  readonly #closing = new Set<Promise<void>>();
  readonly #scratch = new Uint8Array(imageOffset("deflate") + PAGE_BYTES_MAX);

  constructor(options: ChunkFilesOptions) {
    this.#options = options;
  }

  /** Chunks whose files are open, used longest ago first. */
  get openChunks(): Iterable<ChunkId> {
    return this.#open.keys();
  }

  /** Fills `into` with a page's image, or throws BOP_CORRUPT, BOP_IO or BytesAway. */
  read(wanted: PageWanted): void {
    const chunk = this.#chunk(chunkOf(wanted.location), wanted);
    const offset = offsetOf(wanted.location);
    const record = this.#scratch.subarray(0, chunk.headBytes + wanted.into.length);
    const { stream, pageNumber } = wanted;
    const count = this.#readRecord(chunk, record, wanted);
    const image = recordImage(record.subarray(0, count), {
      stream,
      pageNumber,
      imageBytes: wanted.into.length,
      seed: chunk.seed,
      codec: chunk.codec,
    });
    if (typeof image === "string") {
      const range = { offset, bytes: record.length };
      throw this.#damaged(range, image, wanted) ?? this.#corrupt(image, { ...wanted, offset });
    }
    wanted.into.set(image);
  }

  /** Fills `into` from where a page lies, as far as the file reaches. Nothing is checked yet. */
  readStretch(place: PagePlace, into: Uint8Array): Stretch {
    const chunk = this.#chunk(chunkOf(place.location), place);
    const offset = offsetOf(place.location);
    const bytes = into.subarray(0, readAt(chunk, into, offset));
    return { bytes, offset, seed: chunk.seed, codec: chunk.codec };
  }

  /** Closes the file, if it is open: it is about to be deleted. */
  async closeFile(chunk: ChunkId): Promise<void> {
    const open = this.#open.get(chunk);
    if (open === undefined) return;
    this.#open.delete(chunk);
    await open.file.close();
  }

  async close(): Promise<void> {
    for (const [chunk, open] of this.#open) this.#retire(chunk, open);
    await Promise.all(this.#closing);
  }

  #readRecord(chunk: OpenChunk, record: Uint8Array, wanted: PageWanted): number {
    const offset = offsetOf(wanted.location);
    try {
      return chunk.file.readSync(record, offset);
    } catch (cause) {
      if (cause instanceof BytesAway) throw cause;
      const failed = ioError("read", chunk.path, cause);
      throw this.#damaged({ offset, bytes: record.length }, failed.message, wanted) ?? failed;
    }
  }

  /** See (3). Undefined if nobody else has it. */
  #damaged(range: ByteRange, why: string, { location }: PagePlace): BytesAway | undefined {
    const chunk = chunkOf(location);
    const isAgain = this.#options.elsewhere?.damaged(chunk, range, why) === true;
    return isAgain ? new BytesAway(chunk, range) : undefined;
  }

  #corrupt(why: string, place: PagePlace & { readonly offset: number }): StorageError {
    const { directory, elsewhere } = this.#options;
    const chunk = chunkOf(place.location);
    const both = elsewhere?.isInBucket(chunk) ? "; its copy in the bucket is no better" : "";
    return corrupt(chunkPath(directory, chunk), `${why}${both}`, place);
  }

  #chunk(chunk: ChunkId, wanted: PagePlace): OpenChunk {
    const open = this.#open.get(chunk) ?? this.#openChunk(chunk, wanted);
    this.#open.delete(chunk);
    this.#open.set(chunk, open);
    return open;
  }

  #openChunk(chunk: ChunkId, wanted: PagePlace): OpenChunk {
    const { directory, storeId, openMax } = this.#options;
    const path = chunkPath(directory, chunk);
    const file = this.#openFile(chunk, wanted);
    let codec: ImageCodec;
    try {
      codec = this.#readHeader({ path, file }, chunk, wanted).codec;
    } catch (error) {
      this.#retire(chunk, { file });
      throw error;
    }
    for (const [oldest, oldestFile] of this.#open) {
      if (this.#open.size < openMax) break;
      this.#retire(oldest, oldestFile);
    }
    const seed = pageSeed(storeId, chunk);
    return { path, file, seed, codec, headBytes: imageOffset(codec) };
  }

  #openFile(chunk: ChunkId, wanted: PagePlace): File {
    const { storage, directory, elsewhere } = this.#options;
    const found = elsewhere?.openSync(chunk);
    if (found !== undefined) return found;
    const path = chunkPath(directory, chunk);
    try {
      return storage.openSync(path);
    } catch (cause) {
      if (systemCode(cause) !== "ENOENT") {
        const failed = ioError("open", path, cause);
        throw this.#damaged(HEADER_RANGE, failed.message, wanted) ?? failed;
      }
      const lost = elsewhere?.lost(chunk);
      if (lost !== undefined) return lost;
      throw corrupt(path, "the file is missing", { ...wanted, offset: offsetOf(wanted.location) });
    }
  }

  #readHeader(open: FileAtPath, chunk: ChunkId, wanted: PagePlace): ChunkHeader {
    const bytes = new Uint8Array(FILE_HEADER.sizeBytes);
    const answer = decodeHeader(bytes.subarray(0, this.#readBeginning(open, bytes, wanted)));
    if (answer.type === "newer") {
      const { found, supported } = answer;
      throw new StorageError("BOP_FORMAT", `${open.path} is of ${found}, newer than ${supported}`, {
        details: { file: open.path, found, supported },
      });
    }
    const ours =
      answer.type === "header" &&
      Buffer.from(this.#options.storeId).equals(answer.header.storeId) &&
      answer.header.chunk === chunk;
    if (ours) return answer.header;
    const why = answer.type === "bad" ? answer.why : "another chunk lies in its place";
    throw this.#damaged(HEADER_RANGE, why, wanted) ?? this.#corrupt(why, { ...wanted, offset: 0 });
  }

  #readBeginning(open: FileAtPath, into: Uint8Array, wanted: PagePlace): number {
    try {
      return readAt(open, into, 0);
    } catch (error) {
      if (!isStorageError(error, "BOP_IO")) throw error;
      throw this.#damaged(HEADER_RANGE, error.message, wanted) ?? error;
    }
  }

  #retire(chunk: ChunkId, open: Pick<OpenChunk, "file">): void {
    this.#open.delete(chunk);
    // Nothing was written through it, so that its closing failed is nobody's loss.
    const closing = open.file.close().catch(() => undefined);
    this.#closing.add(closing);
    void closing.then(() => this.#closing.delete(closing));
  }
}

function readAt(open: FileAtPath, into: Uint8Array, offset: number): number {
  try {
    return open.file.readSync(into, offset);
  } catch (cause) {
    if (cause instanceof BytesAway) throw cause;
    throw ioError("read", open.path, cause);
  }
}

interface CorruptPlace {
  readonly offset: number;
  readonly database: string | undefined;
  readonly pageNumber: number;
}

function corrupt(file: string, why: string, place: CorruptPlace): StorageError {
  const { offset, database, pageNumber: page } = place;
  const whose = database === undefined ? "" : ` of database "${database}"`;
  return new StorageError("BOP_CORRUPT", `page ${page}${whose}: ${why} (${file}, byte ${offset})`, {
    details: { file, offset, why, page, ...(database === undefined ? {} : { database }) },
  });
}

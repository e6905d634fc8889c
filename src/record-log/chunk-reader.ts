/**
 * RECORD CHUNKS AS THEY ARE READ: entries that have left memory, on demand.
 *
 * (1) Nothing is served that did not pass the checksum of its block, seeded with store and chunk.
 * (2) What is damaged, or not given back, is read again from elsewhere if the source has it there;
 *     what the source says for want of it is passed on as it is.
 * (3) At most OPEN_MAX files are open; the one used longest ago is closed first. Reads of it that are
 *     under way come to their end.
 */
import { present } from "../base/assert.ts";
import type { File } from "../base/env.ts";
import { ioError, StorageError, systemCode } from "../base/errors.ts";
import type { ChunkId } from "../base/units.ts";
import {
  decodeRecordDirectory,
  decodeRecordHeader,
  FILE_HEADER,
  pageSeed,
  type RecordBlockEntry,
  type RecordChunkHeader,
  recordBlockBody,
} from "../chunk/index.ts";
import { Malformed, Reader } from "./bytes.ts";
import { decodeEntries, type StoredEntry } from "./operations.ts";

/** Where chunks lie: the page store knows. */
export interface ChunkSource {
  readonly storeId: Uint8Array;
  path(chunk: ChunkId): string;
  /** Rejects with the system's own error, or with why it cannot be had from the bucket. */
  open(chunk: ChunkId): Promise<File>;
  /** What lies in a range is not what it should be. True if it is to be read again, from elsewhere. */
  damaged(chunk: ChunkId, range: ByteRange, why: string): boolean;
  isInBucket(chunk: ChunkId): boolean;
}

interface ByteRange {
  readonly offset: number;
  readonly bytes: number;
}

interface OpenChunk {
  readonly path: string;
  readonly file: File;
  readonly seed: number;
  /** Blocks by stream, in order of index. */
  readonly blocks: ReadonlyMap<number, readonly RecordBlockEntry[]>;
}

/** Entries from `firstIndex` on. */
export interface BlockEntries {
  readonly firstIndex: bigint;
  readonly entries: readonly StoredEntry[];
}

const OPEN_MAX = 16;
/** Blocks that were read last, for who reads in steps smaller than a block. */
const CACHED_BLOCKS = 8;
/** Header, directory and block may each be read several times, from here and from elsewhere. */
const TRIES = 10;
const HEADER_RANGE: ByteRange = { offset: 0, bytes: FILE_HEADER.sizeBytes };

/** What lies in a range is not what it should be, or is not given back. */
class Unsound extends Error {
  readonly range: ByteRange;
  readonly why: string;
  /** What the device said, if it was that. */
  readonly failed: StorageError | undefined;

  constructor(range: ByteRange, why: string, failed?: StorageError) {
    super(why);
    this.range = range;
    this.why = why;
    this.failed = failed;
  }
}

export class ChunkReader {
  readonly #source: ChunkSource;
  /** In the order of their last use. */
  readonly #open = new Map<ChunkId, Promise<OpenChunk>>();
  readonly #cached = new Map<string, BlockEntries>();
  #blocksRead = 0;

  constructor(source: ChunkSource) {
    this.#source = source;
  }

  get blocksRead(): number {
    return this.#blocksRead;
  }

  /** The block of a log that holds an entry. Rejects with BOP_CORRUPT, BOP_IO or as in (2). */
  async block(chunk: ChunkId, stream: number, index: bigint): Promise<BlockEntries> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#block(chunk, stream, index);
      } catch (error) {
        if (!(error instanceof Unsound)) throw error;
        const { range, why } = error;
        if (tries < TRIES && this.#source.damaged(chunk, range, why)) continue;
        throw this.#told(chunk, error);
      }
    }
  }

  async #block(chunk: ChunkId, stream: number, index: bigint): Promise<BlockEntries> {
    const open = await this.#chunk(chunk);
    const entry = blockOf(open.blocks.get(stream) ?? [], index);
    if (entry === undefined) {
      throw corrupt(open.path, `no block of stream ${stream} holds entry ${index}`, 0);
    }
    const key = `${chunk}:${entry.offset}`;
    const known = this.#cached.get(key);
    if (known !== undefined) return known;
    const block = await this.#read(open, entry);
    this.#cached.set(key, block);
    for (const oldest of this.#cached.keys()) {
      if (this.#cached.size <= CACHED_BLOCKS) break;
      this.#cached.delete(oldest);
    }
    return block;
  }

  async close(): Promise<void> {
    const files = [...this.#open.values()];
    this.#open.clear();
    this.#cached.clear();
    for (const opening of files) await closeQuietly(opening);
  }

  /** Nothing names it any more: it is about to be deleted. */
  async forget(chunk: ChunkId): Promise<void> {
    const opening = this.#open.get(chunk);
    this.#open.delete(chunk);
    for (const key of this.#cached.keys()) {
      if (key.startsWith(`${chunk}:`)) this.#cached.delete(key);
    }
    if (opening !== undefined) await closeQuietly(opening);
  }

  #told(chunk: ChunkId, { range, why, failed }: Unsound): StorageError {
    if (failed !== undefined) return failed;
    const both = this.#source.isInBucket(chunk) ? "; its copy in the bucket is no better" : "";
    return corrupt(this.#source.path(chunk), `${why}${both}`, range.offset);
  }

  #chunk(chunk: ChunkId): Promise<OpenChunk> {
    const opening = this.#open.get(chunk) ?? this.#openChunk(chunk);
    this.#open.delete(chunk);
    this.#open.set(chunk, opening);
    opening.catch(() => {
      if (this.#open.get(chunk) === opening) this.#open.delete(chunk);
    });
    for (const [oldest, file] of this.#open) {
      if (this.#open.size <= OPEN_MAX) break;
      this.#open.delete(oldest);
      void closeQuietly(file);
    }
    return opening;
  }

  async #openChunk(chunk: ChunkId): Promise<OpenChunk> {
    const path = this.#source.path(chunk);
    let file: File;
    try {
      file = await this.#source.open(chunk);
    } catch (cause) {
      const isMissing = systemCode(cause) === "ENOENT";
      if (isMissing) throw new Unsound(HEADER_RANGE, "the file is missing");
      throw unread({ operation: "open", path, cause }, HEADER_RANGE);
    }
    try {
      return { path, file, ...(await this.#directory({ chunk, path, file })) };
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  async #directory(at: { chunk: ChunkId; path: string; file: File }) {
    const { chunk, path, file } = at;
    const { storeId } = this.#source;
    const header = decodeRecordHeader(await readAt(at, HEADER_RANGE));
    if (typeof header === "string") throw new Unsound(HEADER_RANGE, header);
    if (header.chunk !== chunk || !Buffer.from(storeId).equals(header.storeId)) {
      throw new Unsound(HEADER_RANGE, "another chunk lies in its place");
    }
    const range = { offset: header.directoryOffset, bytes: header.endBytes };
    if (range.offset + range.bytes > (await sizeOf(file, path))) {
      throw new Unsound(range, "the file ends within its directory");
    }
    const end = await readAt(at, range);
    return { seed: pageSeed(storeId, chunk), blocks: byStream(end, header) };
  }

  async #read(open: OpenChunk, entry: RecordBlockEntry): Promise<BlockEntries> {
    const { path, seed } = open;
    const { offset, blockBytes, firstIndex } = entry;
    const range = { offset, bytes: blockBytes };
    const body = recordBlockBody(await readAt(open, range), { entry, seed });
    if (typeof body === "string") throw new Unsound(range, body);
    this.#blocksRead += 1;
    try {
      const from = new Reader(body);
      const entries = decodeEntries(from, entry.entryCount);
      from.end();
      return { firstIndex, entries };
    } catch (error) {
      if (error instanceof Malformed) throw corrupt(path, error.message, offset);
      throw error;
    }
  }
}

function byStream(end: Uint8Array, header: RecordChunkHeader) {
  const { directoryOffset: offset, endBytes: bytes } = header;
  const entries = decodeRecordDirectory(end, header);
  if (typeof entries === "string") throw new Unsound({ offset, bytes }, entries);
  const blocks = new Map<number, RecordBlockEntry[]>();
  for (const entry of entries) {
    const ofStream = blocks.get(entry.stream);
    if (ofStream === undefined) blocks.set(entry.stream, [entry]);
    else ofStream.push(entry);
  }
  return blocks;
}

function blockOf(blocks: readonly RecordBlockEntry[], index: bigint): RecordBlockEntry | undefined {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (present(blocks[middle], "a block").firstIndex <= index) low = middle + 1;
    else high = middle;
  }
  const block = blocks[low - 1];
  if (block === undefined) return undefined;
  return index < block.firstIndex + BigInt(block.entryCount) ? block : undefined;
}

async function sizeOf(file: File, path: string): Promise<number> {
  try {
    return await file.size();
  } catch (cause) {
    throw unread({ operation: "read", path, cause }, HEADER_RANGE);
  }
}

async function readAt(
  { file, path }: { readonly file: File; readonly path: string },
  range: ByteRange,
): Promise<Uint8Array> {
  const into = new Uint8Array(range.bytes);
  try {
    const count = await file.read(into, range.offset);
    return into.subarray(0, count);
  } catch (cause) {
    throw unread({ operation: "read", path, cause }, range);
  }
}

/** See (2). */
function unread(
  { operation, path, cause }: { operation: string; path: string; cause: unknown },
  range: ByteRange,
): Error {
  if (cause instanceof StorageError) return cause;
  const failed = ioError(operation, path, cause);
  return systemCode(cause) === undefined ? failed : new Unsound(range, failed.message, failed);
}

async function closeQuietly(opening: Promise<OpenChunk>): Promise<void> {
  // Nothing was written through it, so that its closing failed is nobody's loss.
  await opening.then(({ file }) => file.close()).catch(() => undefined);
}

function corrupt(file: string, why: string, offset: number): StorageError {
  const details = { file, offset, why };
  return new StorageError("BOP_CORRUPT", `${file}, byte ${offset}: ${why}`, { details });
}

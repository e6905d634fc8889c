/**
 * RECORD CHUNKS AS THEY ARE READ: entries that have left memory, on demand.
 *
 * (1) Nothing is served that did not pass the checksum of its block, seeded with store and chunk.
 * (2) At most `openMax` files are open; the one used longest ago is closed first. A read that is
 *     under way on a closed file fails, and is tried again by who asked.
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
  open(chunk: ChunkId): Promise<File>;
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

  /** The block of a log that holds an entry. Rejects with BOP_CORRUPT, BOP_FORMAT or BOP_IO. */
  async block(chunk: ChunkId, stream: number, index: bigint): Promise<BlockEntries> {
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

  /** It is about to be deleted. */
  async forget(chunk: ChunkId): Promise<void> {
    const opening = this.#open.get(chunk);
    this.#open.delete(chunk);
    if (opening !== undefined) await closeQuietly(opening);
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
      if (systemCode(cause) === "ENOENT") throw corrupt(path, "the file is missing", 0);
      throw ioError("open", path, cause);
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
    const head = await readAt(at, { bytes: FILE_HEADER.sizeBytes, offset: 0 });
    const header = decodeRecordHeader(head);
    if (typeof header === "string") throw corrupt(path, header, 0);
    if (header.chunk !== chunk || !Buffer.from(storeId).equals(header.storeId)) {
      throw corrupt(path, "another chunk lies in its place", 0);
    }
    const { endBytes, directoryOffset } = header;
    if (directoryOffset + endBytes > (await sizeOf(file, path))) {
      throw corrupt(path, "the file ends within its directory", directoryOffset);
    }
    const end = await readAt(at, { bytes: endBytes, offset: directoryOffset });
    return { seed: pageSeed(storeId, chunk), blocks: byStream(path, end, header) };
  }

  async #read(open: OpenChunk, entry: RecordBlockEntry): Promise<BlockEntries> {
    const { path, seed } = open;
    const { offset, blockBytes, firstIndex } = entry;
    const bytes = await readAt(open, { bytes: blockBytes, offset });
    const body = recordBlockBody(bytes, { entry, seed });
    if (typeof body === "string") throw corrupt(path, body, offset);
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

function byStream(path: string, end: Uint8Array, header: RecordChunkHeader) {
  const entries = decodeRecordDirectory(end, header);
  if (typeof entries === "string") throw corrupt(path, entries, header.directoryOffset);
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
    throw ioError("read", path, cause);
  }
}

async function readAt(
  { file, path }: { readonly file: File; readonly path: string },
  { bytes, offset }: { readonly bytes: number; readonly offset: number },
): Promise<Uint8Array> {
  const into = new Uint8Array(bytes);
  try {
    const count = await file.read(into, offset);
    return into.subarray(0, count);
  } catch (cause) {
    throw ioError("read", path, cause);
  }
}

async function closeQuietly(opening: Promise<OpenChunk>): Promise<void> {
  // Nothing was written through it, so that its closing failed is nobody's loss.
  await opening.then(({ file }) => file.close()).catch(() => undefined);
}

function corrupt(file: string, why: string, offset: number): StorageError {
  const details = { file, offset, why };
  return new StorageError("BOP_CORRUPT", `${file}, byte ${offset}: ${why}`, { details });
}

/**
 * A CHUNK OF WHICH SOME IS HERE, READ AS A FILE: from what was fetched, and from its own file as far
 * as that is sound.
 *
 * (1) A read without waiting gives bytes up to the first block that is not to be had; if that is the
 *     first, it throws BytesAway.
 * (2) What the device does not give back counts as not being here.
 * (3) Its files are opened when they are needed. A part that was renamed meanwhile is the chunk's own
 *     file now.
 */
import { AssertionError } from "../../base/assert.ts";
import type { File, Storage } from "../../base/env.ts";
import { systemCode } from "../../base/errors.ts";
import type { Piece } from "./blocks.ts";
import type { FetchedChunk } from "./fetched-chunk.ts";
import { BytesAway } from "./pages-away.ts";
import type { ByteRange } from "./remote-chunks.ts";

export interface ResidentPlace {
  readonly storage: Storage;
  /** Where the chunk lies when it is whole. */
  readonly path: string;
}

/** It was evicted, or deleted: whoever reads looks again where it is. */
export class ChunkMoved extends Error {}

/** Reads in a row that the device refuses, before that is said. */
const TRIES = 4;

export class ResidentFile implements File {
  readonly #chunk: FetchedChunk;
  readonly #place: ResidentPlace;
  readonly #files: { part?: File; mine?: File } = {};

  constructor(chunk: FetchedChunk, place: ResidentPlace) {
    this.#chunk = chunk;
    this.#place = place;
  }

  /** See (1). */
  readSync(into: Uint8Array, at: number): number {
    const { blocks, chunk } = this.#chunk;
    const range = { offset: at, bytes: into.length };
    let count = 0;
    for (;;) {
      const [piece] = blocks.pieces({ offset: at + count, bytes: into.length - count });
      if (piece === undefined) break;
      const read = this.#readPiece(piece, into.subarray(count, count + piece.bytes));
      count += read;
      // What its own file does not give back may have been fetched: see (2).
      if (read < piece.bytes && piece.from === "part") break;
    }
    if (count === 0 && this.#bytesOf(range) > 0) throw new BytesAway(chunk, range);
    return count;
  }

  /** Fetches what it lacks. */
  async read(into: Uint8Array, at: number): Promise<number> {
    const { blocks } = this.#chunk;
    const range = { offset: at, bytes: into.length };
    for (let tries = 1; ; tries += 1) {
      await this.#chunk.bring(blocks.missing(range));
      if (this.#chunk.isGone) throw new ChunkMoved();
      let count = 0;
      for (const piece of blocks.pieces(range)) {
        const part = into.subarray(count, count + piece.bytes);
        const read = await attempt(() => this.#fileOf(piece).read(part, piece.offset));
        this.#note(piece, read);
        count += read;
        if (read < piece.bytes) break;
      }
      if (count === this.#bytesOf(range) || tries === TRIES) return count;
    }
  }

  async size(): Promise<number> {
    return this.#chunk.blocks.fileBytes;
  }

  async close(): Promise<void> {
    const { part, mine } = this.#files;
    delete this.#files.part;
    delete this.#files.mine;
    await part?.close();
    await mine?.close();
  }

  write(): Promise<void> {
    throw refused();
  }

  writeSync(): void {
    throw refused();
  }

  sync(): Promise<void> {
    throw refused();
  }

  syncSync(): void {
    throw refused();
  }

  truncate(): Promise<void> {
    throw refused();
  }

  preallocate(): Promise<void> {
    throw refused();
  }

  #bytesOf({ offset, bytes }: ByteRange): number {
    return Math.max(0, Math.min(bytes, this.#chunk.blocks.fileBytes - offset));
  }

  #readPiece(piece: Piece, into: Uint8Array): number {
    let count = 0;
    try {
      count = this.#fileOf(piece).readSync(into, piece.offset);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
    this.#note(piece, count);
    return count;
  }

  /** See (2). */
  #note({ from, offset, bytes }: Piece, count: number): void {
    if (count === bytes) return;
    const rest = { offset: offset + count, bytes: bytes - count };
    if (from === "part") this.#chunk.blocks.lost(rest);
    else this.#chunk.blocks.damaged(rest);
  }

  #fileOf({ from }: Piece): File {
    const { storage, path } = this.#place;
    const open = this.#files[from];
    if (open !== undefined) return open;
    const { partPath, minePath = path } = this.#chunk;
    const file = from === "mine" ? storage.openSync(minePath) : this.#openPart(partPath);
    this.#files[from] = file;
    return file;
  }

  /** See (3). */
  #openPart(partPath: string): File {
    const { storage, path } = this.#place;
    try {
      return storage.openSync(partPath);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      return storage.openSync(path);
    }
  }
}

/** What the device refuses counts as nothing. */
async function attempt(read: () => Promise<number>): Promise<number> {
  try {
    return await read();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return 0;
  }
}

function refused(): AssertionError {
  return new AssertionError("a chunk never changes");
}

/**
 * CHUNKS WHOSE ENTRIES A CHECKPOINT WOULD CARRY OVER, as it reads them. It can do without: an entry that
 * stays where it is is found there.
 *
 * (1) A chunk that is damaged is left alone until its file is whole again, or the store opened anew; it
 *     is healed behind the checkpoint's back, if it can be. Its damage is told to who reads the entry,
 *     and does not keep other logs, and databases, from being checkpointed.
 * (2) One that is not here is fetched. If the bucket does not answer within the patience that there is,
 *     such chunks are left alone for a while.
 */
import type { File } from "../base/env.ts";
import { isStorageError, StorageError } from "../base/errors.ts";
import type { ChunkId } from "../base/units.ts";
import { type BlockEntries, ChunkReader, type ChunkSource } from "./chunk-reader.ts";

/** Where chunks lie, for those too who can do without them. */
export interface StoredChunks extends ChunkSource {
  /** It is not here as a whole, and the bucket did not answer lately. */
  rests(chunk: ChunkId): boolean;
  spare(): SpareChunks;
}

/** What is not here is not waited for long. */
export interface SpareChunks {
  open(chunk: ChunkId): Promise<File>;
  /** It is damaged, and healed if it can be: nobody waits for that. */
  distrust(chunk: ChunkId, why: string): void;
  /** The bucket did not answer. */
  rest(): void;
  /** To be called when all is read. */
  end(): void;
}

export class CarriedChunks {
  readonly source: StoredChunks;
  /** See (1). */
  readonly #damaged = new Set<ChunkId>();
  blocksRead = 0;

  constructor(source: StoredChunks) {
    this.source = source;
  }

  /** It stays as it is, for now. */
  isLeft(chunk: ChunkId): boolean {
    return this.#damaged.has(chunk) || this.source.rests(chunk);
  }

  /** It could not be read. */
  damaged(chunk: ChunkId): void {
    this.#damaged.add(chunk);
  }

  /** Its file is whole again, or nothing names it any more. */
  forget(chunk: ChunkId): void {
    this.#damaged.delete(chunk);
  }
}

/** One checkpoint carries entries. To be ended. */
export class Carrying {
  readonly #chunks: CarriedChunks;
  /** From the first entry that is carried on: that is when patience begins. */
  #reading: { readonly spare: SpareChunks; readonly reader: ChunkReader } | undefined;

  constructor(chunks: CarriedChunks) {
    this.#chunks = chunks;
  }

  /** The block that holds an entry. Undefined: its chunk is left as it is. */
  async block(chunk: ChunkId, stream: number, index: bigint): Promise<BlockEntries | undefined> {
    if (this.#chunks.isLeft(chunk)) return undefined;
    this.#reading ??= this.#begin();
    const { spare, reader } = this.#reading;
    try {
      return await reader.block(chunk, stream, index);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code === "BOP_CLOSED") throw error;
      if (isStorageError(error, "BOP_CORRUPT")) this.#chunks.damaged(chunk);
      else if (!this.#chunks.isLeft(chunk)) spare.rest();
      return undefined;
    }
  }

  async end(): Promise<void> {
    if (this.#reading === undefined) return;
    const { spare, reader } = this.#reading;
    spare.end();
    this.#chunks.blocksRead += reader.blocksRead;
    await reader.close();
  }

  #begin() {
    const chunks = this.#chunks;
    const spare = chunks.source.spare();
    const reader = new ChunkReader({
      ...chunks.source,
      open: (chunk) => spare.open(chunk),
      damaged: (chunk, _range, why) => {
        chunks.damaged(chunk);
        spare.distrust(chunk, why);
        return false;
      },
      isInBucket: () => false, // Nobody has looked there.
    });
    return { spare, reader };
  }
}

/**
 * A CHUNK OF WHICH SOME IS HERE: blocks that were fetched, in a sparse file in tmp/, and a map of them
 * in memory. It does not outlive the process; a chunk that is whole gets its own name (promotion.ts).
 *
 *   bring(blocks) ─► runs of blocks that nobody fetches yet ─► requests ─► part file ─► in the map
 *
 * (1) A block is fetched once, however many wait for it. Who waits no longer leaves it to the others.
 * (2) A block is in the map when its bytes are in the file, and not before.
 * (3) Nothing is checked here: whoever reads a record checks it, and says when it is wrong.
 */
import type { File, Storage } from "../../base/env.ts";
import { ioError, isStorageError } from "../../base/errors.ts";
import type { ChunkId } from "../../base/units.ts";
import { BLOCK_BYTES, Blocks, runsOf } from "./blocks.ts";
import { closedError, type Fetcher, SPAN_BYTES_MAX } from "./fetcher.ts";

export interface FetchGround {
  readonly storage: Storage;
  readonly fetcher: Fetcher;
  /** A name in tmp/ that was not given before. */
  readonly newPartPath: (chunk: ChunkId) => string;
  /** The disk is full: what can go goes. False if nothing could. */
  readonly makeRoom: (bytes: number) => Promise<boolean>;
}

export interface FetchedStart {
  readonly chunk: ChunkId;
  readonly fileBytes: number;
  /** Its own file, if that lies here. */
  readonly minePath: string | undefined;
}

export class FetchedChunk {
  readonly chunk: ChunkId;
  readonly minePath: string | undefined;
  readonly partPath: string;
  readonly blocks: Blocks;
  /** It is not used any more. */
  isGone = false;
  /** Its file is about to be the chunk's own: nothing is written to it any more. */
  isSealed = false;
  readonly #ground: FetchGround;
  readonly #underWay = new Map<number, Promise<void>>();
  /** The part file, while something is being written to it. */
  #file: Promise<File> | undefined;
  #writers = 0;
  #writes = 0;
  #isMade = false;

  constructor(ground: FetchGround, { chunk, fileBytes, minePath }: FetchedStart) {
    this.#ground = ground;
    this.chunk = chunk;
    this.minePath = minePath;
    this.partPath = ground.newPartPath(chunk);
    this.blocks = new Blocks(fileBytes, minePath !== undefined);
  }

  /** Something is being fetched, or written. */
  get isBusy(): boolean {
    return this.#underWay.size > 0 || this.#writers > 0;
  }

  /** Resolves when these blocks are here. Rejects with BOP_SINK_…, BOP_IO, BOP_DISK_FULL… */
  async bring(indexes: readonly number[]): Promise<void> {
    const isAbsent = (index: number) => !this.#underWay.has(index) && !this.blocks.isHere(index);
    const mine = indexes.filter(isAbsent);
    for (const [first, count] of runsOf(mine, SPAN_BYTES_MAX / BLOCK_BYTES)) {
      const fetched = this.#fetchRun(first, count);
      for (let index = first; index < first + count; index += 1) {
        this.#underWay.set(index, fetched);
      }
    }
    await allOf(new Set(indexes.flatMap((index) => this.#underWay.get(index) ?? [])));
  }

  /** The part file goes, when nobody writes to it any more. Does not reject. */
  async remove(): Promise<void> {
    this.isGone = true;
    await Promise.allSettled(this.#underWay.values());
    // What cannot be removed is a leftover, which the next open removes.
    if (this.#isMade) await this.#ground.storage.unlink(this.partPath).catch(() => undefined);
  }

  async #fetchRun(first: number, count: number): Promise<void> {
    const { fetcher } = this.#ground;
    const range = this.blocks.rangeOf(first, count);
    try {
      const bytes = await fetcher.fetch(this.chunk, range);
      // Whoever reads looks again where the chunk is.
      if (this.isGone || this.isSealed) return;
      await this.#write(bytes, range.offset);
      for (let at = 0; at < count; at += 1) this.blocks.fetched(first + at);
    } finally {
      for (let at = 0; at < count; at += 1) this.#underWay.delete(first + at);
    }
  }

  /** How often its file was written to: what was checked is what is there while it is the same. */
  get writes(): number {
    return this.#writes;
  }

  async #write(bytes: Uint8Array, offset: number): Promise<void> {
    try {
      await this.#writeOnce(bytes, offset);
    } catch (error) {
      const isFull = isStorageError(error, "BOP_DISK_FULL");
      if (!isFull || !(await this.#ground.makeRoom(bytes.length))) throw error;
      if (this.#ground.fetcher.isClosed || this.isGone || this.isSealed) throw closedError();
      await this.#writeOnce(bytes, offset);
    }
  }

  async #writeOnce(bytes: Uint8Array, offset: number): Promise<void> {
    this.#writers += 1;
    this.#writes += 1;
    try {
      const file = await this.#open();
      await file.write(bytes, offset);
    } catch (cause) {
      throw ioError("write", this.partPath, cause);
    } finally {
      this.#writers -= 1;
      if (this.#writers === 0) await this.#closeFile();
    }
  }

  #open(): Promise<File> {
    this.#file ??= this.#openFile();
    return this.#file;
  }

  async #openFile(): Promise<File> {
    const { storage } = this.#ground;
    if (!this.#isMade) {
      this.#isMade = true;
      try {
        return await storage.open(this.partPath, "create");
      } catch (error) {
        // A call that failed may have made it all the same.
        if ((await storage.stat(this.partPath)) === undefined) this.#isMade = false;
        throw error;
      }
    }
    return storage.open(this.partPath, "write");
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.then((open) => open.close()).catch(() => undefined); // Nothing relies on it yet.
  }
}

/** Waits for all of them, and throws what the first that failed threw. */
async function allOf(promises: Iterable<Promise<void>>): Promise<void> {
  const outcomes = await Promise.allSettled(promises);
  const failed = outcomes.find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

/**
 * CHUNKS ON THEIR WAY TO THE BUCKET: read whole, checked from end to end, put under a key of their own.
 *
 * (1) What is damaged here is never put there: its check comes between the read and the put.
 * (2) A chunk never changes and its key is created, never replaced: a second process that believes to
 *     have this epoch does not put its own in place of ours.
 * (3) A put whose outcome is not known is repeated with the same id (object-store.ts, 3).
 * (4) What was put is not put again in this process, though nobody may have noted it yet.
 * (5) At most four at a time, and no more bytes in memory than two of the largest.
 */
import type { Env } from "../../base/env.ts";
import { ioError, StorageError, systemCode } from "../../base/errors.ts";
import { type ChunkId, MIB } from "../../base/units.ts";
import { checkChunk } from "../../chunk/index.ts";
import { bucketKey, type ObjectStore } from "../../sink/index.ts";
import { paced } from "./paced.ts";

export interface ChunkUploadsOptions {
  readonly env: Pick<Env, "clock" | "random" | "storage">;
  readonly store: ObjectStore;
  readonly storeId: Uint8Array;
  readonly chunkPath: (chunk: ChunkId) => string;
}

export interface ChunkUpload {
  readonly chunk: ChunkId;
  /** Of the key. */
  readonly epoch: number;
  readonly signal?: AbortSignal | undefined;
}

/** Undefined: the file is gone. */
export type UploadedBytes = number | undefined;

const AT_ONCE = 4;
const BYTES_MAX = 128 * MIB;

export class ChunkUploads {
  readonly #options: ChunkUploadsOptions;
  /** Of puts whose outcome is not known. */
  readonly #putIds = new Map<string, string>();
  /** Lengths of what was put, by key: see (4). */
  readonly #done = new Map<string, number>();
  readonly #underWay = new Map<ChunkId, Promise<UploadedBytes>>();
  readonly #waiting: (() => void)[] = [];
  #count = 0;
  #bytes = 0;
  #puts = 0;
  #putBytes = 0;

  constructor(options: ChunkUploadsOptions) {
    this.#options = options;
  }

  /** Since the store was opened. */
  get stats(): { readonly puts: number; readonly bytes: number } {
    return { puts: this.#puts, bytes: this.#putBytes };
  }

  get isBusy(): boolean {
    return this.#underWay.size > 0;
  }

  /** Length of the chunk, which is in the bucket then. BOP_CORRUPT if it is not what was written. */
  upload(upload: ChunkUpload): Promise<UploadedBytes> {
    const found = this.#underWay.get(upload.chunk);
    if (found !== undefined) return found;
    const done = this.#upload(upload).finally(() => this.#underWay.delete(upload.chunk));
    this.#underWay.set(upload.chunk, done);
    return done;
  }

  async #upload(upload: ChunkUpload): Promise<UploadedBytes> {
    const done = this.#done.get(keyOf(upload));
    if (done !== undefined) return done;
    const path = this.#options.chunkPath(upload.chunk);
    const stat = await this.#options.env.storage.stat(path).catch((cause: unknown) => {
      throw ioError("stat", path, cause);
    });
    if (stat === undefined) return undefined;
    await this.#enter(stat.bytes);
    try {
      upload.signal?.throwIfAborted();
      const bytes = await this.#read(path);
      if (bytes === undefined) return undefined;
      await this.#check(bytes, { ...upload, path });
      await this.#put(bytes, upload);
      return bytes.length;
    } finally {
      this.#leave(stat.bytes);
    }
  }

  /** See (5). One that is larger than all room goes alone. */
  async #enter(bytes: number): Promise<void> {
    while (this.#count > 0 && (this.#count >= AT_ONCE || this.#bytes + bytes > BYTES_MAX)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#count += 1;
    this.#bytes += bytes;
  }

  #leave(bytes: number): void {
    this.#count -= 1;
    this.#bytes -= bytes;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #read(path: string): Promise<Uint8Array | undefined> {
    try {
      const file = await this.#options.env.storage.open(path, "read");
      try {
        const bytes = new Uint8Array(await file.size());
        const count = await file.read(bytes, 0);
        return bytes.subarray(0, count);
      } finally {
        await file.close().catch(() => undefined); // It was only read.
      }
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw ioError("read", path, error);
    }
  }

  async #check(
    bytes: Uint8Array,
    { chunk, path }: { readonly chunk: ChunkId; readonly path: string },
  ): Promise<void> {
    const { storeId, env } = this.#options;
    const why = await paced(checkChunk(bytes, { storeId, chunk }), env.clock);
    if (why !== undefined) throw damaged(path, why);
  }

  async #put(bytes: Uint8Array, { chunk, epoch, signal }: ChunkUpload): Promise<void> {
    const { env, store } = this.#options;
    const key = keyOf({ chunk, epoch });
    const putId = this.#putIds.get(key) ?? Buffer.from(env.random.bytes(16)).toString("hex");
    this.#putIds.set(key, putId);
    const { type } = await store.putIfAbsent(key, bytes, { putId, signal });
    this.#putIds.delete(key);
    this.#done.set(key, bytes.length);
    if (type === "exists") throw replaced(epoch, key);
    this.#puts += 1;
    this.#putBytes += bytes.length;
  }
}

const keyOf = ({ chunk, epoch }: { readonly chunk: ChunkId; readonly epoch: number }): string =>
  bucketKey({ kind: "chunk", id: chunk, epoch });

/** What lies here is not what was written, and does not leave this disk. */
export function damaged(file: string, why: string): StorageError<"BOP_CORRUPT"> {
  const message = `${file} is not put into the bucket: ${why}`;
  return new StorageError("BOP_CORRUPT", message, { details: { file, offset: 0, why } });
}

/** See (2). */
function replaced(epoch: number, key: string): StorageError<"BOP_FENCED"> {
  const message = `another process writes to the bucket as writer ${epoch}: it has put ${key}`;
  return new StorageError("BOP_FENCED", message, { details: { epoch, byEpoch: epoch } });
}

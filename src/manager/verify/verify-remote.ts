/**
 * CHUNKS THAT ARE ONLY IN THE BUCKET: a store whose disk has not got them is as sound as one that has,
 * if its rows say that they were shipped.
 *
 * (1) Without the sink they are counted, and nothing is said of what is in them.
 * (2) With it they are read there, and checked as a file would be. What is missing there, or damaged, is
 *     damage of the store.
 */
import type { Env } from "../../base/env.ts";
import { isStorageError, StorageError } from "../../base/errors.ts";
import type { ChunkId } from "../../base/units.ts";
import { bucketName, readBucketIdentity } from "../../flush/index.ts";
import type { ManifestAudit, RemoteChunkRow } from "../../manifest/index.ts";
import { type BucketToRead, openBucket } from "../../restore/index.ts";
import { bucketKey, type ObjectStore } from "../../sink/index.ts";
import type { Findings } from "./findings.ts";

/** A chunk in the bucket: its bytes, or undefined for one that is not to be looked into. */
export interface FoundThere {
  /** What it is called in findings. */
  readonly file: string;
  readonly bytes: Uint8Array | undefined;
}

export class RemoteShelf {
  readonly #rows: ReadonlyMap<ChunkId, RemoteChunkRow>;
  readonly #bucket: BucketToRead | undefined;
  /** Chunks that are only there, and their bytes. */
  count = 0;
  bytes = 0;

  private constructor(rows: readonly RemoteChunkRow[], bucket: BucketToRead | undefined) {
    this.#rows = new Map(rows.map((row) => [row.chunk, row]));
    this.#bucket = bucket;
  }

  /** Throws BOP_SINK_FOREIGN for a bucket that is not the one of the store. */
  static async open(
    { remoteChunks, shipping }: ManifestAudit,
    { env, sink }: { readonly env: Env; readonly sink: string | ObjectStore | undefined },
  ): Promise<RemoteShelf> {
    if (sink === undefined) return new RemoteShelf(remoteChunks, undefined);
    const opened = await openBucket(sink, { env });
    const identity = await readBucketIdentity(opened.objects).catch(async (error: unknown) => {
      await opened.close();
      throw error;
    });
    const found = identity === undefined ? "none" : bucketName(identity);
    if (shipping === undefined || shipping.bucket === found) {
      return new RemoteShelf(remoteChunks, opened);
    }
    await opened.close();
    const expected = shipping.bucket;
    const { location } = opened.bucket;
    const message = `${location} is bucket ${found}; this store was shipped to bucket ${expected}`;
    throw new StorageError("BOP_SINK_FOREIGN", message, { details: { location, found, expected } });
  }

  /** Undefined if no row says that it is there. Damage of the object is told. */
  async find(chunk: ChunkId, findings: Findings): Promise<FoundThere | undefined> {
    const row = this.#rows.get(chunk);
    if (row === undefined) return undefined;
    this.count += 1;
    this.bytes += row.fileBytes;
    const key = bucketKey({ kind: "chunk", id: chunk, epoch: row.epoch });
    const file = `${key} in the sink`;
    if (this.#bucket === undefined) return { file, bytes: undefined };
    try {
      const object = await this.#bucket.objects.get(key);
      if (object === undefined)
        findings.damage({ file }, "the object is missing, and no file is here");
      return { file, bytes: object?.bytes };
    } catch (error) {
      if (!isStorageError(error, "BOP_SINK_CORRUPT")) throw error;
      findings.damage({ file }, error.details.why);
      return { file, bytes: undefined };
    }
  }

  async close(): Promise<void> {
    await this.#bucket?.close();
  }
}

/**
 * CHUNKS INTO THE BUCKET, AND ROWS THAT SAY SO: what a state needs before it is put, and the log
 * before it names what a transaction spilled.
 *
 * (1) A row is durable here before anything that is shipped relies on it.
 * (2) Rows are written as chunks arrive, some at a time: what was put before something failed is not
 *     put again.
 */
import type { ChunkId, Lsn } from "../../base/units.ts";
import type { Manifest, RemoteChunkRow } from "../../manifest/index.ts";
import type { BucketView } from "./bucket-view.ts";
import { ChunkUploads, type ChunkUploadsOptions, damaged } from "./chunk-uploads.ts";

export interface ChunkShippingOptions extends ChunkUploadsOptions {
  readonly view: BucketView;
  readonly manifest: Pick<Manifest, "publish">;
}

export interface ChunksToPut {
  readonly epoch: number;
  /** Of the newest state in the bucket: none before it names them. */
  readonly bornGeneration: number;
  /** LSN up to which the log may name them; 0 if it does not. */
  readonly namedLsn: Lsn;
  readonly signal?: AbortSignal | undefined;
}

/** See (2). */
const ROWS_AT_ONCE = 64;
const RUNNERS = 4;

export class ChunkShipping {
  readonly #options: ChunkShippingOptions;
  readonly #uploads: ChunkUploads;

  constructor(options: ChunkShippingOptions) {
    this.#options = options;
    this.#uploads = new ChunkUploads(options);
  }

  get stats(): { readonly chunks: number; readonly chunkBytes: number } {
    const { puts: chunks, bytes: chunkBytes } = this.#uploads.stats;
    return { chunks, chunkBytes };
  }

  get isBusy(): boolean {
    return this.#uploads.isBusy;
  }

  /** What the newest cut names and the bucket lacks. Returns one whose file is gone. */
  async putMissing(to: ChunksToPut): Promise<ChunkId | undefined> {
    const { view } = this.#options;
    const { missing } = view;
    await this.#put(missing, to);
    return missing.find((chunk) => view.isMissing(chunk));
  }

  /** The epochs of their keys, in order. BOP_CORRUPT if a file is damaged, or gone. */
  async ensure(chunks: readonly ChunkId[], to: ChunksToPut): Promise<readonly number[]> {
    const { view, chunkPath } = this.#options;
    await this.#put(
      chunks.filter((chunk) => view.epochOf(chunk) === undefined),
      to,
    );
    return chunks.map((chunk) => {
      const epoch = view.epochOf(chunk);
      if (epoch !== undefined) return epoch;
      throw damaged(chunkPath(chunk), "the log names it, and it is missing");
    });
  }

  async #put(chunks: readonly ChunkId[], to: ChunksToPut): Promise<void> {
    for (let at = 0; at < chunks.length; at += ROWS_AT_ONCE) {
      await this.#putSome(chunks.slice(at, at + ROWS_AT_ONCE), to);
    }
  }

  async #putSome(
    chunks: readonly ChunkId[],
    { epoch, bornGeneration, namedLsn, signal }: ChunksToPut,
  ): Promise<void> {
    const { manifest, view } = this.#options;
    const rows: RemoteChunkRow[] = [];
    const waiting = [...chunks];
    let failed = false;
    const run = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && !failed; next = waiting.shift()) {
        const fileBytes = await this.#uploads.upload({ chunk: next, epoch, signal });
        if (fileBytes === undefined) continue;
        rows.push({ chunk: next, epoch, fileBytes, bornGeneration, namedLsn });
      }
    };
    const runners = Array.from({ length: RUNNERS }, () =>
      run().catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    );
    const outcomes = await Promise.allSettled(runners);
    if (rows.length > 0) {
      const generation = await manifest.publish({ putRemoteChunks: rows });
      for (const row of rows) view.put(row, generation);
    }
    const refused = outcomes.find(({ status }) => status === "rejected");
    if (refused?.status === "rejected") throw refused.reason;
  }
}

/** WHAT A DISK HAS LET GO, and can read only from the bucket that it remembers. */
import type { Storage } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import type { ChunkId } from "../../base/units.ts";
import type { RemoteChunkRow } from "../../manifest/index.ts";

export interface OnlyRemoteOptions {
  readonly storage: Storage;
  /** As they were when the store was opened. */
  readonly rows: readonly RemoteChunkRow[];
  readonly isNamed: (chunk: ChunkId) => boolean;
  readonly chunkPath: (chunk: ChunkId) => string;
}

/** The first of them; undefined if there is none. */
export async function onlyRemoteChunk(options: OnlyRemoteOptions): Promise<ChunkId | undefined> {
  const { storage, rows, isNamed, chunkPath } = options;
  for (const { chunk } of rows) {
    if (!isNamed(chunk)) continue;
    const path = chunkPath(chunk);
    const found = await storage.stat(path).catch((cause: unknown) => {
      throw ioError("stat", path, cause);
    });
    if (found === undefined) return chunk;
  }
  return undefined;
}

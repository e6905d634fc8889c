/**
 * A STORE WITHOUT ITS SINK, some chunks of which lie only there: whoever reads one of their pages is
 * told where they are, instead of that a file is missing.
 *
 * (1) It knows of chunks that were missing when the store was opened, and of no other: a file that is
 *     damaged or goes later is damage, as in any store without a sink.
 */
import type { Storage } from "../../base/env.ts";
import { ioError, StorageError } from "../../base/errors.ts";
import type { ChunkId } from "../../base/units.ts";
import type { ManifestState } from "../../manifest/index.ts";
import { chunkOfName, type RemoteChunks } from "../../page-store/index.ts";

/** Undefined if every chunk that the sink has is here, too. */
export async function absentSink(
  { storage, directory }: { readonly storage: Storage; readonly directory: string },
  { shipping, chunks, remoteChunks }: Pick<ManifestState, "shipping" | "chunks" | "remoteChunks">,
): Promise<RemoteChunks | undefined> {
  if (shipping === undefined || remoteChunks.length === 0) return undefined;
  const inSink = new Set(remoteChunks.map(({ chunk }) => chunk));
  const here = await chunksIn(storage, `${directory}/chunks`);
  const away = new Map<ChunkId, { readonly fileBytes: number }>();
  for (const { chunk, fileBytes } of chunks) {
    if (inSink.has(chunk) && !here.has(chunk)) away.set(chunk, { fileBytes });
  }
  if (away.size === 0) return undefined;
  return {
    find: (chunk) => away.get(chunk),
    isSafe: () => false,
    fetch: async (chunk) => {
      throw withoutSink(chunk, shipping.bucket);
    },
  };
}

async function chunksIn(storage: Storage, directory: string): Promise<Set<ChunkId>> {
  const found = new Set<ChunkId>();
  try {
    for (const folder of await storage.list(directory)) {
      const path = `${directory}/${folder}`;
      if ((await storage.stat(path))?.kind !== "directory") continue;
      for (const name of await storage.list(path)) {
        const chunk = chunkOfName(name);
        if (chunk !== undefined) found.add(chunk);
      }
    }
  } catch (cause) {
    throw ioError("list", directory, cause);
  }
  return found;
}

function withoutSink(chunk: ChunkId, bucket: string): StorageError {
  const message =
    `chunk ${chunk} is not on this disk, only in the bucket that the store was shipped to ` +
    `(${bucket}): open the store with that sink`;
  const details = {
    store: bucket,
    operation: "get",
    key: `chunk ${chunk}`,
    retryAfterMs: undefined,
  };
  return new StorageError("BOP_SINK_UNAVAILABLE", message, { details, retryable: false });
}

/**
 * CHUNKS OUT OF THE BUCKET INTO A DIRECTORY, a few at a time.
 *
 *   fetched ─► checked ─► written to tmp/ ─► synced ─► renamed to its place
 *
 * (1) What lies at a chunk's place is whole: it was synced before it got its name. It is checked all
 *     the same when a restore begins again, and fetched anew if it is not what it should be.
 * (2) What is missing in the bucket, cut short or damaged is BOP_SINK_CORRUPT with its key.
 * (3) Nothing runs on once one has failed: the call ends when the last of those under way has.
 */
import type { Storage } from "../base/env.ts";
import { ioError, StorageError } from "../base/errors.ts";
import type { ChunkId } from "../base/units.ts";
import { chunkPath } from "../page-store/index.ts";
import { bucketKey, type ObjectStore } from "../sink/index.ts";
import { chunkProblem } from "./chunk-check.ts";

/** A chunk that is to be there. */
export interface WantedChunk {
  readonly chunk: ChunkId;
  /** Of its key. */
  readonly epoch: number;
  /** Undefined for those that a commit of the log names. */
  readonly fileBytes: number | undefined;
}

export interface DownloadPlace {
  readonly objects: ObjectStore;
  readonly storage: Storage;
  readonly directory: string;
  readonly storeId: Uint8Array;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** After each chunk: what it takes, and whether it was there already. */
  readonly onChunk?: (bytes: number, kept: boolean) => void;
}

/** Chunks in memory at a time. */
const PARALLEL = 4;

/** Puts every one of them in its place, and syncs the folders. */
export async function downloadChunks(
  place: DownloadPlace,
  wanted: readonly WantedChunk[],
  { signal, onChunk }: DownloadOptions,
): Promise<void> {
  const folders = new Set<string>();
  await inParallel(wanted, PARALLEL, async (chunk) => {
    signal?.throwIfAborted();
    const path = chunkPath(place.directory, chunk.chunk);
    folders.add(path.slice(0, path.lastIndexOf("/")));
    const kept = await bytesThere(place, chunk);
    onChunk?.(kept ?? (await download(place, chunk, signal)), kept !== undefined);
  });
  const { storage, directory } = place;
  try {
    for (const folder of folders) await storage.syncDirectory(folder);
    await storage.syncDirectory(`${directory}/chunks`);
  } catch (cause) {
    throw ioError("sync", `${directory}/chunks`, cause);
  }
}

/** Runs `work` for each, at most `width` at a time, in order. See (3). */
export async function inParallel<Item>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const lane = async () => {
    while (next < items.length && failure === undefined) {
      const item = items[next] as Item;
      next += 1;
      await work(item).catch((error: unknown) => {
        failure ??= { error };
      });
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
}

/** The whole object, checked. See (2). */
async function fetchChunk(
  { objects, storeId }: Pick<DownloadPlace, "objects" | "storeId">,
  { chunk, epoch, fileBytes }: WantedChunk,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const key = bucketKey({ kind: "chunk", id: chunk, epoch });
  const found = await objects.get(key, { signal });
  if (found === undefined) throw unusable(objects, key, "the object is missing");
  const problem = chunkProblem(found.bytes, { chunk, storeId, fileBytes });
  if (problem !== undefined) throw unusable(objects, key, problem);
  return found.bytes;
}

export function unusable({ location }: ObjectStore, key: string, why: string): StorageError {
  const details = { store: location, key, why };
  const message = `${key} in ${location}: ${why}`;
  return new StorageError("BOP_SINK_CORRUPT", message, { details, retryable: false });
}

/** See (1). Undefined if it has to be fetched. */
async function bytesThere(place: DownloadPlace, wanted: WantedChunk): Promise<number | undefined> {
  const { storage, directory, storeId } = place;
  const path = chunkPath(directory, wanted.chunk);
  try {
    const found = await storage.stat(path);
    if (found === undefined) return undefined;
    const bytes = new Uint8Array(found.bytes);
    const file = await storage.open(path, "read");
    try {
      await file.read(bytes, 0);
    } finally {
      await file.close();
    }
    if (chunkProblem(bytes, { ...wanted, storeId }) === undefined) return bytes.length;
    await storage.unlink(path);
    return undefined;
  } catch (cause) {
    throw ioError("read", path, cause);
  }
}

async function download(
  place: DownloadPlace,
  wanted: WantedChunk,
  signal: AbortSignal | undefined,
): Promise<number> {
  const bytes = await fetchChunk(place, wanted, signal);
  const { storage, directory } = place;
  const path = chunkPath(directory, wanted.chunk);
  const unfinished = `${directory}/tmp/${wanted.chunk}`;
  try {
    await storage.mkdir(path.slice(0, path.lastIndexOf("/")));
    const file = await storage.open(unfinished, "create");
    try {
      await file.write(bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await storage.rename(unfinished, path);
  } catch (cause) {
    throw ioError("write", path, cause);
  }
  return bytes.length;
}

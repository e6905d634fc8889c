/**
 * STARTING FROM THE SINK: a directory that holds no store takes up the one that the sink holds, before
 * it is opened as any other.
 *
 *   empty ──fill──► marked: rows, log, superblock ──opened, the bucket is ours──settle──► a store
 *     │               └── cut off, or the bucket has moved on: fill again
 *     └───mark──► marked: nothing ──opened, the bucket is ours──settle──► a new store
 *                     └── cut off, or the bucket is another's: fill, or mark again
 *
 * (1) Chunks stay in the bucket until they are read: what is read here are rows (8 bytes for each page,
 *     and some for each database) and the log behind the newest state.
 * (2) Nobody is served before the epoch is claimed and disk and bucket were compared. So what is
 *     served is all that the bucket has, whoever wrote to it until then. A writer that went on while
 *     rows and log were read is ended by the claim; then they are read again, and cannot go on again.
 * (3) Until then the directory is marked. Opening it otherwise is refused; what lies there counts for
 *     nothing, also what the opening itself wrote.
 * (4) A sink that holds no store begins with this one. Another machine may begin there at the same
 *     time: so the directory is marked until the bucket is ours, and whoever comes second has left
 *     nothing that keeps the next start from taking up the store of the first. Nothing is acknowledged
 *     before: such a store waits for the answer of its sink, as one that was filled does.
 * (5) Who marks owns the directory, and has looked again whether it is free: one that serves, or has
 *     served, is never marked.
 */
import type { Env } from "../../base/env.ts";
import { ioError, isStorageError } from "../../base/errors.ts";
import { MIB } from "../../base/units.ts";
import { claimOwnership, clearManifest, openLmdbStore } from "../../manifest/index.ts";
import {
  beginRestore,
  finishRestore,
  isStartCutOff,
  openBucket,
  restoreStore,
  whatOccupies,
} from "../../restore/index.ts";
import type { ReadCounts } from "../../sink/index.ts";
import type { ResolvedOptions } from "../resolve-options.ts";
import { hasStore } from "./directories.ts";

/** What it took to start. */
export interface StartedFrom {
  /** Objects, requests and bytes until the store could be opened. */
  readonly reads: ReadCounts;
}

/** The directory is marked. */
export interface Started {
  /** Undefined: a new store begins there. */
  readonly from: StartedFrom | undefined;
}

/** Segments that the log is written to are no smaller. */
const SEGMENT_BYTES_MIN = MIB;

/** Undefined if a store is here, or it is not wanted. */
export async function startFromSink(
  options: ResolvedOptions,
  env: Env,
): Promise<Started | undefined> {
  const { startFromSink: isWanted, sink, directory, segmentBytes } = options;
  if (!isWanted || sink === undefined || !(await isFree(env, directory))) return undefined;
  const opened = await openBucket(sink, { env }).catch((error: unknown) => {
    if (isStorageError(error, "BOP_NO_RESTORE_POINT")) return undefined; // See (4).
    throw error;
  });
  if (opened === undefined) return markNew(options, env);
  try {
    const { reads } = await restoreStore({
      env,
      openKeyValueStore: options.openKeyValueStore ?? openLmdbStore,
      directory,
      segmentBytes: Math.max(segmentBytes, SEGMENT_BYTES_MIN),
      bucket: opened.bucket,
      objects: opened.objects,
      lazy: true,
      starts: true,
    });
    return { from: { reads } };
  } finally {
    await opened.close();
  }
}

/** See (4) and (5). Undefined if somebody was faster here, or something else lies here: it stays. */
async function markNew(options: ResolvedOptions, env: Env): Promise<Started | undefined> {
  const { directory, sink, openKeyValueStore: openStore = openLmdbStore } = options;
  const { storage } = env;
  const place = { storage, directory };
  await storage.mkdir(directory).catch((cause) => {
    throw ioError("create", directory, cause);
  });
  const owner = await claimOwnership({ openStore, owned: directory, env });
  try {
    if (!(await isFree(env, directory)) || (await whatOccupies(place)) !== undefined) {
      return undefined;
    }
    const isAgain = await isStartCutOff(place);
    const location = typeof sink === "string" ? sink : (sink?.location ?? "");
    const nothing = { location, storeId: "", epoch: 0, number: 0 };
    await beginRestore(place, { ...nothing, starts: true });
    if (isAgain) {
      const manifest = await openStore(`${directory}/manifest`);
      await clearManifest(manifest).finally(() => manifest.close());
    }
    return { from: undefined };
  } finally {
    await owner.release();
  }
}

/** The store is open, and its bucket is its own: see (2). */
export function settleStart({ storage }: Env, directory: string): Promise<void> {
  return finishRestore({ storage, directory });
}

/** Somebody else wrote to the bucket after it was read: see (2). */
export function hasMovedOn(error: unknown): boolean {
  return isStorageError(error, "BOP_SINK_AHEAD") || isStorageError(error, "BOP_DIVERGED");
}

async function isFree(env: Env, directory: string): Promise<boolean> {
  const { storage } = env;
  return (await isStartCutOff({ storage, directory })) || !(await hasStore(env, directory));
}

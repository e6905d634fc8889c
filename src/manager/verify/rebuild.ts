/**
 * A LOST MANIFEST MADE AGAIN, offline: from its mirror, the superblock, and the segments and chunks
 * that lie in the store. What happened since the mirror's last commit is in the log, which the next
 * open replays as after any crash.
 *
 *   owner → superblock → mirror → checks → manifest written → (next open) log replayed
 *
 * (1) Nothing is changed before everything was checked: identity, that the mirror is not behind the
 *     superblock (what lies between would be gone from the log), that every chunk is there whole, or
 *     else in the bucket, as its row says: then it is away, as for any open.
 * (2) A manifest that is there is never written over. With `replace` it is moved aside first.
 * (3) Registered are the segments that may hold log above the checkpoint, and one sequence ahead of
 *     all files (write/recovery/left-segments.ts); the rest are leftovers, which the next open removes.
 * (4) The change log, cursors and jobs begin anew: they are not mirrored (manifest/mirror/mirror.ts, 4).
 */
import type { Env } from "../../base/env.ts";
import { ioError, StorageError } from "../../base/errors.ts";
import type { ChunkId, Lsn, SegmentSequence } from "../../base/units.ts";
import {
  chunksOfMirror,
  claimOwnership,
  hasManifest,
  historyOfMirror,
  type MirrorContents,
  mirrorPath,
  type OpenKeyValueStore,
  readMirror,
  remoteChunksOfRows,
  withLaterStates,
  writeManifest,
} from "../../manifest/index.ts";
import { chunkPath, type Superblock, SuperblockFile } from "../../page-store/index.ts";
import { segmentsToRegister } from "../../write/index.ts";

export interface RebuildOptions {
  readonly env: Env;
  readonly directory: string;
  readonly openKeyValueStore: OpenKeyValueStore;
  /** Moves a manifest that is there aside. Default: refuse. */
  readonly replace?: boolean;
}

export interface RebuildReport {
  readonly directory: string;
  readonly checkpointLsn: Lsn;
  readonly rows: number;
  readonly chunks: number;
  /** Of them, those that are in the bucket and not here. */
  readonly awayChunks: number;
  readonly segments: number;
  /** Bytes of the mirror behind its last whole commit: what a crash cut off. */
  readonly tornBytes: number;
  /** Where the manifest that was there lies now. */
  readonly movedTo?: string;
}

/**
 * Throws BOP_LOCKED if somebody alive owns the store, BOP_EXISTS if there is a manifest, BOP_CORRUPT
 * if it cannot be rebuilt, with the reason; BOP_IO and BOP_DISK_FULL.
 */
export async function rebuildManifest(options: RebuildOptions): Promise<RebuildReport> {
  const { env, directory, openKeyValueStore } = options;
  const found = await SuperblockFile.open({ storage: env.storage, directory });
  if (found === undefined) throw corrupt(`${directory}/superblock`, "there is none");
  const owner = await claimOwnership({ openStore: openKeyValueStore, owned: directory, env });
  try {
    const mirror = await readMirror(env.storage, directory);
    compare(mirror, found.superblock, directory);
    const counts = await checkChunks(options, mirror);
    const segments = await segmentsFor(options, mirror);
    const movedTo = await moveAside(options);
    await write(options, { mirror, superblock: found.superblock, segments });
    return {
      directory,
      checkpointLsn: mirror.state.checkpointLsn,
      rows: mirror.rows.length,
      ...counts,
      segments: segments.length,
      tornBytes: mirror.fileBytes - mirror.readBytes,
      ...(movedTo !== undefined && { movedTo }),
    };
  } finally {
    await owner.release();
  }
}

/** See (1). */
function compare(mirror: MirrorContents, superblock: Superblock, directory: string): void {
  const file = `${directory}/manifest.mirror`;
  if (Buffer.compare(mirror.storeId, superblock.storeId) !== 0) {
    throw corrupt(file, "it belongs to another store than the superblock");
  }
  const { checkpointLsn } = mirror.state;
  if (checkpointLsn >= superblock.checkpointLsn) return;
  const marks = `${checkpointLsn}, and the superblock has seen ${superblock.checkpointLsn}`;
  throw corrupt(file, `it is older than the last checkpoint: it ends at LSN ${marks}`);
}

/** See (1). */
async function checkChunks(
  { env, directory }: RebuildOptions,
  mirror: MirrorContents,
): Promise<Pick<RebuildReport, "chunks" | "awayChunks">> {
  const chunks = chunksOfMirror(mirror, directory);
  const inBucket = remoteChunksOfRows(mirror.rows, mirrorPath(directory));
  const awayBytes = new Map(inBucket.map((row) => [row.chunk, row.fileBytes]));
  let awayChunks = 0;
  for (const { chunk, fileBytes } of chunks) {
    const path = chunkPath(directory, chunk as ChunkId);
    const bytes = (await env.storage.stat(path).catch(failed("look at", path)))?.bytes;
    if (bytes === fileBytes) continue;
    if (bytes !== undefined) throw corrupt(path, `it has ${bytes} bytes, and had ${fileBytes}`);
    if (awayBytes.get(chunk) !== fileBytes) {
      throw corrupt(path, "a chunk of the manifest is missing, and the bucket does not have it");
    }
    awayChunks += 1;
  }
  return { chunks: chunks.length, awayChunks };
}

/** See (3). */
function segmentsFor(
  { env, directory }: RebuildOptions,
  mirror: MirrorContents,
): Promise<SegmentSequence[]> {
  const { state, storeId } = mirror;
  const { checkpointLsn } = state;
  const history = new Set(historyOfMirror(mirror, directory).map(({ sequence }) => sequence));
  const place = { env, directory: `${directory}/wal`, storeId };
  return segmentsToRegister({ ...place, checkpointLsn, history });
}

/** See (2). */
async function moveAside(options: RebuildOptions): Promise<string | undefined> {
  const { env, directory, openKeyValueStore, replace = false } = options;
  const place = `${directory}/manifest`;
  if (!replace) {
    const store = await openKeyValueStore(place);
    const isThere = hasManifest(store);
    await store.close();
    if (!isThere) return undefined; // Made by an open that found nothing, or by a rebuild cut off.
    const message = `there is a manifest in ${place}; if it is damaged, rebuild with replace (--replace)`;
    throw new StorageError("BOP_EXISTS", message, { details: { name: place } });
  }
  if ((await env.storage.stat(place)) === undefined) return undefined;
  const aside = `${directory}/manifest.${Buffer.from(env.random.bytes(4)).toString("hex")}`;
  await env.storage.rename(place, aside).catch(failed("rename", place));
  await env.storage.syncDirectory(directory).catch(failed("sync", directory));
  return aside;
}

async function write(
  { env, directory, openKeyValueStore }: RebuildOptions,
  parts: {
    readonly mirror: MirrorContents;
    readonly superblock: Superblock;
    readonly segments: readonly SegmentSequence[];
  },
): Promise<void> {
  const { mirror, superblock, segments } = parts;
  const place = `${directory}/manifest`;
  const store = await openKeyValueStore(place);
  try {
    const { manifestGeneration, durableLsn } = superblock;
    await writeManifest(store, withLaterStates(mirror, directory), {
      generationFloor: manifestGeneration,
      durableLsn,
      segments,
    });
  } finally {
    await store.close();
  }
  // In a simulated world the store is no directory.
  if ((await env.storage.stat(place)) === undefined) return;
  await env.storage.syncDirectory(place).catch(failed("sync", place));
  await env.storage.syncDirectory(directory).catch(failed("sync", directory));
}

function failed(operation: string, file: string): (cause: unknown) => never {
  return (cause) => {
    throw ioError(operation, file, cause);
  };
}

function corrupt(file: string, why: string): StorageError {
  return new StorageError("BOP_CORRUPT", `the manifest cannot be rebuilt: ${file}: ${why}`, {
    details: { file, offset: 0, why },
  });
}

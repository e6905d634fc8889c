/**
 * A WHOLE STORE OUT OF A BUCKET, into a directory of its own: as it was at the newest moment that the
 * bucket has, or at any other.
 *
 *   point ─► rows of its state ─► marker ─► log ─► chunks ─► manifest ─► mirror ─► superblock ─► ready
 *
 * (1) The directory is empty, or holds a restore that was cut off (place.ts). It becomes a store with
 *     the last step; whatever cuts off the restore before leaves none, and it can begin again.
 * (2) Everything that the bucket had at the moment is in it, and nothing that came after: rows name
 *     no LSN above the moment, and the log ends there.
 * (3) Everything is checked on the way: objects against their SHA-256, batches, blocks of rows and
 *     pages against their own checksums.
 * (4) A store that is restored to the newest moment goes on in its bucket, as if its machine had
 *     crashed: behind all log that is there, also what no state leads to (points.ts (5)). One of an
 *     earlier moment does not know of it: what the bucket has since is not to be shipped over.
 * (5) A lazy one leaves the chunks in the bucket that rows name: whoever opens the store fetches what
 *     is read (residency, in the page store). Those that only the log names come along: to replay it
 *     needs them.
 */
import type { Env } from "../base/env.ts";
import { ioError } from "../base/errors.ts";
import {
  type ChunkId,
  chunkId,
  earlierLsn,
  LSN_ZERO,
  laterLsn,
  lsn,
  segmentSequence,
} from "../base/units.ts";
import { wallMsOf } from "../base/wall-ms.ts";
import { Bucket, bucketName, keptOf, readBucketIdentity, surveyAll } from "../flush/index.ts";
import {
  chunksOfRows,
  claimOwnership,
  type EpochRow,
  type KeyValuePair,
  type ManifestChange,
  type ManifestContents,
  ManifestMirror,
  manifestOfRows,
  newManifest,
  type OpenKeyValueStore,
  openManifest,
  remoteChunksOfRows,
  withoutShipping,
  writeManifest,
} from "../manifest/index.ts";
import { SuperblockFile } from "../page-store/index.ts";
import {
  bucketKey,
  type CountedStore,
  listAll,
  PREFIXES,
  parseKey,
  type ReadCounts,
} from "../sink/index.ts";
import type { ChunkKey, ReadableBucket } from "./bucket.ts";
import { downloadChunks, unusable, type WantedChunk } from "./chunk-downloads.ts";
import { type RestoredLog, writeLog } from "./log-files.ts";
import { beginRestore, finishRestore, refuseOccupied } from "./place.ts";
import { findNewest, findPoint, type RestoreMoment, type RestorePoint } from "./points.ts";

export interface StoreRestore {
  readonly env: Env;
  readonly openKeyValueStore: OpenKeyValueStore;
  readonly bucket: ReadableBucket;
  /** The one that `bucket` reads from. */
  readonly objects: CountedStore;
  readonly directory: string;
  readonly segmentBytes: number;
  /** Default: the newest. */
  readonly at?: RestoreMoment | undefined;
  /** See (5). Of the newest moment only. */
  readonly lazy?: boolean | undefined;
  /** The directory is no store yet: whoever asks for it says when it is (finishRestore). */
  readonly starts?: boolean | undefined;
  /** Only says what would be read. */
  readonly dryRun?: boolean | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StoreRestoreReport {
  readonly location: string;
  readonly directory: string;
  readonly storeId: string;
  /** The moment: every commit at or below it is there. */
  readonly lsn: number;
  readonly isNewest: boolean;
  /** Of the manifest. */
  readonly rows: number;
  readonly chunks: number;
  readonly chunkBytes: number;
  /** Of these, what a restore that was cut off had left there. */
  readonly keptChunks: number;
  /** What stays in the bucket until it is read. */
  readonly remoteChunks: number;
  readonly remoteChunkBytes: number;
  readonly logBytes: number;
  readonly dryRun: boolean;
  readonly reads: ReadCounts;
}

/**
 * Throws BOP_NO_RESTORE_POINT, BOP_EXISTS for a directory that is not empty, BOP_LOCKED for one that
 * is owned, BOP_SINK_… for what the bucket does, BOP_IO and BOP_DISK_FULL.
 */
export async function restoreStore(options: StoreRestore): Promise<StoreRestoreReport> {
  const { env, directory, bucket, openKeyValueStore, starts = false } = options;
  const place = { storage: env.storage, directory };
  await refuseOccupied(place);
  const job = await planOf(options);
  if (options.dryRun === true) return reportOfPlan(job);
  await env.storage.mkdir(directory).catch((cause) => {
    throw ioError("create", directory, cause);
  });
  const owner = await claimOwnership({ openStore: openKeyValueStore, owned: directory, env });
  try {
    await refuseOccupied(place);
    const storeId = Buffer.from(bucket.storeId).toString("hex");
    const { epoch = 0, number = 0 } = job.point.state ?? {};
    const from = { location: bucket.location, storeId, epoch, number };
    await beginRestore(place, { ...from, ...(starts && { starts }) });
    await fill(job);
    if (!starts) await finishRestore(place);
  } finally {
    await owner.release();
  }
  return reportOf(job);
}

interface Job {
  readonly options: StoreRestore;
  readonly point: RestorePoint;
  readonly contents: ManifestContents;
  /** By id: those that rows name, and once it was looked at, those that the log names. */
  readonly chunks: Map<ChunkId, WantedChunk>;
  chunkBytes: number;
  kept: number;
  /** See (5): by id, none unless it is lazy. */
  readonly remote: Map<ChunkId, WantedChunk>;
}

async function planOf(options: StoreRestore): Promise<Job> {
  const { bucket, at, starts } = options;
  const point = await (starts === true ? findNewest(bucket) : findPoint(bucket, at));
  const contents = await contentsOf(options.bucket, point);
  const named = chunksOf(options, contents);
  const none = new Map<ChunkId, WantedChunk>();
  const [chunks, remote] = options.lazy === true ? [none, named] : [named, none];
  return { options, point, contents, chunks, remote, chunkBytes: bytesOf(chunks), kept: 0 };
}

function bytesOf(chunks: ReadonlyMap<ChunkId, WantedChunk>): number {
  let bytes = 0;
  for (const { fileBytes = 0 } of chunks.values()) bytes += fileBytes;
  return bytes;
}

/** Rows as of the point; those of a new store if there is no state. */
async function contentsOf(
  bucket: ReadableBucket,
  { state }: RestorePoint,
): Promise<ManifestContents> {
  if (state === undefined) return newManifest(bucket.storeId);
  const pairs: KeyValuePair[] = [];
  for await (const pair of bucket.rows(state)) pairs.push(pair);
  return manifestOfRows(pairs, bucket.location);
}

/** Where the chunks lie that rows name. */
function chunksOf(
  { bucket, objects }: StoreRestore,
  { rows }: ManifestContents,
): Map<ChunkId, WantedChunk> {
  const { location } = bucket;
  const remote = new Map(remoteChunksOfRows(rows, location).map((row) => [row.chunk, row]));
  const wanted = new Map<ChunkId, WantedChunk>();
  for (const { chunk, fileBytes } of chunksOfRows(rows, location)) {
    const epoch = remote.get(chunk)?.epoch;
    if (epoch === undefined) {
      throw unusable(objects, `chunks/${chunk}`, "the state does not say where it lies");
    }
    wanted.set(chunk, { chunk, epoch, fileBytes });
  }
  return wanted;
}

/** Those of the log that no row names. */
function addSpilled({ chunks, remote }: Job, spilled: readonly ChunkKey[]): void {
  for (const { chunk, epoch } of spilled) {
    const id = chunkId(chunk);
    if (!chunks.has(id) && !remote.has(id))
      chunks.set(id, { chunk: id, epoch, fileBytes: undefined });
  }
}

/** All but the marker. */
async function fill(job: Job): Promise<void> {
  const { options, point, chunks } = job;
  const { env, bucket, objects, directory, segmentBytes, signal, onProgress } = options;
  const place = { storage: env.storage, directory };
  const totalBytes = job.chunkBytes + (point.upToLsn - point.fromLsn);
  let doneBytes = 0;
  const onBytes = (bytes: number) => {
    doneBytes += bytes;
    onProgress?.(Math.min(doneBytes, totalBytes), totalBytes);
  };
  const onSpilled = (spilled: readonly ChunkKey[]) => addSpilled(job, spilled);
  const source = { bucket, point };
  const log = await writeLog({ ...place, segmentBytes }, source, { signal, onBytes, onSpilled });
  job.chunkBytes = 0;
  const from = { ...place, objects, storeId: bucket.storeId };
  const onChunk = (bytes: number, kept: boolean) => {
    job.chunkBytes += bytes;
    if (kept) job.kept += 1;
    onBytes(bytes);
  };
  await downloadChunks(from, [...chunks.values()], { signal, onChunk });
  signal?.throwIfAborted();
  await makeStore(job, log);
}

/** Manifest, mirror, superblock: everything that they name is there. */
async function makeStore({ options, contents, point }: Job, log: RestoredLog): Promise<void> {
  const { env, directory, openKeyValueStore } = options;
  const place = `${directory}/manifest`;
  const store = await openKeyValueStore(place);
  try {
    const segments = Array.from({ length: log.sequences + 1 }, (_, i) => segmentSequence(i + 1));
    const durableLsn = lsn(log.endLsn);
    const marks = marksOf(contents, log);
    const rows = point.isNewest ? contents : withoutShipping(contents); // See (4).
    const whole = { ...rows, state: { ...contents.state, ...marks, durableLsn } };
    await writeManifest(store, whole, { generationFloor: 0, durableLsn, segments });
  } finally {
    await store.close();
  }
  // What a state of an older schema lacks is added, and every row but those of page maps is read.
  const mirror = new ManifestMirror({ env, directory });
  const manifest = await openManifest({
    openStore: mirror.over(openKeyValueStore, { mustExist: true }),
    directory: place,
    storeIdForNew: contents.storeId,
    clock: env.clock,
  });
  const { opened } = manifest;
  let generation: number;
  try {
    const shipping = { point, log, known: opened.epochs };
    const change = point.isNewest ? await shippingSoFar(options, shipping) : {};
    generation = await manifest.publish(change);
    await mirror.settle();
  } finally {
    // Whoever removes what failed and restores again must not be given what is open of it still.
    await manifest.close();
  }
  await syncFolders(options);
  await SuperblockFile.create(
    { storage: env.storage, directory },
    {
      storeId: contents.storeId,
      epoch: Math.max(1, point.state?.epoch ?? 1),
      manifestGeneration: generation,
      checkpointLsn: opened.checkpointLsn,
      durableLsn: opened.durableLsn,
      walStart: segmentSequence(1),
      clean: false,
    },
  );
}

/**
 * What the disk that is made here knows of its bucket: who has shipped the log that is restored and is
 * not in the rows yet, how far that goes, and of which state it was made.
 */
async function shippingSoFar(
  { objects, bucket, env, signal }: StoreRestore,
  of: {
    readonly point: RestorePoint;
    readonly log: RestoredLog;
    readonly known: readonly EpochRow[];
  },
): Promise<Pick<ManifestChange, "putEpochs" | "putShipping">> {
  const identity = await readBucketIdentity(objects, { signal });
  if (identity === undefined) throw unusable(objects, "store.json", "it is not there any more");
  let newest = 0;
  for await (const { key } of listAll(objects, PREFIXES.epoch, { signal })) {
    const parsed = parseKey(key);
    if (parsed?.kind === "epoch") newest = Math.max(newest, parsed.epoch);
  }
  const place = new Bucket(objects, bucket.storeId);
  // No checksum is in a list, and what it lacks is taken for nobody: numbers are dense.
  if (newest < (of.point.state?.epoch ?? 1)) {
    newest = of.point.state?.epoch ?? 0;
    while (await place.hasClaim(newest + 1, { signal })) newest += 1;
  }
  const { epochs, lastWal } = await surveyAll(place, { newest, signal });
  const known = new Set(of.known.map(({ epoch }) => epoch));
  const claimedAtMs = wallMsOf(env.clock);
  const { state, upToLsn, goesOn } = of.point;
  const putEpochs = epochs.flatMap(({ epoch, shipped }) => {
    if (shipped === undefined || known.has(epoch)) return [];
    // Log that no state leads to is not this disk's, which meets the bucket where that ends.
    const startLsn = lsn(shipped.firstLsn > upToLsn ? goesOn.lsn : shipped.firstLsn);
    return [{ epoch, startLsn, claimedAtMs }];
  });
  const epoch = state?.epoch ?? lastWal?.epoch ?? 1;
  const putShipping = {
    bucket: bucketName(identity),
    epoch,
    walNumber: lastWal?.epoch === epoch ? lastWal.number + 1 : 0,
    // A state may be alone: it stands for log that the bucket never had, or has let go.
    shippedLsn: earlierLsn(upToLsn, lsn(lastWal?.endLsn ?? LSN_ZERO)),
    manifestNumber: (state?.number ?? -1) + 1,
    shippedGeneration: state?.generation ?? 0,
    fencedBelow: epoch,
    atMs: claimedAtMs,
    restored: true,
    location: keptOf(objects.location),
  };
  return { putEpochs, putShipping };
}

/**
 * The checkpoint as it was; or where the log begins, if nothing of it was needed and it begins at the
 * next whole block: no commit lies between the two.
 */
function marksOf({ state }: ManifestContents, { firstLsn }: RestoredLog) {
  const checkpointLsn = laterLsn(state.checkpointLsn, lsn(firstLsn));
  return { checkpointLsn, catalogueLsn: laterLsn(state.catalogueLsn, checkpointLsn) };
}

/** In a simulated world the manifest is no directory. */
async function syncFolders({ env, directory }: StoreRestore): Promise<void> {
  const { storage } = env;
  const folder = `${directory}/manifest`;
  try {
    if ((await storage.stat(folder)) !== undefined) await storage.syncDirectory(folder);
    await storage.syncDirectory(directory);
  } catch (cause) {
    throw ioError("sync", directory, cause);
  }
}

/** What would be read. Nothing is written, and of log and chunks nothing is read. */
async function reportOfPlan(job: Job): Promise<StoreRestoreReport> {
  const { bucket, objects } = job.options;
  const { fromLsn, upToLsn } = job.point;
  const known = new Set(job.chunks.keys());
  if (upToLsn > fromLsn) addSpilled(job, await bucket.spilled({ fromLsn, toLsn: upToLsn }));
  for (const { chunk, epoch } of job.chunks.values()) {
    if (known.has(chunk)) continue;
    const info = await objects.head(bucketKey({ kind: "chunk", id: chunk, epoch }));
    job.chunkBytes += info?.sizeBytes ?? 0;
  }
  return reportOf(job);
}

function reportOf({ options, point, contents, chunks, remote, ...found }: Job): StoreRestoreReport {
  const { bucket, directory, objects, dryRun = false } = options;
  return {
    location: bucket.location,
    directory,
    storeId: Buffer.from(bucket.storeId).toString("hex"),
    lsn: point.upToLsn,
    isNewest: point.isNewest,
    rows: contents.rows.length,
    chunks: chunks.size,
    chunkBytes: found.chunkBytes,
    keptChunks: found.kept,
    remoteChunks: remote.size,
    remoteChunkBytes: bytesOf(remote),
    logBytes: point.upToLsn - point.fromLsn,
    dryRun,
    reads: objects.reads,
  };
}

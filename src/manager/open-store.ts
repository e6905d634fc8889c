/**
 * PUTS THE LAYERS OF A STORE TOGETHER, in the order in which each may rely on the one before, and
 * takes them apart in the reverse order.
 *
 *   directories → owner → manifest → superblock → page store → replay → log → superblock
 */
import { dirname } from "node:path";
import type { Env } from "../base/env.ts";
import { ioError, StorageError } from "../base/errors.ts";
import {
  CATALOGUE_STREAM,
  KIB,
  lsn,
  MIB,
  type SegmentSequence,
  segmentSequence,
} from "../base/units.ts";
import { systemEnv } from "../io/index.ts";
import {
  claimOwnership,
  type Manifest,
  type Ownership,
  openLmdbStore,
  openManifest,
} from "../manifest/index.ts";
import { openPageStore, type PageStore, type PublishedFacts } from "../page-store/index.ts";
import { type Log, type ReplayedCommit, recoverLog } from "../write/index.ts";
import { Catalogue } from "./catalogue.ts";
import type { ResolvedOptions } from "./options.ts";
import { Superblocks } from "./superblocks.ts";

export interface Parts {
  readonly options: ResolvedOptions;
  readonly env: Env;
  readonly storeId: Uint8Array;
  readonly log: Log;
  readonly pages: PageStore;
  readonly catalogue: Catalogue;
  readonly recoveredFromCrash: boolean;
  readonly replayedCommits: number;
  writeSuperblock(published: PublishedFacts): Promise<void>;
  /** Closes everything and gives the directory back. Does not throw. */
  close(how: { readonly isClean: boolean }): Promise<void>;
}

const STORE_ID_BYTES = 16;
/** Stores with small segments have small buffers. */
const BUFFERS_PER_SEGMENT = 4;
const BUFFER_BYTES_MIN = 128 * KIB;

/** Throws what `Manager.open` throws; nothing stays open then. */
export async function assemble(options: ResolvedOptions): Promise<Parts> {
  const { directory } = options;
  const env = options.env ?? systemEnv({ scratchDirectory: `${directory}/tmp` });
  const openKeyValueStore = options.openKeyValueStore ?? openLmdbStore;
  const undo: (() => Promise<void>)[] = [];
  try {
    await makeDirectories(env, directory);
    const place = { openStore: openKeyValueStore, directory: `${directory}/manifest` };
    const owner = await claimOwnership({ ...place, owned: directory, env });
    undo.push(() => owner.release());
    const manifest = await openManifest({
      ...place,
      storeIdForNew: env.random.bytes(STORE_ID_BYTES),
    });
    undo.push(() => manifest.close());
    // LMDB syncs what it writes, and never the directory in which its files appeared.
    await env.storage.syncDirectory(place.directory).catch((cause) => {
      throw ioError("sync", place.directory, cause);
    });
    return await assembleOn({ options, env, owner, manifest }, undo);
  } catch (error) {
    await takeDown(undo);
    throw error;
  }
}

interface Ground {
  readonly options: ResolvedOptions;
  readonly env: Env;
  readonly owner: Ownership;
  readonly manifest: Manifest;
}

async function assembleOn(ground: Ground, undo: (() => Promise<void>)[]): Promise<Parts> {
  const { options, env, owner, manifest } = ground;
  const { storeId, clean } = manifest.opened;
  const { directory } = options;
  const superblocks = await Superblocks.open({ storage: env.storage, directory, manifest });
  const pages = await openPageStore({
    env,
    directory,
    storeId,
    manifest,
    limits: { cacheBytes: options.cacheBytes, maxTransactionBytes: options.maxTransactionBytes },
  });
  undo.push(() => pages.close());
  const catalogue = new Catalogue(manifest.opened);
  const registered = new Set(manifest.opened.segments);
  const walStart = () => segmentSequence(Math.min(...registered));
  const replay = (commit: ReplayedCommit): void => replayCommit({ catalogue, pages }, commit);
  const recovered = await recoverLog(logOptions(ground, { superblocks, registered }), replay);
  const log = await recovered.start();
  undo.push(() => log.close());
  pages.attach(log);
  catalogue.attach(log);
  await manifest.publish({ clean: false, durableLsn: log.durableLsn });
  const { checkpointLsn } = manifest.opened;
  const opened = { checkpointLsn, durableLsn: log.durableLsn, generation: manifest.generation };
  await superblocks.write(opened, { isClean: false, walStart: walStart() });
  return {
    options,
    env,
    storeId,
    log,
    pages,
    catalogue,
    recoveredFromCrash: owner.previousCrashed || !clean,
    replayedCommits: recovered.commits,
    writeSuperblock: (published) =>
      superblocks.write(published, { isClean: false, walStart: walStart() }),
    close: async ({ isClean }) => {
      await log.close().catch(() => {});
      if (isClean) await markClean({ manifest, superblocks, log, pages, walStart: walStart() });
      await takeDown(undo);
    },
  };
}

function replayCommit(
  { catalogue, pages }: { readonly catalogue: Catalogue; readonly pages: PageStore },
  commit: ReplayedCommit,
): void {
  if (commit.stream !== CATALOGUE_STREAM) {
    pages.replay(commit);
    return;
  }
  for (const frame of commit.frames) {
    if (frame.kind !== "entry") continue;
    const entry = catalogue.replay(frame.payload, commit.lsn);
    if (entry.type === "drop") pages.forget(entry.stream);
  }
}

interface LogMarks {
  readonly superblocks: Superblocks;
  /** Segments that the manifest names; kept up to date. */
  readonly registered: Set<SegmentSequence>;
}

function logOptions({ options, env, manifest }: Ground, { superblocks, registered }: LogMarks) {
  const { checkpointLsn, durableLsn, storeId, segments } = manifest.opened;
  const { directory, segmentBytes, inlineFlushMs } = options;
  return {
    env,
    directory: `${directory}/wal`,
    storeId,
    registered: segments,
    register: async (sequence: SegmentSequence) => {
      await manifest.publish({ addSegments: [sequence] });
      registered.add(sequence);
    },
    unregister: async (sequences: readonly SegmentSequence[]) => {
      await manifest.publish({ removeSegments: sequences });
      for (const sequence of sequences) registered.delete(sequence);
    },
    checkpointLsn,
    durableFloorLsn: lsn(Math.max(durableLsn, superblocks.durableLsn)),
    limits: {
      segmentBytes,
      inlineFlushMs,
      bufferBytes: Math.max(BUFFER_BYTES_MIN, Math.min(MIB, segmentBytes / BUFFERS_PER_SEGMENT)),
    },
  };
}

/** The log is closed and folded: the next open has nothing to replay. */
async function markClean(parts: {
  readonly manifest: Manifest;
  readonly superblocks: Superblocks;
  readonly log: Log;
  readonly pages: PageStore;
  readonly walStart: SegmentSequence;
}): Promise<void> {
  const { manifest, superblocks, log, pages, walStart } = parts;
  const { durableLsn } = log;
  try {
    const generation = await manifest.publish({ clean: true, durableLsn });
    const { checkpointLsn } = pages.stats;
    const published = { generation, checkpointLsn, durableLsn };
    await superblocks.write(published, { isClean: true, walStart });
  } catch {
    // Unmarked, it counts as a crash: the next open replays what there is, and loses nothing.
  }
}

/** What could not be closed is let go: whoever opens next finds it as after a crash. */
async function takeDown(undo: (() => Promise<void>)[]): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step().catch(() => {});
}

async function makeDirectories({ storage }: Env, directory: string): Promise<void> {
  try {
    const found = await storage.stat(directory);
    if (found?.kind === "file") {
      throw new StorageError("BOP_IO", `${directory} is a file; a store is a directory`, {
        details: { operation: "open", file: directory },
      });
    }
    await storage.mkdir(directory);
    // Not only by the one who made it: that one may have died before its name was on the device.
    const isOpenedBefore = (await storage.stat(`${directory}/superblock`)) !== undefined;
    if (!isOpenedBefore) await storage.syncDirectory(dirname(directory));
    for (const name of ["manifest", "wal", "chunks", "tmp"]) {
      await storage.mkdir(`${directory}/${name}`);
    }
    await storage.syncDirectory(directory);
  } catch (error) {
    throw error instanceof StorageError ? error : ioError("open", directory, error);
  }
}

/**
 * PUTS THE LAYERS OF A STORE TOGETHER, in the order in which each may rely on the one before, and
 * takes them apart in the reverse order.
 *
 *   directories → owner → manifest → superblock → page store → replay → log → superblock
 */
import type { Driver } from "../../base/driver.ts";
import type { Env } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import {
  CATALOGUE_STREAM,
  KIB,
  lsn,
  MIB,
  type SegmentSequence,
  type StreamId,
  segmentSequence,
} from "../../base/units.ts";
import { systemEnv } from "../../io/index.ts";
import {
  claimOwnership,
  type Manifest,
  ManifestMirror,
  type Ownership,
  openLmdbStore,
  openManifest,
} from "../../manifest/index.ts";
import {
  openPageStore,
  type PageStore,
  type PageStoreLimits,
  type PublishedFacts,
  type RemoteChunks,
  type SuperblockWrites,
} from "../../page-store/index.ts";
import { RecordLogs } from "../../record-log/index.ts";
import type { ObjectStore } from "../../sink/index.ts";
import {
  type Backlog,
  type HistorySegment,
  limitedStorage,
  type ReplayedCommit,
  recoverLog,
  type StoredLog,
} from "../../write/index.ts";
import { Catalogue } from "../catalogue/catalogue.ts";
import { tellPages } from "../catalogue/page-effects.ts";
import { HistoryWindow } from "../families/history-window.ts";
import { LogCatalogue } from "../logs/log-catalogue.ts";
import { logChunks } from "../logs/log-chunks.ts";
import type { ResolvedOptions } from "../resolve-options.ts";
import { SinkHold } from "../shipping/sink-hold.ts";
import { hasSuperblock, makeDirectories } from "./directories.ts";
import { HealedFiles } from "./healed-files.ts";
import { overNeverMade } from "./never-made.ts";
import { Superblocks } from "./superblocks.ts";

export interface Parts {
  readonly options: ResolvedOptions;
  readonly env: Env;
  readonly storeId: Uint8Array;
  readonly driver: Driver;
  readonly log: StoredLog;
  readonly window: HistoryWindow;
  readonly manifest: Manifest;
  readonly pages: PageStore;
  readonly catalogue: Catalogue;
  readonly logCatalogue: LogCatalogue;
  readonly recordLogs: RecordLogs;
  readonly owner: Ownership;
  readonly mirror: ManifestMirror;
  readonly hold: SinkHold;
  /** Chunks that need not be on this disk; undefined if all are. */
  readonly remote: RemoteChunks | undefined;
  readonly healed: HealedFiles;
  readonly recoveredFromCrash: boolean;
  readonly replayedCommits: number;
  superblockWrites(): SuperblockWrites;
  writeSuperblock(published: PublishedFacts): Promise<void>;
  /** Closes everything and gives the directory back. Does not throw. */
  close(how: { readonly isClean: boolean }): Promise<void>;
}

const STORE_ID_BYTES = 16;
/** Stores with small segments have small buffers. */
const BUFFERS_PER_SEGMENT = 4;
const BUFFER_BYTES_MIN = 128 * KIB;
/** One for the log's flush, one for a read that somebody waits for. */
const LOG_THREADS = 2;

/** The world of a store: given, or this machine. */
export function worldOf(options: ResolvedOptions): Env {
  const { directory } = options;
  return limited(options.env ?? systemEnv({ scratchDirectory: `${directory}/tmp` }), options);
}

/** Throws what `Manager.open` throws; nothing stays open then. */
export async function assemble(
  options: ResolvedOptions,
  env: Env,
  sink: ObjectStore | undefined,
): Promise<Parts> {
  const { directory } = options;
  const open = options.openKeyValueStore ?? openLmdbStore;
  const openKeyValueStore = overNeverMade(open, { env, directory });
  const undo: (() => Promise<void>)[] = [];
  try {
    await makeDirectories(env, directory);
    const place = { openStore: openKeyValueStore, directory: `${directory}/manifest` };
    const owner = await claimOwnership({ openStore: openKeyValueStore, owned: directory, env });
    undo.push(() => owner.release());
    const mirror = new ManifestMirror({ env, directory });
    const hold = new SinkHold(options, env, sink);
    const mustExist = await hasSuperblock(env, directory);
    const manifest = await openManifest({
      ...place,
      openStore: mirror.over(hold.over(openKeyValueStore), { mustExist }),
      storeIdForNew: env.random.bytes(STORE_ID_BYTES),
      clock: env.clock,
      delayMs: options.manifestDelayMs,
      changeLog: options.changeLog,
    });
    undo.push(() => manifest.close());
    hold.learn(manifest.opened);
    // LMDB syncs what it writes, and never the directory in which its files appeared.
    await env.storage.syncDirectory(place.directory).catch((cause) => {
      throw ioError("sync", place.directory, cause);
    });
    if (!mustExist) await mirror.settle(); // From its first superblock on a store can be rebuilt.
    return await assembleOn({ options, env, owner, manifest, mirror, hold }, undo);
  } catch (error) {
    await takeDown(undo);
    throw error;
  }
}

/** Whatever the store does besides its log leaves the log room in the system's pool. */
function limited(env: Env, { limits }: ResolvedOptions): Env {
  const { storage } = env;
  const permits = limits.maxConcurrentWrites ?? Math.max(1, storage.threads - LOG_THREADS);
  return { ...env, storage: limitedStorage(storage, permits) };
}

interface Ground {
  readonly options: ResolvedOptions;
  readonly env: Env;
  readonly owner: Ownership;
  readonly manifest: Manifest;
  readonly mirror: ManifestMirror;
  readonly hold: SinkHold;
}

async function assembleOn(ground: Ground, undo: (() => Promise<void>)[]): Promise<Parts> {
  const { options, env, owner, manifest, mirror, hold } = ground;
  const { storeId, clean } = manifest.opened;
  const { directory } = options;
  const superblocks = await Superblocks.open({ storage: env.storage, directory, manifest });
  await trustMirror(ground, superblocks);
  const window = new HistoryWindow(options);
  const { pages, remote, healed } = await openPages(ground, window);
  undo.push(() => pages.close());
  const catalogue = new Catalogue(manifest.opened);
  const logCatalogue = new LogCatalogue(manifest.opened, catalogue);
  const recordLogs = openRecordLogs(ground, { logCatalogue, pages });
  undo.push(() => recordLogs.close());
  healed.tell((chunk) => recordLogs.healed(chunk));
  const registered = new Set(manifest.opened.segments);
  const walStart = () => segmentSequence(Math.min(...registered));
  const replay = (commit: ReplayedCommit): void =>
    replayCommit({ catalogue, logCatalogue, pages, recordLogs }, commit);
  const driver = await env.storage.driver({ directory: `${directory}/wal`, io: options.io });
  undo.push(() => driver.close());
  // Pages of databases can wait until somebody looks; what else there is in the log cannot.
  const mayWait = (stream: StreamId) => catalogue.databases.row(stream) !== undefined;
  const marks = { superblocks, registered, driver, window, mayWait };
  const recovered = await recoverLog(logOptions(ground, marks), replay);
  dropFromBacklog(recovered.backlog, { catalogue, pages });
  pages.replays.expect(recovered.backlog);
  const log = await recovered.start();
  undo.push(() => log.close());
  pages.attach(log);
  window.attach({ clock: env.clock, pages, log });
  catalogue.attach(log, (entry, at) => tellPages(pages, entry, at));
  logCatalogue.attach(log);
  await manifest.publish({ clean: false, durableLsn: log.durableLsn, changeLog: {} });
  const { checkpointLsn } = manifest.opened;
  const opened = { checkpointLsn, durableLsn: log.durableLsn, generation: manifest.generation };
  await superblocks.write(opened, { isClean: false, walStart: walStart() });
  return {
    options,
    env,
    storeId,
    driver,
    log,
    window,
    manifest,
    pages,
    catalogue,
    logCatalogue,
    recordLogs,
    owner,
    mirror,
    hold,
    remote,
    healed,
    recoveredFromCrash: owner.previousCrashed || !clean,
    replayedCommits: recovered.commits,
    superblockWrites: () => superblocks.writes,
    writeSuperblock: async (published) => {
      await mirror.settle();
      await superblocks.write(published, { isClean: false, walStart: walStart() });
    },
    close: async ({ isClean }) => {
      await log.close().catch(() => {});
      if (isClean) await markClean({ manifest, superblocks, log, pages, walStart: walStart() });
      await takeDown(undo);
    },
  };
}

/**
 * The manifest is the newest that there is. A checkpoint that the last owner published and did not live
 * to settle is settled before any log is let go for it; of chunks leftovers.ts (3) sees to that.
 */
async function trustMirror({ mirror, manifest }: Ground, superblocks: Superblocks): Promise<void> {
  mirror.trust();
  if (manifest.opened.checkpointLsn > superblocks.checkpointLsn) await mirror.settle();
}

/** Chunks may be in the sink and not here; then what is damaged here is healed from there. */
async function openPages(ground: Ground, window: HistoryWindow) {
  const { options, env, manifest, mirror, hold } = ground;
  const { directory } = options;
  const { storeId } = manifest.opened;
  const remote = await hold.chunks({ storage: env.storage, directory }, manifest.opened);
  const healed = new HealedFiles(env.clock);
  const pages = await openPageStore({
    env,
    directory,
    storeId,
    manifest,
    settle: () => mirror.settle(),
    limits: pageLimits(options),
    ...(remote && { remote, onHealed: (chunk) => healed.add(chunk) }),
    ...pageHooks(hold, window),
  });
  return { pages, remote, healed };
}

/** Who has a say in what the page store keeps. */
function pageHooks({ mayForget }: SinkHold, window: HistoryWindow) {
  const historyLsn = () => window.next();
  return { ...(mayForget && { mayForget }), ...(!window.isClosed && { historyLsn }) };
}

/** Commits of dropped databases are nobody's, unless a fork or a snapshot reads them. */
function dropFromBacklog(
  backlog: Backlog,
  { catalogue, pages }: { readonly catalogue: Catalogue; readonly pages: PageStore },
): void {
  for (const { stream } of catalogue.databases.dropped()) {
    if (!pages.isHeld(stream)) backlog.drop(stream);
  }
}

/** What the manifest has of record logs, and where their chunks lie. */
function openRecordLogs(
  { options, manifest }: Ground,
  { logCatalogue, pages }: Pick<Replaying, "logCatalogue" | "pages">,
): RecordLogs {
  const { directory, maxEntryBytes, logCacheBytes } = options;
  const { storeId, recordLogs, chunks } = manifest.opened;
  return new RecordLogs({
    rows: recordLogs,
    chunks,
    source: logChunks({ storeId, directory, residency: pages.residency }),
    limits: { maxEntryBytes, cacheBytes: logCacheBytes },
    nameOf: (stream) => logCatalogue.nameOf(stream),
  });
}

function pageLimits({ logFullPages, ...options }: ResolvedOptions): PageStoreLimits {
  const { cacheBytes, maxTransactionBytes, transactionMemoryBytes, compression } = options;
  const { reserveBytes, diskBytes } = options.limits;
  const memory = {
    cacheBytes,
    maxTransactionBytes,
    transactionMemoryBytes,
    reserveBytes,
    diskBytes,
  };
  return { ...memory, compression, ...(logFullPages && { deltasMax: 0 }) };
}

interface Replaying {
  readonly catalogue: Catalogue;
  readonly logCatalogue: LogCatalogue;
  readonly pages: PageStore;
  readonly recordLogs: RecordLogs;
}

function replayCommit(replaying: Replaying, commit: ReplayedCommit): void {
  const { catalogue, logCatalogue, pages, recordLogs } = replaying;
  if (commit.stream !== CATALOGUE_STREAM) {
    // The catalogue was replayed before, to its end: a log that is dropped there has commits here.
    if (logCatalogue.isDropped(commit.stream)) return;
    if (logCatalogue.live(commit.stream) === undefined) pages.replay(commit);
    else recordLogs.replay(commit);
    return;
  }
  for (const frame of commit.frames) {
    if (frame.kind !== "entry") continue;
    const ofLog = logCatalogue.replay(frame.payload, commit.lsn);
    if (ofLog !== undefined) {
      recordLogs.follow(ofLog);
      continue;
    }
    const { entry, isSaved } = catalogue.replay(frame.payload, commit.lsn);
    if (!isSaved || entry.type === "drop") tellPages(pages, entry, commit.lsn);
  }
}

interface LogMarks {
  readonly window: HistoryWindow;
  readonly driver: Driver;
  readonly mayWait: (stream: StreamId) => boolean;
  readonly superblocks: Superblocks;
  /** Segments that the manifest names; kept up to date. */
  readonly registered: Set<SegmentSequence>;
}

function logOptions({ options, env, manifest, hold }: Ground, marks: LogMarks) {
  const { superblocks, registered, driver, window, mayWait } = marks;
  const { checkpointLsn, durableLsn, storeId, segments, history } = manifest.opened;
  const { directory, segmentBytes, inlineFlushMs, onProgress } = options;
  return {
    env,
    driver,
    directory: `${directory}/wal`,
    storeId,
    registered: segments,
    register: async (sequence: SegmentSequence) => {
      await manifest.publish({ addSegments: [sequence] });
      registered.add(sequence);
    },
    unregister: async (gone: readonly SegmentSequence[], putHistory: readonly HistorySegment[]) => {
      const removeSegments = [...gone, ...putHistory.map(({ sequence }) => sequence)];
      await manifest.publish({ removeSegments, removeHistory: gone, putHistory });
      for (const sequence of removeSegments) registered.delete(sequence);
    },
    history,
    ...(window.horizonLsn !== undefined && { horizonLsn: window.horizonLsn }),
    checkpointLsn,
    ...(hold.archive && { archive: hold.archive }),
    ...(hold.archivedLsn !== undefined && { archivedLsn: hold.archivedLsn }),
    ...(hold.waitsFromLsn !== undefined && { shippedLsn: hold.waitsFromLsn }),
    durableFloorLsn: lsn(Math.max(durableLsn, superblocks.durableLsn)),
    mayWait,
    ...(onProgress && { onProgress }),
    limits: {
      segmentBytes,
      inlineFlushMs,
      maxBacklogBytes: options.limits.maxBacklogBytes,
      maxInflightSegments: options.limits.maxInflightSegments,
      writeTimeoutMs: options.limits.writeTimeoutMs,
      maxUnshippedBytes: options.limits.maxUnshippedBytes,
      bufferBytes: Math.max(BUFFER_BYTES_MIN, Math.min(MIB, segmentBytes / BUFFERS_PER_SEGMENT)),
    },
  };
}

/** The log is closed and folded: the next open has nothing to replay. */
async function markClean(parts: {
  readonly manifest: Manifest;
  readonly superblocks: Superblocks;
  readonly log: StoredLog;
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

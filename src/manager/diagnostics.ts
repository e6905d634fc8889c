/** Plain facts about a store, for people and for metrics. */
import { bytesBetween, laterLsn } from "../base/units.ts";
import type { ChangeLog } from "../manifest/index.ts";
import type { PageStore } from "../page-store/index.ts";
import type { Log } from "../write/index.ts";
import type { Diagnostics, PinnedLog } from "./api/diagnostics.ts";
import type { ChangeLogFacts } from "./changes/change.ts";
import type { Parts } from "./opening/open-store.ts";
import { scrubFacts } from "./scrub/store-scrub.ts";
import type { StoreGround } from "./store-ground.ts";

/** Databases and record logs that `log.pinned` names. */
const PINNED_MAX = 10;
const BUSIEST_MAX = 10;

export function diagnosticsOf(
  store: StoreGround,
  { log, pages }: { readonly log: Log; readonly pages: PageStore },
): Diagnostics {
  const { stats } = pages;
  const { logs, parts, catalogue, fleet, faults, lifecycle, options } = store;
  return {
    directory: options.directory,
    storeId: Buffer.from(parts.storeId).toString("hex"),
    state: lifecycle.state,
    openedAt: new Date(store.openedAtMs),
    recoveredFromCrash: parts.recoveredFromCrash,
    replayedCommits: parts.replayedCommits,
    owner: ownerFacts(parts),
    databases: {
      known: catalogue.databases.count,
      open: fleet.openCount,
      busiest: busiest(store, { log, pages }),
    },
    log: {
      newestLsn: log.newestLsn,
      durableLsn: log.durableLsn,
      checkpointLsn: stats.checkpointLsn,
      ...log.stats,
      pinned: pinnedStreams(store, { log, pages }),
      waitingDatabases: pages.replays.count,
      history: historyFacts(parts, pages),
    },
    io: {
      kind: parts.driver.kind,
      backend: parts.driver.backend,
      fallback: parts.driver.fallback,
      blockBytes: parts.driver.blockBytes,
    },
    warnings: parts.driver.warnings,
    pages: {
      overlayBytes: stats.overlayBytes,
      spilledBytes: stats.spilledBytes,
      spilledCommits: stats.spilledCommits,
      mapBytes: stats.mapBytes,
      cacheBytes: stats.cache.bytes,
      cacheHits: stats.cache.hits,
      cacheMisses: stats.cache.misses,
      cache: stats.cache,
      chunks: stats.chunks,
      chunkBytes: stats.chunkBytes,
      spaceAmplification: stats.amplification,
      checkpoints: stats.checkpoints,
      lastCheckpoint: store.checkpointer.last,
      checkpointFailure: store.checkpointer.failure?.message,
      heldBytes: store.checkpointer.heldBytes,
      openSnapshots: stats.openSnapshots,
      oldestReader: store.readers.oldest(log.newestLsn),
      endedReaders: store.readers.endedCount,
    },
    manifest: manifestFacts(parts),
    mirror: mirrorFacts(parts, lifecycle.state),
    changes: changeLogFacts(parts.manifest.changeLog),
    sink: store.shipping?.shipper.facts,
    residency: residencyFacts(store, pages),
    scrub: scrubFacts(store),
    recordLogs: logs.stats,
    lastFault: faults.last,
  };
}

function busiest(
  { catalogue }: StoreGround,
  { log, pages }: { readonly log: Log; readonly pages: PageStore },
): Diagnostics["databases"]["busiest"] {
  const changed = pages.holdsLog().filter(({ changedPages = 0 }) => changedPages > 0);
  changed.sort((a, b) => (b.changedPages ?? 0) - (a.changedPages ?? 0));
  return changed.slice(0, BUSIEST_MAX).map(({ stream, fromLsn, changedPages = 0 }) => {
    const name = catalogue.databases.row(stream)?.name ?? "";
    return { name, changedPages, logBytes: bytesBetween(fromLsn, log.newestLsn) };
  });
}

/** Who holds the oldest log, most first: see `pinned` of the public type. */
function pinnedStreams(
  { catalogue, logs }: StoreGround,
  { log, pages }: { readonly log: Log; readonly pages: PageStore },
): PinnedLog[] {
  const databases = pages.holdsLog().map(({ stream, fromLsn }) => {
    return {
      kind: "database" as const,
      name: catalogue.databases.row(stream)?.name ?? "",
      fromLsn,
    };
  });
  const recordLogs = logs.holdsLog().map((held) => ({ kind: "record-log" as const, ...held }));
  const oldest = [...databases, ...recordLogs].sort((a, b) => a.fromLsn - b.fromLsn);
  return oldest.slice(0, PINNED_MAX).map((held) => {
    return { ...held, bytes: bytesBetween(held.fromLsn, log.newestLsn) };
  });
}

/**
 * Log may reach further back than page maps do, and, in a store that lost its manifest, begin between
 * two of them: a moment needs both, a map and the log from there on.
 */
function historyFacts(
  { log, window }: Parts,
  { checkpoints, checkpointLsn }: PageStore,
): Diagnostics["log"]["history"] {
  const { fromMs, bytes, segments } = log.history;
  const ofLog = log.history.fromLsn;
  const ofMaps = checkpoints.find(({ lsn }) => lsn >= ofLog)?.lsn ?? checkpointLsn;
  const kept = laterLsn(laterLsn(ofLog, ofMaps), window.passedLsn);
  const fromLsn = window.isClosed ? log.newestLsn : kept;
  return { fromLsn, fromTime: new Date(fromMs), bytes, segments };
}

/** Undefined where every chunk is on this disk, and has to be. */
function residencyFacts(
  { parts, started, options }: StoreGround,
  { residency }: PageStore,
): Diagnostics["residency"] {
  if (parts.remote === undefined) return undefined;
  const { diskBytes } = options.limits;
  const lastHealed = parts.healed.last;
  return { ...residency.stats, diskBytes, lastHealed, startedFrom: started?.reads };
}

function ownerFacts({ owner }: Parts): Diagnostics["owner"] {
  const { lastStop, openCount, crashCount } = owner;
  return { lastStop, openCount, crashCount };
}

function manifestFacts({ manifest }: Parts): Diagnostics["manifest"] {
  const { waiting: _, ...facts } = manifest.stats;
  return facts;
}

function mirrorFacts({ mirror }: Parts, state: Diagnostics["state"]): Diagnostics["mirror"] {
  const { count, lagMax } = state === "closed" ? { count: 0, lagMax: 0 } : mirror.readers;
  return { ...mirror.stats, readers: count, readerLagMax: lagMax };
}

function changeLogFacts({ state, cursors }: ChangeLog): ChangeLogFacts {
  const { oldest, next, bytes, removedRecords, removedBytes, evictions } = state;
  const active = [...cursors.values()].filter((cursor) => cursor.state === "active");
  const lags = active.map(({ acknowledged }) => next - 1 - acknowledged);
  return {
    oldest,
    newest: next - 1,
    bytes,
    removedRecords,
    removedBytes,
    evictions,
    cursors: cursors.size,
    lagMax: Math.max(0, ...lags),
  };
}

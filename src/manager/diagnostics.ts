/** Plain facts about a store, for people and for metrics. */
import type { PageStore } from "../page-store/index.ts";
import type { Log } from "../write/index.ts";
import type { Diagnostics } from "./api.ts";
import type { Store } from "./store.ts";

export function diagnosticsOf(
  store: Store,
  { log, pages }: { readonly log: Log; readonly pages: PageStore },
): Diagnostics {
  const { stats } = pages;
  const { parts, catalogue, fleet, faults, lifecycle, options } = store;
  return {
    directory: options.directory,
    storeId: Buffer.from(parts.storeId).toString("hex"),
    state: lifecycle.state,
    openedAt: new Date(store.openedAtMs),
    recoveredFromCrash: parts.recoveredFromCrash,
    replayedCommits: parts.replayedCommits,
    databases: { known: catalogue.size, open: fleet.openCount },
    log: {
      newestLsn: log.newestLsn,
      durableLsn: log.durableLsn,
      checkpointLsn: stats.checkpointLsn,
      ...log.stats,
    },
    pages: {
      overlayBytes: stats.overlayBytes,
      cacheBytes: stats.cacheBytes,
      cacheHits: stats.cacheHits,
      cacheMisses: stats.cacheMisses,
      chunks: stats.chunks,
      chunkBytes: stats.chunkBytes,
      checkpoints: stats.checkpoints,
      openSnapshots: stats.openSnapshots,
    },
    lastFault: faults.last,
  };
}

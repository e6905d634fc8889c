/** HOW FAST a store goes: what counted on between two looks at it, per second. */
import type { Diagnostics } from "../../manager/index.ts";

/** Times in it may be text: it may come from a server. */
export type Facts = Pick<
  Diagnostics,
  | "directory"
  | "state"
  | "databases"
  | "log"
  | "pages"
  | "sink"
  | "residency"
  | "recordLogs"
  | "warnings"
>;

export interface Sample {
  /** Of any clock that goes on evenly. */
  readonly atMs: number;
  readonly facts: Facts;
}

export interface Pace {
  readonly commits: number;
  readonly flushes: number;
  /** Of one flush; 0 if there was none. */
  readonly commitsPerFlush: number;
  readonly logBytes: number;
  /** Pages asked for, and the share of them that was in memory; 1 if none was asked for. */
  readonly pageReads: number;
  readonly cacheHits: number;
  readonly checkpoints: number;
  readonly sinkRequests: number;
  readonly fetchedBytes: number;
  /** Statements that had to wait for pages. */
  readonly misses: number;
}

export function pace(before: Sample, now: Sample): Pace {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const gone = (of: (facts: Facts) => number) => Math.max(0, of(now.facts) - of(before.facts));
  const commits = gone(({ log }) => log.commits);
  const flushes = gone(({ log }) => log.flushes);
  const hits = gone(({ pages }) => pages.cacheHits);
  const reads = hits + gone(({ pages }) => pages.cacheMisses);
  return {
    commits: commits / seconds,
    flushes: flushes / seconds,
    commitsPerFlush: flushes === 0 ? 0 : commits / flushes,
    logBytes: gone(({ log }) => log.writtenBytes) / seconds,
    pageReads: reads / seconds,
    cacheHits: reads === 0 ? 1 : hits / reads,
    checkpoints: gone(({ pages }) => pages.checkpoints) / seconds,
    sinkRequests: gone(({ sink }) => requestsOf(sink)) / seconds,
    fetchedBytes: gone(({ residency }) => residency?.fetchedBytes ?? 0) / seconds,
    misses: gone(({ residency }) => residency?.misses ?? 0) / seconds,
  };
}

const requestsOf = (sink: Facts["sink"]): number =>
  Object.values(sink?.requests ?? {}).reduce((sum, count) => sum + count, 0);

/**
 * THE SCHEMA: all tables. What goes through every row (verification, rebuilding, statistics, the
 * journal) takes its tables from here.
 *
 * (1) SCHEMA_VERSION says which tables there are and what their payloads look like. It is written
 *     into the store; migrations.ts brings older ones up to it.
 */
import type { AnyTable } from "./rows/table.ts";
import { changes } from "./tables/changes.ts";
import { chunks } from "./tables/chunks.ts";
import { cursors } from "./tables/cursors.ts";
import { databases } from "./tables/databases.ts";
import { deadLetters } from "./tables/dead-letters.ts";
import { epochs } from "./tables/epochs.ts";
import { forks } from "./tables/forks.ts";
import { history } from "./tables/history.ts";
import { jobs } from "./tables/jobs.ts";
import { lostWindows } from "./tables/lost-windows.ts";
import { mapVersions } from "./tables/map-versions.ts";
import { names } from "./tables/names.ts";
import { pageMap } from "./tables/page-map.ts";
import { pendingBatches } from "./tables/pending-batches.ts";
import { pendingJobs } from "./tables/pending-jobs.ts";
import { recordLogs } from "./tables/record-logs.ts";
import { remoteChains } from "./tables/remote-chains.ts";
import { remoteChunks } from "./tables/remote-chunks.ts";
import { remoteGarbage } from "./tables/remote-garbage.ts";
import { scrubs } from "./tables/scrubs.ts";
import { segments } from "./tables/segments.ts";
import { shipping } from "./tables/shipping.ts";
import { snapshots } from "./tables/snapshots.ts";
import { watermarks } from "./tables/watermarks.ts";

export const SCHEMA_VERSION = 6;

export const TABLES: readonly AnyTable[] = [
  databases,
  forks,
  recordLogs,
  names,
  segments,
  history,
  chunks,
  pageMap,
  mapVersions,
  snapshots,
  jobs,
  pendingJobs,
  changes,
  cursors,
  pendingBatches,
  deadLetters,
  watermarks,
  shipping,
  epochs,
  remoteChunks,
  remoteGarbage,
  remoteChains,
  lostWindows,
  scrubs,
];

/** The table whose rows have keys that begin with that number. */
export function tableOf(number: number): AnyTable | undefined {
  return TABLES.find((table) => table.number === number);
}

/**
 * WHAT CALLERS HAND TO THE WRITER: a batch, which takes place wholly or not at all, and is in no
 * commit with half of it.
 *
 * (1) A batch is data: rows to put, keys to remove, marks to move. Rows must not change before its
 *     receipt is there.
 * (2) Operations are carried out in their order: of two on one row the later one counts.
 */
import { laterLsn, lsn } from "../../base/units.ts";
import type { ChangeLogRequest } from "../change-log/change-log-core.ts";
import { isPending } from "../job-state.ts";
import type { ManifestChange } from "../manifest-change.ts";
import { type Operation, put, remove, removeRange } from "../rows/table.ts";
import { chunks } from "../tables/chunks.ts";
import { databases } from "../tables/databases.ts";
import { deadLetters } from "../tables/dead-letters.ts";
import { epochs } from "../tables/epochs.ts";
import { history } from "../tables/history.ts";
import { jobs } from "../tables/jobs.ts";
import { lostWindows } from "../tables/lost-windows.ts";
import { mapVersions, mapVersionsOf } from "../tables/map-versions.ts";
import { mapOf, pageMap } from "../tables/page-map.ts";
import { pendingJobs } from "../tables/pending-jobs.ts";
import { recordLogs } from "../tables/record-logs.ts";
import { remoteChains } from "../tables/remote-chains.ts";
import { remoteChunks } from "../tables/remote-chunks.ts";
import { remoteGarbage } from "../tables/remote-garbage.ts";
import { scrubs } from "../tables/scrubs.ts";
import { segments } from "../tables/segments.ts";
import { shipping } from "../tables/shipping.ts";
import { snapshots, snapshotsOf } from "../tables/snapshots.ts";
import type { Marks } from "../tables/state.ts";

export interface Batch {
  /** Those that are given move. */
  readonly marks?: Partial<Marks>;
  /** Gone through once, a few at a time. */
  readonly operations?: Iterable<Operation>;
  /** Records, acknowledgements and cursors that go with it. */
  readonly changeLog?: ChangeLogRequest;
}

/** The batch is durable. */
export interface Receipt {
  /** Of the commit that it was in, together with others or alone. */
  readonly generation: number;
}

export function nextMarks(now: Marks, moved: Partial<Marks> = {}): Marks {
  const next = { ...now, ...moved };
  // A checkpoint folds only what is durable, and the catalogue with it: both follow its LSN.
  const durableLsn = lsn(Math.max(next.durableLsn, next.checkpointLsn));
  return { ...next, durableLsn, catalogueLsn: laterLsn(next.catalogueLsn, next.checkpointLsn) };
}

export function batchOf(change: ManifestChange): Batch {
  const { changeLog } = change;
  const operations = { [Symbol.iterator]: () => operationsOf(change) };
  return { marks: marksOf(change), operations, ...(changeLog && { changeLog }) };
}

/** Of such as are over: a pending one is cancelled first. */
export function removalOfJobs(ids: readonly number[]): Operation[] {
  return ids.map((id) => remove(jobs, id));
}

function marksOf(change: ManifestChange): Partial<Marks> {
  const { checkpointLsn, catalogueLsn, durableLsn, nextStreamId, nextChunkId, clean } = change;
  return {
    ...(checkpointLsn !== undefined && { checkpointLsn }),
    ...(catalogueLsn !== undefined && { catalogueLsn }),
    ...(durableLsn !== undefined && { durableLsn }),
    ...(nextStreamId !== undefined && { nextStreamId }),
    ...(nextChunkId !== undefined && { nextChunkId }),
    ...(clean !== undefined && { clean }),
  };
}

/** Removals first: what a change both removes and puts is there afterwards. */
function* operationsOf(change: ManifestChange): Generator<Operation> {
  for (const stream of change.removeDatabases ?? []) {
    yield remove(databases, stream);
    yield removeRange(pageMap, mapOf(stream));
    yield removeRange(mapVersions, mapVersionsOf(stream));
    yield removeRange(snapshots, snapshotsOf(stream));
  }
  for (const key of change.removeMapRows ?? []) yield remove(pageMap, key);
  for (const key of change.removeMapVersions ?? []) yield remove(mapVersions, key);
  for (const key of change.removeSnapshots ?? []) yield remove(snapshots, key);
  for (const stream of change.removeRecordLogs ?? []) yield remove(recordLogs, stream);
  for (const chunk of change.removeChunks ?? []) yield remove(chunks, chunk);
  for (const sequence of change.removeSegments ?? []) yield remove(segments, sequence);
  for (const sequence of change.removeHistory ?? []) yield remove(history, sequence);
  yield* remoteOperationsOf(change);
  yield* operationsOfCare(change);
  for (const row of change.putDatabases ?? []) yield put(databases, row);
  for (const row of change.putRecordLogs ?? []) yield put(recordLogs, row);
  for (const row of change.putChunks ?? []) yield put(chunks, row);
  for (const sequence of change.addSegments ?? []) yield put(segments, sequence);
  for (const row of change.putHistory ?? []) yield put(history, row);
  for (const row of change.putJobs ?? []) {
    yield put(jobs, row);
    yield isPending(row) ? put(pendingJobs, row) : remove(pendingJobs, row);
  }
  for (const row of change.putSnapshots ?? []) yield put(snapshots, row);
  for (const row of change.putMapVersions ?? []) yield put(mapVersions, row);
  for (const row of change.putMapRows ?? []) yield put(pageMap, row);
}

/** Of what went wrong, and of what was looked at again. */
function* operationsOfCare(change: ManifestChange): Generator<Operation> {
  for (const sequence of change.removeDeadLetters ?? []) yield remove(deadLetters, sequence);
  for (const epoch of change.removeLostWindows ?? []) yield remove(lostWindows, epoch);
  for (const key of change.removeScrubs ?? []) yield remove(scrubs, key);
  for (const row of change.putDeadLetters ?? []) yield put(deadLetters, row);
  for (const row of change.putLostWindows ?? []) yield put(lostWindows, row);
  for (const row of change.putScrubs ?? []) yield put(scrubs, row);
}

/** Of what is known of the bucket. */
function* remoteOperationsOf(change: ManifestChange): Generator<Operation> {
  for (const epoch of change.removeEpochs ?? []) yield remove(epochs, epoch);
  for (const chunk of change.removeRemoteChunks ?? []) yield remove(remoteChunks, chunk);
  for (const key of change.removeRemoteGarbage ?? []) yield remove(remoteGarbage, key);
  for (const key of change.removeRemoteChains ?? []) yield remove(remoteChains, key);
  for (const row of change.putEpochs ?? []) yield put(epochs, row);
  for (const row of change.putRemoteChunks ?? []) yield put(remoteChunks, row);
  for (const row of change.putRemoteGarbage ?? []) yield put(remoteGarbage, row);
  for (const row of change.putRemoteChains ?? []) yield put(remoteChains, row);
  if (change.putShipping !== undefined) yield put(shipping, change.putShipping);
}

/**
 * FROM FILES TO A LOG, in two steps, so that the caller can look at what it was given before
 * anything is changed: `recoverLog` only reads; `start` makes the log ready to take commits.
 *
 * (1) A log that was not closed is never appended to in place. Each start takes a fresh segment,
 *     and a batch that nothing proves durable is copied to it and synced before anything is served:
 *     the page cache may have shown what never reached the disk.
 *     So may the header be of the newest segment, which such a copy hangs on (walk.ts (6)). To sync
 *     it proves nothing, since a sync of it may have failed before, and to write it anew puts it at
 *     risk. So the batch is copied once more, and older segments go only when the fresh one is there.
 * (2) A crash in either step leaves a log that is recovered to the same commits.
 * (3) A full disk does not keep a store shut. What must be copied goes to the reserve (reserve.ts);
 *     where nothing must, nothing is needed: the log takes no commits then until there is room for
 *     a segment, and what it has is served. Where a start has used the reserve up, its header is
 *     written anew, as it was read, and synced: then the copy behind it needs no other one.
 */
import { dirname } from "node:path";
import type { Driver } from "../../base/driver.ts";
import type { Storage } from "../../base/env.ts";
import { ioError, isStorageError } from "../../base/errors.ts";
import {
  CATALOGUE_STREAM,
  type Lsn,
  type SegmentSequence,
  type StreamId,
  segmentSequence,
} from "../../base/units.ts";
import { wallMsOf } from "../../base/wall-ms.ts";
import {
  BATCH_HEADER,
  batchBytes,
  type CommitPosition,
  CommitTrail,
  encodeSegmentHeader,
  LogCore,
  type ReplayedCommit,
  RunCursor,
  STORE_ID_BYTES,
  stampBatch,
} from "../../wal/index.ts";
import { LogController } from "../controller.ts";
import { hungError, OperationWatch } from "../device/operation-watch.ts";
import { watchedStorage } from "../device/watched-storage.ts";
import { removeCopies } from "../history/history-files.ts";
import type { HistorySegment } from "../history/history-segments.ts";
import type { StoredLog } from "../log.ts";
import { type LogLimits, resolveLogLimits } from "../options.ts";
import { SegmentStore } from "../segments/segment-store.ts";
import { Backlog } from "./backlog.ts";
import type { CheckOptions } from "./check-options.ts";
import { SegmentMending } from "./mending.ts";
import { type Survey, survey } from "./survey.ts";
import { endOf, type UsedSegment } from "./used-segment.ts";
import { type UnprovenBatch, type Walked, walk } from "./walk.ts";

export interface RecoverOptions extends CheckOptions {
  /** How segments are written. */
  readonly driver: Driver;
  /** Resolves when the manifest durably names the sequence. */
  readonly register: (sequence: SegmentSequence) => Promise<void>;
  /** Resolves when the manifest durably names them no longer, and those kept as history only. */
  readonly unregister: (
    sequences: readonly SegmentSequence[],
    kept: readonly HistorySegment[],
  ) => Promise<void>;
  /** Up to where history is needed by nobody. Default: the checkpoint, so that there is none. */
  readonly horizonLsn?: Lsn;
  readonly limits?: Partial<LogLimits>;
  /**
   * In a store with a sink: up to where the sink is known to have the log. Nothing above it is let
   * go until `archived` has passed it. Default: there is no sink.
   */
  readonly archivedLsn?: Lsn;
  /** Likewise: log up to here does not wait for the sink. Default: `archivedLsn`. */
  readonly shippedLsn?: Lsn;
  /**
   * Whether the commits of a stream may wait in the backlog until somebody wants them. Asked once
   * the catalogue's commits have been handed out. Default: none may.
   */
  readonly mayWait?: (stream: StreamId) => boolean;
}

export interface RecoveredLog {
  /** End of the log: the commits that were handed out lie at or below it. */
  readonly endLsn: Lsn;
  /** How many lie above the checkpoint, handed out or waiting. */
  readonly commits: number;
  /** What waits. Close it before the log is closed. */
  readonly backlog: Backlog;
  /**
   * Once. Rejects with BOP_IO, and with BOP_DISK_FULL where there is not even a reserve; what was
   * recovered is still there then.
   */
  start(): Promise<StoredLog>;
}

/** Rejects with BOP_CORRUPT, BOP_FORMAT or BOP_IO, or what `onCommit` throws. */
export async function recoverLog(
  options: RecoverOptions,
  onCommit: (commit: ReplayedCommit) => void,
): Promise<RecoveredLog> {
  const limits = resolveLogLimits(options.limits);
  if (options.storeId.length !== STORE_ID_BYTES) {
    throw new RangeError(
      `log: storeId has ${options.storeId.length} bytes; want ${STORE_ID_BYTES}`,
    );
  }
  await ensureDirectory(options);
  const found = await survey(options);
  const walked = await walk(options, found);
  const { env, checkpointLsn } = options;
  const log = { storage: env.storage, segments: walked.segments, unproven: walked.unproven };
  const backlog = new Backlog({ log, clock: env.clock, checkpointLsn, onCommit });
  await handOut(backlog, options);
  return {
    endLsn: walked.endLsn,
    commits: backlog.commits,
    backlog,
    start: () => start({ options, limits, found, walked }),
  };
}

/** What may not wait. Where nothing may, it is handed out in order of LSN over all streams. */
async function handOut(backlog: Backlog, { mayWait }: RecoverOptions): Promise<void> {
  if (mayWait !== undefined) await backlog.together([CATALOGUE_STREAM]);
  const streams = [...backlog.waiting.keys()];
  await backlog.together(streams.filter((stream) => mayWait?.(stream) !== true));
}

interface Recovered {
  readonly options: RecoverOptions;
  readonly limits: LogLimits;
  readonly found: Survey;
  readonly walked: Walked;
}

async function start({ options, limits, found, walked }: Recovered): Promise<StoredLog> {
  const { env, driver, directory, storeId, register, unregister, checkpointLsn } = options;
  const { horizonLsn, archivedLsn, shippedLsn = archivedLsn, history = [] } = options;
  const { endLsn, unproven } = walked;
  const wallMs = Math.max(walked.wallMs, wallMsOf(env.clock));
  await removeUnusable({ options, found, walked });
  const sealed = found.used.map(({ sequence, header }, i) => {
    const endLsn = endOf(found.used, i) as Lsn | undefined;
    const { firstLsn, createdMs } = header;
    return { sequence, firstLsn: firstLsn as Lsn, endLsn, createdMs };
  });
  const spares = found.spares.map(({ sequence }) => sequence);
  const trail = new CommitTrail();
  if (unproven !== undefined) noteCopied(trail, { walked, unproven });
  let log: LogController | undefined;
  const watch = new OperationWatch({
    clock: env.clock,
    timeoutMs: limits.writeTimeoutMs,
    onHung: (hung) => log?.reportFault({ where: "log", error: hungError(hung) }),
  });
  const watched = { ...env, storage: watchedStorage(env.storage, watch) };
  const segments = new SegmentStore(
    {
      ...{ env: watched, driver, watch, directory, storeId, limits },
      ...{ register, unregister, trail, archivedLsn, shippedLsn },
    },
    {
      sealed,
      history,
      spares: spares.filter((it) => !walked.dirty.has(it)),
      reserved: found.reserved,
    },
  );
  try {
    const release = () => unlessFull(segments.held.release(checkpointLsn, horizonLsn));
    if (walked.isAnchored) await release();
    const newest = found.used.at(-1);
    const takingOver = { walked, newest, storage: env.storage, storeId, createdMs: wallMs };
    const isAnchored = await takeOver(segments, takingOver);
    if (isAnchored && !walked.isAnchored) await release();
  } catch (error) {
    await segments.close();
    watch.stop();
    throw error;
  }
  const { bufferBytes } = limits;
  const core = new LogCore({ storeId, lsn: endLsn, bufferBytes, memory: driver, wallMs, trail });
  const mending = new SegmentMending(options);
  log = new LogController({ env, storeId, limits, core, segments, watch, mending });
  if (segments.active === undefined) segments.prepareSoon();
  else {
    segments.keepReserveSoon();
    if (unproven !== undefined) log.proveWhenIdle();
  }
  return log;
}

interface TakingOver {
  readonly walked: Walked;
  /** Undefined in a new log. */
  readonly newest: UsedSegment | undefined;
  readonly storage: Storage;
  readonly storeId: Uint8Array;
  readonly createdMs: number;
}

/** See (1) and (3). Resolves whether the newest segment is there after a power cut. */
async function takeOver(segments: SegmentStore, by: TakingOver): Promise<boolean> {
  const { walked, newest, storage, storeId, createdMs } = by;
  const { endLsn, unproven } = walked;
  const from = { firstLsn: unproven?.startLsn ?? endLsn, durableLsn: endLsn, createdMs };
  const copied = unproven && copyFor(unproven, storeId);
  try {
    await segments.take(copied === undefined ? from : { ...from, copied });
    return true;
  } catch (error) {
    if (newest === undefined || !isStorageError(error, "BOP_DISK_FULL")) throw error;
    if (copied !== undefined && (await segments.takeReserve({ ...from, copied }))) return true;
    const isAnchored = walked.isAnchored || (await isWrittenAnew(newest, storage));
    const needsNoCopy = unproven === undefined || (unproven.hangsOnHeader && isAnchored);
    if (!needsNoCopy) throw error;
    return isAnchored;
  }
}

/** The header of a segment, and durable. */
async function isWrittenAnew({ path, header }: UsedSegment, storage: Storage): Promise<boolean> {
  try {
    const file = await storage.open(path, "write");
    try {
      await file.write(encodeSegmentHeader(header), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch {
    return false; // Older segments stay, and what is to be copied is refused.
  }
}

/** What the manifest has no room for is done by a later release, or a later start. */
async function unlessFull(change: Promise<void>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    if (isStorageError(error, "BOP_DISK_FULL")) return false;
    throw error;
  }
}

/** See (1). */
function copyFor({ startLsn, wallMs, payload }: UnprovenBatch, storeId: Uint8Array) {
  return (sequence: number): Uint8Array => {
    const bytes = new Uint8Array(batchBytes(payload.length));
    bytes.set(payload, BATCH_HEADER.sizeBytes);
    const batch = { startLsn, durableLsn: startLsn, wallMs, payloadBytes: payload.length };
    stampBatch(bytes, { ...batch, storeId, sequence, copied: true });
    return bytes;
  };
}

/** The commits of a batch that the fresh segment takes over are in its index, too. */
function noteCopied(
  trail: CommitTrail,
  { walked, unproven }: { readonly walked: Walked; readonly unproven: UnprovenBatch },
): void {
  const copied = (walked.segments.at(-1)?.index.runs ?? []).flatMap((run) => {
    const found: CommitPosition[] = [];
    const { stream, pageCount, pageBytes } = run;
    const cursor = new RunCursor(run);
    while (run.lastLsn > unproven.startLsn && cursor.next()) {
      if (cursor.lsn <= unproven.startLsn) continue;
      const { firstLsn, lsn } = cursor;
      found.push({ stream, firstLsn, lsn, pageCount, pageBytes });
    }
    return found;
  });
  copied.sort((a, b) => a.lsn - b.lsn);
  for (const position of copied) trail.note(position);
}

/** Files that nobody needs, and spares that were written to under their sequence. */
async function removeUnusable({ options, found, walked }: Omit<Recovered, "limits">) {
  const { env, unregister } = options;
  const dirty = found.spares.filter(({ sequence }) => walked.dirty.has(sequence));
  const sequences = dirty.map(({ sequence }) => segmentSequence(sequence));
  const struck = dirty.length > 0 && (await unlessFull(unregister(sequences, [])));
  await removeCopies(env.storage, found.copies);
  for (const path of [...found.orphans, ...(struck ? dirty.map(({ path }) => path) : [])]) {
    await env.storage.unlink(path).catch((cause) => {
      throw ioError("removing", path, cause);
    });
  }
}

/** Its entry is synced each time: the one who made it may have died before that. */
async function ensureDirectory({ env, directory }: RecoverOptions): Promise<void> {
  try {
    await env.storage.mkdir(directory);
    await env.storage.syncDirectory(dirname(directory));
  } catch (cause) {
    throw ioError("creating", directory, cause);
  }
}

/**
 * FROM FILES TO A LOG, in two steps, so that the caller can look at what it was given before
 * anything is changed: `recoverLog` only reads; `start` makes the log ready to take commits.
 *
 * (1) A log that was not closed is never appended to in place. Each start takes a fresh segment,
 *     and a batch that nothing proves durable is copied to it and synced before anything is served:
 *     the page cache may have shown what never reached the disk.
 * (2) A crash in either step leaves a log that is recovered to the same commits.
 */
import { dirname } from "node:path";
import type { Env } from "../base/env.ts";
import { ioError } from "../base/errors.ts";
import { type Lsn, type SegmentSequence, segmentSequence } from "../base/units.ts";
import {
  BATCH_HEADER,
  batchBytes,
  CommitAssembler,
  LogCore,
  type ReplayedCommit,
  STORE_ID_BYTES,
  stampBatch,
} from "../wal/index.ts";
import { LogController } from "./controller.ts";
import type { Log } from "./log.ts";
import { type LogLimits, resolveLogLimits } from "./options.ts";
import { SegmentStore } from "./segment-store.ts";
import { type Survey, survey } from "./survey.ts";
import { type UnprovenBatch, type Walked, walk } from "./walk.ts";

export interface RecoverOptions {
  readonly env: Env;
  /** Where the segments lie; created if absent. */
  readonly directory: string;
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  /** What the manifest names; empty in a new store. */
  readonly registered: readonly SegmentSequence[];
  /** Resolves when the manifest durably names the sequence. */
  readonly register: (sequence: SegmentSequence) => Promise<void>;
  /** Resolves when the manifest durably no longer names them. */
  readonly unregister: (sequences: readonly SegmentSequence[]) => Promise<void>;
  /** Commits at or below it are not handed out. 0 in a new store. */
  readonly checkpointLsn: Lsn;
  /** Highest LSN that manifest or superblock know to be durable. */
  readonly durableFloorLsn: Lsn;
  readonly limits?: Partial<LogLimits>;
}

export interface RecoveredLog {
  /** End of the log: the commits that were handed out lie at or below it. */
  readonly endLsn: Lsn;
  /** How many were handed out. */
  readonly commits: number;
  /** Once. Rejects with BOP_IO or BOP_DISK_FULL; what was recovered is still there then. */
  start(): Promise<Log>;
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
  const assembler = new CommitAssembler(options.checkpointLsn, onCommit);
  const walked = await walk({ options, found }, assembler);
  return {
    endLsn: walked.endLsn,
    commits: walked.commits,
    start: () => start({ options, limits, found, walked }),
  };
}

interface Recovered {
  readonly options: RecoverOptions;
  readonly limits: LogLimits;
  readonly found: Survey;
  readonly walked: Walked;
}

async function start({ options, limits, found, walked }: Recovered): Promise<Log> {
  const { env, directory, storeId, register, unregister, checkpointLsn } = options;
  const { endLsn, unproven, wallMs } = walked;
  await removeUnusable({ options, found, walked });
  const sealed = found.used.map(({ sequence }, i) => {
    return { sequence, endLsn: found.used[i + 1]?.header.firstLsn as Lsn | undefined };
  });
  const spares = found.spares.map(({ sequence }) => sequence);
  const segments = new SegmentStore(
    { env, directory, storeId, limits, register, unregister },
    { sealed, spares: spares.filter((it) => !walked.dirty.has(it)), reserved: found.reserved },
  );
  try {
    await segments.release(checkpointLsn);
    const firstLsn = unproven?.startLsn ?? endLsn;
    const copy = unproven && copyFor(unproven, storeId);
    await segments.take({ firstLsn, durableLsn: endLsn, ...(copy && { copied: copy }) });
  } catch (error) {
    await segments.close();
    throw error;
  }
  const core = new LogCore({ storeId, lsn: endLsn, bufferBytes: limits.bufferBytes, wallMs });
  const log = new LogController({ env, limits, core, segments });
  if (unproven !== undefined) log.proveWhenIdle();
  return log;
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

/** Files that nobody needs, and spares that were written to under their sequence. */
async function removeUnusable({ options, found, walked }: Omit<Recovered, "limits">) {
  const { env, unregister } = options;
  const dirty = found.spares.filter(({ sequence }) => walked.dirty.has(sequence));
  if (dirty.length > 0) {
    await unregister(dirty.map(({ sequence }) => segmentSequence(sequence)));
  }
  for (const path of [...found.orphans, ...dirty.map(({ path }) => path)]) {
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

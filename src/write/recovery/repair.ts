/**
 * REPAIR of a log that recovery refuses: what would be lost is told first; only then, and only if
 * somebody says so, it is cut off.
 *
 *   …  batch  batch  ✗ damage  batch  batch │ later segments …
 *                   └ cut         └────────── lost, readable or not
 *
 * (1) What is kept is exactly what lies before the first damage: a commit behind it may depend on
 *     one that is gone.
 * (2) No LSN is issued twice: the log goes on behind everything that was ever in it. The header of
 *     the segment that was cut says where it ends now.
 * (3) Whole files are copied aside before anything is changed. A crash at any point leaves a log
 *     that is refused as before, or one that is repaired.
 */
import { dirname } from "node:path";
import { ioError, isStorageError } from "../../base/errors.ts";
import { MIB, roundUp, segmentSequence } from "../../base/units.ts";
import { wallMsOf } from "../../base/wall-ms.ts";
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  CommitScan,
  encodeSegmentHeader,
  readPayload,
  segmentFileName,
} from "../../wal/index.ts";
import { SegmentReader } from "../segments/segment-reader.ts";
import type { CheckOptions } from "./check-options.ts";
import type { RecoverOptions } from "./recover.ts";
import { segmentsLeft } from "./remains.ts";
import { survey } from "./survey.ts";
import { type UsedSegment, validEnd } from "./used-segment.ts";
import { walk } from "./walk.ts";

export type RepairOptions = CheckOptions & Pick<RecoverOptions, "register" | "unregister">;

export interface RepairPlan {
  /** What recovery refuses. */
  readonly damage: { readonly file: string; readonly offset: number; readonly why: string };
  /** Everything up to here is kept, or up to the checkpoint if that is higher. */
  readonly keptLsn: number;
  /** Everything from there to here is lost. */
  readonly lostToLsn: number;
  /** Commits in what is lost that can still be read, by stream; there may have been more. */
  readonly lost: readonly { readonly stream: number; readonly commits: number }[];
  /** Files that are copied aside, and then cut or removed. */
  readonly files: readonly string[];
  readonly cut: UsedSegment | undefined;
  readonly later: readonly UsedSegment[];
  /** Where the log goes on. */
  readonly resumeLsn: number;
  /** Sequences of segments that stay as they are. */
  readonly kept: readonly number[];
  readonly cutSequence: number;
  readonly freshSequence: number;
}

/** What recovery could not know of is skipped as well. */
const MARGIN_BYTES = 64 * MIB;

/** Undefined if there is nothing to repair. Changes nothing. Rejects with BOP_IO and BOP_FORMAT. */
export async function planRepair(options: RepairOptions): Promise<RepairPlan | undefined> {
  const damage = await damageOf(options);
  if (damage === undefined) return undefined;
  const { checkpointLsn, durableFloorLsn, env } = options;
  const remains = await segmentsLeft(options);
  const { used, reserved } = remains;
  const first = used.findLastIndex(({ header }) => header.firstLsn <= checkpointLsn);
  const lost = new Map<number, number>();
  let cut: UsedSegment | undefined;
  let keptLsn: number = checkpointLsn;
  let lostToLsn: number = durableFloorLsn;
  let later = used;
  for (let i = Math.max(0, first); first >= 0 && i < used.length; i++) {
    const segment = used[i] as UsedSegment;
    // Behind where the next one begins lies what nothing went on with.
    const upToLsn = used[i + 1]?.header.firstLsn;
    const endLsn = await validEnd(segment, { ...options, upToLsn });
    cut = segment;
    keptLsn = endLsn;
    later = used.slice(i + 1);
    if (used[i + 1]?.header.firstLsn !== endLsn) break;
  }
  for (const segment of cut === undefined ? later : [cut, ...later]) {
    const seen = await readLost({ segment, options, keptLsn }, lost);
    lostToLsn = Math.max(lostToLsn, seen);
  }
  const resumeLsn = roundUp(Math.max(lostToLsn, checkpointLsn) + MARGIN_BYTES, BLOCK_BYTES);
  const streams = [...lost].sort(([a], [b]) => a - b);
  const holes = await existing(env.storage, remains.holes);
  return {
    damage,
    keptLsn,
    lostToLsn: Math.max(keptLsn, lostToLsn),
    lost: streams.map(([stream, commits]) => ({ stream, commits })),
    files: [...(cut === undefined ? [] : [cut.path]), ...later.map(({ path }) => path), ...holes],
    cut,
    later,
    resumeLsn,
    kept: used.slice(0, cut === undefined ? 0 : used.indexOf(cut)).map(({ sequence }) => sequence),
    cutSequence: cut?.sequence ?? reserved,
    freshSequence: cut === undefined ? reserved + 1 : reserved,
  };
}

/** Does what the plan says; returns the folder that the damaged files were copied to. */
export async function applyRepair(plan: RepairPlan, options: RepairOptions): Promise<string> {
  const { env, directory, register, unregister, registered } = options;
  const { storage } = env;
  try {
    const aside = await copyAside(plan, options);
    const { cut, cutSequence, freshSequence, kept } = plan;
    for (const sequence of [cutSequence, freshSequence, freshSequence + 1]) {
      if (!registered.includes(segmentSequence(sequence)))
        await register(segmentSequence(sequence));
    }
    await writeFresh(plan, options);
    const keeps = new Set<number>([...kept, cutSequence, freshSequence]);
    await unregister(
      registered.filter((it) => !keeps.has(it) && it !== freshSequence + 1),
      [],
    );
    for (const path of plan.files) if (path !== cut?.path) await storage.unlink(path);
    await storage.syncDirectory(directory);
    await writeCut(plan, options);
    return aside;
  } catch (cause) {
    throw isStorageError(cause, "BOP_IO") ? cause : ioError("repairing", directory, cause);
  }
}

async function damageOf(options: RepairOptions): Promise<RepairPlan["damage"] | undefined> {
  try {
    await walk(options, await survey(options));
    return undefined;
  } catch (error) {
    if (!isStorageError(error, "BOP_CORRUPT")) throw error;
    const { file, offset, why } = error.details;
    return { file, offset, why };
  }
}

interface Losing {
  readonly segment: UsedSegment;
  readonly options: RepairOptions;
  readonly keptLsn: number;
}

/** Counts the commits that can still be read behind the cut; returns where the last batch ends. */
async function readLost(losing: Losing, lost: Map<number, number>): Promise<number> {
  const { segment, options, keptLsn } = losing;
  const { path, sequence, header } = segment;
  const { storage } = options.env;
  const reader = await SegmentReader.open(storage, { path, sequence, storeId: options.storeId });
  const lsnAt = (offset: number) => header.firstLsn + offset - BLOCK_BYTES;
  let seen = header.firstLsn;
  try {
    for (let at = BLOCK_BYTES; at < reader.sizeBytes; at += BLOCK_BYTES) {
      const batch = await reader.headerAt(at);
      if (batch === undefined || batch.startLsn !== lsnAt(at)) continue;
      seen = lsnAt(at) + batchBytes(batch.payloadBytes);
      const bytes = await reader.bytesAt(at, BATCH_HEADER.sizeBytes + batch.payloadBytes);
      const payload = readPayload(bytes, batch);
      if (payload === undefined || batch.startLsn < keptLsn) continue;
      countCommits({ startLsn: batch.startLsn, payload, file: path }, lost);
    }
    return seen;
  } finally {
    await reader.close();
  }
}

function countCommits(
  batch: { readonly startLsn: number; readonly payload: Uint8Array; readonly file: string },
  lost: Map<number, number>,
): void {
  const { startLsn, payload, file } = batch;
  const scan = new CommitScan({ startLsn, payload, place: { file, offset: 0 } });
  try {
    for (let next = scan.next(); next !== undefined; next = scan.next()) {
      lost.set(next.stream, (lost.get(next.stream) ?? 0) + 1);
    }
  } catch (error) {
    if (!isStorageError(error, "BOP_CORRUPT")) throw error; // What does not parse is lost unseen.
  }
}

async function copyAside(plan: RepairPlan, options: RepairOptions): Promise<string> {
  const { env, directory } = options;
  const { storage } = env;
  const aside = `${dirname(directory)}/damaged-${Math.floor(env.clock.wallMs())}`;
  await storage.mkdir(aside);
  for (const path of plan.files) {
    const from = await storage.open(path, "read");
    const bytes = new Uint8Array(await from.size());
    for (let done = 0; done < bytes.length; ) {
      const read = await from.read(bytes.subarray(done), done).catch(() => 0);
      if (read === 0) break; // What cannot be read any more is zeros in the copy.
      done += read;
    }
    await from.close();
    await writeFile(options, { path: `${aside}${path.slice(directory.length)}`, bytes });
  }
  await storage.syncDirectory(aside);
  await storage.syncDirectory(dirname(directory));
  return aside;
}

/** An empty segment where the log goes on. See (2). */
async function writeFresh(plan: RepairPlan, options: RepairOptions): Promise<void> {
  const { env, directory, storeId } = options;
  const { freshSequence: sequence, resumeLsn } = plan;
  const createdMs = wallMsOf(env.clock);
  const header = { storeId, sequence, firstLsn: resumeLsn, durableLsn: resumeLsn, createdMs };
  const path = `${directory}/${segmentFileName(sequence)}`;
  await env.storage.unlink(path).catch(() => undefined); // Reserved, and never used.
  await writeFile(options, { path, bytes: encodeSegmentHeader(header) });
  await env.storage.syncDirectory(directory);
}

/** The segment with the damage, up to it; one without batches where none can be read. */
async function writeCut(plan: RepairPlan, options: RepairOptions): Promise<void> {
  const { env, directory, storeId, checkpointLsn } = options;
  const { storage } = env;
  const { cut, keptLsn } = plan;
  const sequence = plan.cutSequence;
  const firstLsn = cut?.header.firstLsn ?? checkpointLsn;
  const end = BLOCK_BYTES + Math.max(0, keptLsn - firstLsn);
  const bytes = new Uint8Array(end);
  if (cut !== undefined) {
    const reader = await SegmentReader.open(storage, { path: cut.path, sequence, storeId });
    bytes.set(await reader.bytesAt(0, end));
    await reader.close();
  }
  const before = cut?.header ?? { storeId, sequence, firstLsn, durableLsn: firstLsn, createdMs: 0 };
  bytes.set(encodeSegmentHeader({ ...before, cutLsn: firstLsn + end - BLOCK_BYTES }));
  const path = `${directory}/${segmentFileName(sequence)}`;
  await storage.unlink(`${path}.copy`).catch(() => undefined); // Of a crash.
  await writeFile(options, { path: `${path}.copy`, bytes });
  await storage.rename(`${path}.copy`, path);
  await storage.syncDirectory(directory);
}

async function writeFile(
  { env }: RepairOptions,
  { path, bytes }: { readonly path: string; readonly bytes: Uint8Array },
): Promise<void> {
  const file = await env.storage.open(path, "create");
  await file.write(bytes, 0);
  await file.sync();
  await file.close();
}

async function existing(
  storage: RepairOptions["env"]["storage"],
  paths: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) if ((await storage.stat(path)) !== undefined) found.push(path);
  return found;
}

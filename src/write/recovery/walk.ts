/**
 * THE LOG READ FROM THE CHECKPOINT TO ITS END, and the judgement on that end. Every batch is
 * checked; what is in it is only located (batch-table.ts, wal/segment-index.ts), not decoded.
 *
 * (1) A segment ends where the next one begins; the log ends at the first batch of the newest
 *     segment that is not valid.
 * (2) That end is a torn tail if nothing says otherwise. It is damage, BOP_CORRUPT, if it lies
 *     below an LSN that is recorded as durable, or if a batch that lies behind it is valid, in this
 *     segment or in a later one whose header is not.
 * (3) A batch was issued when the one before it was durable. So a valid header, even of a batch
 *     that was torn, proves what lies below it; the newest batch alone may not be durable yet,
 *     though it is read well: the page cache may be all that has it.
 *     If that one has no frames it is cut off: it has proven the one before, and holds nothing.
 * (4) A spare in which anything was written is not used under its sequence again.
 * (5) A damaged segment that is not the newest is taken from the archive, if there is one that has
 *     it, and read again.
 * (6) A header is known to be durable when a batch behind it is that is no copy. Until then it may
 *     be in the page cache only, left by a process that was killed before it had synced it, or whose
 *     sync had failed: then no later sync makes it durable.
 */
import { isStorageError } from "../../base/errors.ts";
import { type Lsn, lsn, MIB } from "../../base/units.ts";
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  CommitScan,
  corrupt,
  decodeSegmentIndex,
  type SegmentIndex,
  SegmentIndexBuilder,
  segmentIndexBytes,
} from "../../wal/index.ts";
import { ReadMemory, SegmentReader } from "../segments/segment-reader.ts";
import { heal } from "./archive.ts";
import { BatchTable } from "./batch-table.ts";
import type { CheckOptions } from "./check-options.ts";
import type { Survey } from "./survey.ts";
import { endOf, type UsedSegment } from "./used-segment.ts";

/** The newest batch, which may not be durable. */
export interface UnprovenBatch {
  readonly startLsn: Lsn;
  readonly wallMs: number;
  readonly payload: Uint8Array;
  /** It is a copy, and durable; but the header that makes it count may not be: see (6). */
  readonly hangsOnHeader: boolean;
}

/** A segment of which every batch was checked. */
export interface CheckedSegment {
  readonly path: string;
  readonly sequence: number;
  readonly firstLsn: number;
  readonly endLsn: number;
  readonly table: BatchTable;
  /** As it lies in the file, or as its batches say. */
  readonly index: SegmentIndex;
}

export interface Walked {
  readonly endLsn: Lsn;
  /** Newest time in the log. */
  readonly wallMs: number;
  /** In order, from the one that the checkpoint lies in. */
  readonly segments: readonly CheckedSegment[];
  readonly unproven: UnprovenBatch | undefined;
  /** The header of the newest segment is durable, or there is none: see (6). */
  readonly isAnchored: boolean;
  /** Spares that cannot be used under their sequence. */
  readonly dirty: ReadonlySet<number>;
}

/** Log that is checked between two calls of `onProgress`. */
const PROGRESS_BYTES = 4 * MIB;

interface Walk {
  readonly options: CheckOptions;
  readonly found: Survey;
  readonly memory: ReadMemory;
  readonly totalBytes: number;
  doneBytes: number;
  toldBytes: number;
  /** Highest LSN that anything read so far says is durable. */
  durableLsn: number;
  wallMs: number;
}

interface Position {
  readonly path: string;
  readonly table: BatchTable;
  /** Undefined where the segment has an index. */
  readonly builder: SegmentIndexBuilder | undefined;
  offset: number;
  lsn: number;
  durableLsn: number;
  wallMs: number;
  last: LastBatch | undefined;
  /** See (6). */
  isAnchored: boolean;
}

interface LastBatch {
  readonly offset: number;
  readonly startLsn: number;
  readonly wallMs: number;
  readonly copied: boolean;
}

interface End {
  readonly unproven: UnprovenBatch | undefined;
}

export async function walk(options: CheckOptions, found: Survey): Promise<Walked> {
  const { checkpointLsn, durableFloorLsn } = options;
  const { used } = found;
  const first = used.findLastIndex(({ header }) => header.firstLsn <= checkpointLsn);
  const on: Walk = {
    options,
    found,
    memory: new ReadMemory(),
    totalBytes: await logBytes(options, used.slice(Math.max(0, first))),
    doneBytes: 0,
    toldBytes: 0,
    durableLsn: Math.max(checkpointLsn, durableFloorLsn),
    wallMs: 0,
  };
  if (used.length === 0 && on.durableLsn > 0) {
    throw corrupt({ file: options.directory, offset: 0 }, "there is no segment of the log");
  }
  const segments: CheckedSegment[] = [];
  let unproven: UnprovenBatch | undefined;
  let isAnchored = true;
  for (const [i, segment] of used.entries()) {
    if (first < 0) {
      throw corrupt({ file: segment.path, offset: 0 }, "the log before this segment is missing");
    }
    if (i < first) continue;
    const endLsn = endOf(used, i);
    const checked = await checkOrHeal(on, segment, endLsn);
    segments.push(checked.segment);
    ({ unproven, isAnchored } = checked);
  }
  if (on.doneBytes > 0) tell(on);
  const endLsn = segments.at(-1)?.endLsn ?? 0;
  const dirty = await judgeSpares({ options, found }, endLsn);
  return { endLsn: lsn(endLsn), wallMs: on.wallMs, segments, unproven, isAnchored, dirty };
}

/** See (5). */
async function checkOrHeal(on: Walk, segment: UsedSegment, endLsn: number | undefined) {
  const before = on.doneBytes;
  try {
    return await check(on, segment, endLsn);
  } catch (error) {
    if (endLsn === undefined || !isStorageError(error, "BOP_CORRUPT")) throw error;
    const { firstLsn } = segment.header;
    if (!(await heal(on.options, { ...segment, firstLsn, endLsn }))) throw error;
    on.doneBytes = before;
    return await check(on, segment, endLsn);
  }
}

/** `endLsn` is where the next segment begins; undefined for the newest. */
async function check(on: Walk, segment: UsedSegment, endLsn: number | undefined) {
  const { options, memory } = on;
  const { path, sequence, header } = segment;
  const { firstLsn } = header;
  const reader = await SegmentReader.open(options.env.storage, identity(segment, options), memory);
  try {
    const kept = endLsn === undefined ? undefined : await readIndex(reader, { firstLsn, endLsn });
    const builder = kept === undefined ? new SegmentIndexBuilder(firstLsn) : undefined;
    const at: Position = {
      path,
      table: new BatchTable(firstLsn),
      builder,
      offset: BLOCK_BYTES,
      lsn: firstLsn,
      durableLsn: Math.max(on.durableLsn, header.durableLsn),
      wallMs: Math.max(on.wallMs, header.createdMs),
      last: undefined,
      isAnchored: false,
    };
    await readBatches(reader, { at, on, boundLsn: endLsn ?? Number.POSITIVE_INFINITY });
    let end: End = { unproven: undefined };
    if (endLsn === undefined) end = await judgeEnd(reader, at);
    else if (at.lsn !== endLsn) throw damaged(at);
    on.durableLsn = at.durableLsn;
    on.wallMs = at.wallMs;
    const index = kept ?? (builder as SegmentIndexBuilder).index();
    const { table, isAnchored } = at;
    const checked = { path, sequence, firstLsn, endLsn: at.lsn, table, index };
    return { ...end, isAnchored, segment: checked };
  } finally {
    await reader.close();
  }
}

/** Where the segment's end is known, the index is behind it, if there is one. */
async function readIndex(
  reader: SegmentReader,
  { firstLsn, endLsn }: { readonly firstLsn: number; readonly endLsn: number },
): Promise<SegmentIndex | undefined> {
  const { storeId, sequence } = reader.identity;
  const segment = { storeId, sequence, endLsn };
  const offset = BLOCK_BYTES + endLsn - firstLsn;
  const bytes = segmentIndexBytes(await reader.bytesAt(offset, BLOCK_BYTES), segment);
  if (bytes === undefined || bytes > reader.sizeBytes - offset) return undefined;
  return decodeSegmentIndex(await reader.bytesAt(offset, bytes), segment);
}

interface Reading {
  readonly at: Position;
  readonly on: Walk;
  readonly boundLsn: number;
}

async function readBatches(reader: SegmentReader, { at, on, boundLsn }: Reading): Promise<void> {
  while (at.lsn < boundLsn) {
    const found = reader.headerAt(at.offset);
    const header = found instanceof Promise ? await found : found;
    if (header === undefined || header.startLsn !== at.lsn) return;
    at.durableLsn = Math.max(at.durableLsn, header.startLsn, header.durableLsn);
    at.isAnchored ||= !header.copied;
    const read = reader.payloadAt(at.offset, header);
    const payload = read instanceof Promise ? await read : read;
    if (payload === undefined || !at.table.add(at.offset, header, payload)) return;
    if (at.builder !== undefined) locate(at.builder, { at, payload });
    const { wallMs, copied } = header;
    at.last = { offset: at.offset, startLsn: at.lsn, wallMs, copied };
    at.wallMs = Math.max(at.wallMs, header.wallMs);
    at.offset += batchBytes(header.payloadBytes);
    at.lsn += batchBytes(header.payloadBytes);
    on.doneBytes += batchBytes(header.payloadBytes);
    if (on.doneBytes - on.toldBytes >= PROGRESS_BYTES) tell(on);
  }
}

function tell(on: Walk): void {
  const { doneBytes, totalBytes, options } = on;
  on.toldBytes = doneBytes;
  options.onProgress?.({ doneBytes, totalBytes: Math.max(totalBytes, doneBytes) });
}

function locate(
  builder: SegmentIndexBuilder,
  { at, payload }: { readonly at: Position; readonly payload: Uint8Array },
): void {
  const place = { file: at.path, offset: at.offset + BATCH_HEADER.sizeBytes };
  const scan = new CommitScan({ startLsn: at.lsn, payload, place });
  for (let next = scan.next(); next !== undefined; next = scan.next()) builder.add(next);
}

/** See (2). */
async function judgeEnd(reader: SegmentReader, at: Position): Promise<End> {
  if (at.lsn < at.durableLsn) throw damaged(at);
  const beyond = await reader.findHeader(at.offset + BLOCK_BYTES, (header, offset) => {
    return header.startLsn - at.lsn === offset - at.offset;
  });
  if (beyond !== undefined) throw damaged(at);
  const { last } = at;
  const isProven = last !== undefined && last.startLsn < at.durableLsn;
  if (last === undefined || (isProven && !last.copied)) return { unproven: undefined };
  if (at.table.at(at.table.count - 1).payloadBytes === 0) {
    at.lsn = last.startLsn; // See (3).
    return { unproven: undefined };
  }
  const header = await reader.headerAt(last.offset);
  const payload = header && (await reader.payloadAt(last.offset, header));
  const place = { ...at.table.at(at.table.count - 1) };
  if (payload === undefined || !at.table.proves(place, 0, payload)) {
    throw corrupt({ file: at.path, offset: last.offset }, "a batch changed");
  }
  const { wallMs, startLsn } = last;
  const batch = { startLsn: lsn(startLsn), wallMs, payload: payload.slice() };
  return { unproven: { ...batch, hangsOnHeader: isProven } };
}

/** Only the first spare behind the newest segment can have been taken into use. */
async function judgeSpares(
  { options, found }: { options: CheckOptions; found: Survey },
  endLsn: number,
): Promise<ReadonlySet<number>> {
  const dirty = new Set<number>();
  const newest = found.used.at(-1)?.sequence ?? 0;
  const next = found.spares.find(({ sequence }) => sequence > newest);
  for (const spare of found.spares) {
    if (spare.damaged) dirty.add(spare.sequence);
    if (spare.sequence < newest) dirty.add(spare.sequence);
    else if (!spare.damaged && spare !== next) continue;
    const reader = await SegmentReader.open(options.env.storage, identity(spare, options));
    try {
      // Batches follow a header that was synced, but for those that were copied before it was. Log
      // above the checkpoint may not be dropped with it, though another batch lies in its place.
      const beyond = await reader.findHeader(BLOCK_BYTES, (header) => {
        dirty.add(spare.sequence);
        const toLsn = header.startLsn + batchBytes(header.payloadBytes);
        const counts = spare.damaged ? toLsn > options.checkpointLsn : header.startLsn >= endLsn;
        return counts && !header.copied;
      });
      if (beyond === undefined) continue;
      throw corrupt({ file: spare.path, offset: 0 }, "the header of a segment in use is damaged");
    } finally {
      await reader.close();
    }
  }
  return dirty;
}

/** What is to be read, about: of the newest segment only what lies before its end is known then. */
async function logBytes({ env }: CheckOptions, used: readonly UsedSegment[]): Promise<number> {
  const newest = used.at(-1);
  if (newest === undefined) return 0;
  const found = await env.storage.stat(newest.path).catch(() => undefined);
  const before = newest.header.firstLsn - (used[0]?.header.firstLsn ?? 0);
  return before + Math.max(0, (found?.bytes ?? 0) - BLOCK_BYTES);
}

function identity(segment: Pick<UsedSegment, "path" | "sequence">, options: CheckOptions) {
  return { path: segment.path, sequence: segment.sequence, storeId: options.storeId };
}

function damaged({ path, offset }: Position) {
  return corrupt({ file: path, offset }, "a batch of the log is damaged");
}

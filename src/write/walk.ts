/**
 * THE LOG READ FROM THE CHECKPOINT TO ITS END, and the judgement on that end.
 *
 * (1) A segment ends where the next one begins; the log ends at the first batch of the newest
 *     segment that is not valid.
 * (2) That end is a torn tail if nothing says otherwise. It is damage, BOP_CORRUPT, if it lies
 *     below an LSN that is recorded as durable, or if a batch that lies behind it is valid, in this
 *     segment or in a later one whose header is not.
 * (3) A batch was issued when the one before it was durable. So a valid header, even of a batch
 *     that was torn, proves what lies below it; the newest batch alone may not be durable yet,
 *     though it is read well: the page cache may be all that has it.
 * (4) A spare in which anything was written is not used under its sequence again.
 */
import { type Lsn, lsn } from "../base/units.ts";
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  type CommitAssembler,
  corrupt,
} from "../wal/index.ts";
import type { RecoverOptions } from "./recover.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { Survey, UsedSegment } from "./survey.ts";

/** The newest batch, which may not be durable. */
export interface UnprovenBatch {
  readonly startLsn: Lsn;
  readonly wallMs: number;
  readonly payload: Uint8Array;
}

export interface Walked {
  readonly endLsn: Lsn;
  /** Newest time in the log. */
  readonly wallMs: number;
  /** Commits handed out. */
  readonly commits: number;
  readonly unproven: UnprovenBatch | undefined;
  /** Spares that cannot be used under their sequence. */
  readonly dirty: ReadonlySet<number>;
}

interface Position {
  readonly path: string;
  offset: number;
  lsn: number;
  /** Highest LSN that anything read so far says is durable. */
  durableLsn: number;
  wallMs: number;
  last: { readonly offset: number; readonly startLsn: number; readonly wallMs: number } | undefined;
}

export async function walk(
  { options, found }: { options: RecoverOptions; found: Survey },
  assembler: CommitAssembler,
): Promise<Walked> {
  const { checkpointLsn, durableFloorLsn } = options;
  const { used } = found;
  const newest = used.at(-1);
  let end = { endLsn: 0, wallMs: 0, unproven: undefined as UnprovenBatch | undefined };
  let durableLsn = Math.max(checkpointLsn, durableFloorLsn);
  const first = used.findLastIndex(({ header }) => header.firstLsn <= checkpointLsn);
  if (newest === undefined && durableLsn > 0) {
    throw corrupt({ file: options.directory, offset: 0 }, "there is no segment of the log");
  }
  for (const [i, segment] of used.entries()) {
    if (first < 0) {
      throw corrupt({ file: segment.path, offset: 0 }, "the log before this segment is missing");
    }
    if (i < first) continue;
    const reader = await SegmentReader.open(options.env.storage, identity(segment, options));
    try {
      durableLsn = Math.max(durableLsn, segment.header.durableLsn);
      const { firstLsn, createdMs } = segment.header;
      const position = { path: segment.path, offset: BLOCK_BYTES, lsn: firstLsn, durableLsn };
      const at: Position = {
        ...position,
        wallMs: Math.max(end.wallMs, createdMs),
        last: undefined,
      };
      const boundLsn = used[i + 1]?.header.firstLsn ?? Number.POSITIVE_INFINITY;
      await readBatches(reader, { at, assembler, boundLsn });
      durableLsn = at.durableLsn;
      if (segment === newest) end = await judgeEnd(reader, at);
      else if (at.lsn !== boundLsn) throw damaged(at);
    } finally {
      await reader.close();
    }
  }
  const dirty = await judgeSpares({ options, found }, end.endLsn);
  return { ...end, endLsn: lsn(end.endLsn), commits: assembler.commits, dirty };
}

interface Reading {
  readonly at: Position;
  readonly assembler: CommitAssembler;
  readonly boundLsn: number;
}

async function readBatches(reader: SegmentReader, reading: Reading): Promise<void> {
  const { at, assembler, boundLsn } = reading;
  while (at.lsn < boundLsn) {
    const header = await reader.headerAt(at.offset);
    if (header === undefined || header.startLsn !== at.lsn) return;
    at.durableLsn = Math.max(at.durableLsn, header.startLsn, header.durableLsn);
    const payload = await reader.payloadAt(at.offset, header);
    if (payload === undefined) return;
    const place = { file: at.path, offset: at.offset + BATCH_HEADER.sizeBytes };
    assembler.take({ startLsn: at.lsn, payload, place });
    at.last = { offset: at.offset, startLsn: at.lsn, wallMs: header.wallMs };
    at.wallMs = Math.max(at.wallMs, header.wallMs);
    at.offset += batchBytes(header.payloadBytes);
    at.lsn += batchBytes(header.payloadBytes);
  }
}

/** See (2). */
async function judgeEnd(reader: SegmentReader, at: Position) {
  if (at.lsn < at.durableLsn) throw damaged(at);
  const beyond = await reader.findHeader(at.offset + BLOCK_BYTES, (header, offset) => {
    return header.startLsn - at.lsn === offset - at.offset;
  });
  if (beyond !== undefined) throw damaged(at);
  const { last, lsn: endLsn, wallMs } = at;
  if (last === undefined || last.startLsn < at.durableLsn) {
    return { endLsn, wallMs, unproven: undefined };
  }
  const header = await reader.headerAt(last.offset);
  const payload = header && (await reader.payloadAt(last.offset, header));
  if (payload === undefined)
    throw corrupt({ file: at.path, offset: last.offset }, "a batch changed");
  const unproven = { startLsn: lsn(last.startLsn), wallMs: last.wallMs, payload: payload.slice() };
  return { endLsn, wallMs, unproven };
}

/** Only the first spare behind the newest segment can have been taken into use. */
async function judgeSpares(
  { options, found }: { options: RecoverOptions; found: Survey },
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
      const beyond = await reader.findHeader(BLOCK_BYTES, (header) => {
        dirty.add(spare.sequence);
        return header.startLsn >= endLsn && !header.copied;
      });
      if (beyond === undefined) continue;
      throw corrupt({ file: spare.path, offset: 0 }, "the header of a segment in use is damaged");
    } finally {
      await reader.close();
    }
  }
  return dirty;
}

function identity(segment: Pick<UsedSegment, "path" | "sequence">, options: RecoverOptions) {
  return { path: segment.path, sequence: segment.sequence, storeId: options.storeId };
}

function damaged({ path, offset }: Position) {
  return corrupt({ file: path, offset }, "a batch of the log is damaged");
}

/**
 * HOLES OF THE LOG: registered segments whose file is missing, or whose header is destroyed. What lay
 * in them is what the segments beside them leave open, and the archive may have it.
 *
 *      [ segment 4 ]  ✗ 5   ✗ 6   [ segment 7 ]
 *                └ from        to ┘
 *
 * (1) A hole begins with the last batch of the segment before it: a process that found that one
 *     unproven has gone on in its place, with a copy of it or, if it was empty, with another
 *     (walk.ts (3)). What was shipped is what it went on with. A copy of the file itself may also
 *     begin behind that batch.
 *     Before the first segment a hole begins with the batch in which the checkpoint lies: nothing
 *     older is needed.
 * (2) It ends where the next segment begins. Behind the newest segment nothing says where: a file that
 *     is missing there is damage, one without a header a spare, unless what lies in it says more
 *     (walk.ts (2)).
 * (3) The first file of several in a row gets all of it; the others hold nothing then. All are closed,
 *     or none.
 * (4) One that lies below the checkpoint is closed without a copy, where there is an archive: without
 *     one, what is missing is told as it always was.
 */
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  readPayload,
  type SegmentHeader,
} from "../wal/index.ts";
import { emptySegment, heal } from "./archive.ts";
import type { CheckOptions } from "./recover.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { UsedSegment } from "./survey.ts";

export interface Hole {
  readonly sequence: number;
  readonly path: string;
  /** Otherwise its header is destroyed, or it is a spare of which the header was torn. */
  readonly isMissing: boolean;
}

/** Closes those that can be closed, by sequence. `used` and `holes` are in order. */
export async function closeHoles(
  options: CheckOptions,
  { used, holes }: { readonly used: readonly UsedSegment[]; readonly holes: readonly Hole[] },
): Promise<ReadonlyMap<number, SegmentHeader>> {
  const closed = new Map<number, SegmentHeader>();
  if (options.archive === undefined) return closed;
  const runs = new Map<UsedSegment, Hole[]>();
  for (const hole of holes) {
    const next = used.find(({ sequence }) => sequence > hole.sequence);
    if (next !== undefined) runs.set(next, [...(runs.get(next) ?? []), hole]);
  }
  for (const [next, run] of runs) {
    const before = used[used.indexOf(next) - 1];
    for (const { hole, header } of await closeRun(options, { run, next, before })) {
      closed.set(hole.sequence, header);
    }
  }
  return closed;
}

interface Run {
  readonly run: readonly Hole[];
  readonly before: UsedSegment | undefined;
  readonly next: UsedSegment;
}

async function closeRun(
  options: CheckOptions,
  { run, before, next }: Run,
): Promise<{ readonly hole: Hole; readonly header: SegmentHeader }[]> {
  const { checkpointLsn } = options;
  const { firstLsn: endLsn, createdMs } = next.header;
  const closed: { readonly hole: Hole; readonly header: SegmentHeader }[] = [];
  const rest = [...run];
  if (endLsn > checkpointLsn) {
    const { path, sequence } = rest.shift() as Hole;
    const last = before && (await lastBatchOf(before, options));
    const begins = last
      ? { firstLsn: last.startLsn, orFirstLsn: last.endLsn }
      : { holdsLsn: checkpointLsn };
    const header = await heal(options, { path, sequence, endLsn, ...begins });
    if (header === undefined) return [];
    closed.push({ hole: run[0] as Hole, header });
  }
  for (const hole of rest) {
    const { path, sequence } = hole;
    const header = await emptySegment(options, { path, sequence, firstLsn: endLsn, createdMs });
    closed.push({ hole, header });
  }
  return closed;
}

/** Where the batches of a segment end that are whole and in order; at `upToLsn` at the latest. */
export async function validEnd(
  segment: UsedSegment,
  options: ReadOptions & { readonly upToLsn?: number | undefined },
): Promise<number> {
  return (await lastBatchOf(segment, options)).endLsn;
}

type ReadOptions = Pick<CheckOptions, "env" | "storeId">;

/** The last of those batches; where it was cut, nothing behind the cut. */
async function lastBatchOf(
  { path, sequence, header }: UsedSegment,
  { env, storeId, upToLsn }: ReadOptions & { readonly upToLsn?: number | undefined },
): Promise<{ readonly startLsn: number; readonly endLsn: number }> {
  const boundLsn = Math.min(
    header.cutLsn ?? Number.POSITIVE_INFINITY,
    upToLsn ?? Number.POSITIVE_INFINITY,
  );
  const reader = await SegmentReader.open(env.storage, { path, sequence, storeId });
  try {
    let startLsn = header.firstLsn;
    let endLsn = startLsn;
    while (endLsn < boundLsn) {
      const at = BLOCK_BYTES + endLsn - header.firstLsn;
      const batch = await reader.headerAt(at);
      if (batch === undefined || batch.startLsn !== endLsn) break;
      const bytes = await reader.bytesAt(at, BATCH_HEADER.sizeBytes + batch.payloadBytes);
      if (readPayload(bytes, batch) === undefined) break;
      startLsn = endLsn;
      endLsn += batchBytes(batch.payloadBytes);
    }
    return { startLsn: header.cutLsn === endLsn ? endLsn : startLsn, endLsn };
  } finally {
    await reader.close();
  }
}

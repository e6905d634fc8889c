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
import type { SegmentHeader } from "../../wal/index.ts";
import { emptySegment, heal } from "./archive.ts";
import type { CheckOptions } from "./check-options.ts";
import { lastBatchOf, type UsedSegment } from "./used-segment.ts";

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

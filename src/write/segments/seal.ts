/**
 * WHAT FOLLOWS A SEAL: the index of the segment, written behind its last batch while commits go on
 * in the next one.
 *
 *   last batch durable ──► next segment's header synced ──► index written ──► index synced
 *                          (that is the seal: it says          (a crash before this line leaves a
 *                           where this one ends)                segment without one, which is parsed)
 *
 * (1) Nothing waits for it, and nothing is lost without it.
 * (2) A segment that was let go meanwhile is not written to: its file may be another segment by now.
 * (3) A file that refuses its index is whole as far as its batches go, but is not used again.
 */
import type { Env } from "../../base/env.ts";
import { nextTurn } from "../../base/next-turn.ts";
import type { Lsn } from "../../base/units.ts";
import { BLOCK_BYTES, type CommitTrail, SegmentIndexBuilder } from "../../wal/index.ts";

export interface SealedSegment {
  readonly path: string;
  readonly sequence: number;
  readonly firstLsn: Lsn;
  readonly endLsn: Lsn;
}

export interface IndexParts {
  readonly env: Env;
  readonly storeId: Uint8Array;
  readonly trail: CommitTrail;
  readonly segmentBytes: number;
  /** False once the segment is let go, or the store closes. */
  readonly isWanted: () => boolean;
}

/** Commits that are put into the index between two turns of the event loop: about a millisecond. */
const COMMITS_PER_TURN = 4000;

/** Undefined if the segment has its index, or cannot have one; else what its file refused. */
export async function writeIndex(
  { path, sequence, firstLsn, endLsn }: SealedSegment,
  { env, storeId, trail, segmentBytes, isWanted }: IndexParts,
): Promise<unknown> {
  const builder = new SegmentIndexBuilder(firstLsn);
  const take = () =>
    trail.take(endLsn, {
      limit: COMMITS_PER_TURN,
      to: (position) => {
        // What lies before was noted for a segment that got no index.
        if (position.lsn > firstLsn) builder.add(position);
      },
    });
  while (take() === COMMITS_PER_TURN) {
    await nextTurn(env.clock);
  }
  if (!isWanted()) return undefined;
  const bytes = builder.encode({ storeId, sequence, endLsn });
  const offset = BLOCK_BYTES + endLsn - firstLsn;
  if (offset + bytes.length > segmentBytes) return undefined;
  try {
    const file = await env.storage.open(path, "write");
    try {
      await file.write(bytes, offset);
      await file.sync();
    } finally {
      await file.close();
    }
    return undefined;
  } catch (cause) {
    return cause;
  }
}

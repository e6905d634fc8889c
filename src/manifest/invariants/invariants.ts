/**
 * WHAT MUST HOLD OF EVERY COMMIT: named predicates over the rows that a batch changes, checked before
 * anything of it reaches the store. A broken one is a bug of ours: the batch is refused with an
 * AssertionError that bears its name, and nothing of it is there.
 *
 * (1) Predicates look at what changed, at the marks, and at rows that those name; never at a whole
 *     table: the price of a commit does not grow with the store.
 * (2) `checkRows` yields between rows, so that a checkpoint of many of them can be sliced.
 */
import { assert } from "../../base/assert.ts";
import type { Draft } from "../commit/draft.ts";
import type { Marks } from "../tables/state.ts";
import { watermarks } from "../tables/watermarks.ts";
import { broken, type Checked, rows } from "./invariant.ts";
import { OF_MAP_TABLES } from "./invariants-of-maps.ts";
import { OF_STREAM_TABLES } from "./invariants-of-streams.ts";

interface MarkInvariant {
  readonly name: string;
  readonly holds: (before: Marks, after: Marks) => boolean;
}

const OF_MARKS: readonly MarkInvariant[] = [
  { name: "the checkpoint never goes back", holds: (a, b) => b.checkpointLsn >= a.checkpointLsn },
  { name: "the durable LSN never falls", holds: (a, b) => b.durableLsn >= a.durableLsn },
  { name: "the catalogue never goes back", holds: (a, b) => b.catalogueLsn >= a.catalogueLsn },
  { name: "a stream id is never used again", holds: (a, b) => b.nextStreamId >= a.nextStreamId },
  { name: "a chunk id is never used again", holds: (a, b) => b.nextChunkId >= a.nextChunkId },
  {
    name: "a checkpoint folds only what is durable",
    holds: (_, { checkpointLsn, durableLsn }) => checkpointLsn <= durableLsn,
  },
  {
    name: "the catalogue is at or above the checkpoint, and durable",
    holds: (_, b) => b.checkpointLsn <= b.catalogueLsn && b.catalogueLsn <= b.durableLsn,
  },
];

const OF_WATERMARKS = rows(watermarks, [
  {
    name: "a watermark never falls",
    refutes: ({ before, after }) =>
      before && (after?.generation ?? 0) < before.generation ? before.component : undefined,
  },
]);

const CHECKED: readonly Checked[] = [...OF_STREAM_TABLES, ...OF_MAP_TABLES, OF_WATERMARKS];

/** Throws an AssertionError that names the broken one. */
export function checkMarks(before: Marks, after: Marks): void {
  for (const { name, holds } of OF_MARKS) {
    assert(holds(before, after), () => broken(name, `${text(before)} → ${text(after)}`));
  }
}

/** The same, for the rows that the batch changed. See (2). */
export function* checkRows(draft: Draft, marks: Marks): Generator<void> {
  for (const checked of CHECKED) yield* checked.check({ draft, marks });
}

function text({ checkpointLsn, catalogueLsn, durableLsn, nextStreamId, nextChunkId }: Marks) {
  const lsns = `checkpoint ${checkpointLsn}, catalogue ${catalogueLsn}, durable ${durableLsn}`;
  return `${lsns}, streams ${nextStreamId}, chunks ${nextChunkId}`;
}

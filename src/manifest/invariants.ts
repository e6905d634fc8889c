/**
 * WHAT MUST HOLD OF EVERY COMMIT: named predicates over the rows that a batch changes, checked before
 * anything of it reaches the store. A broken one is a bug of ours: the batch is refused with an
 * AssertionError that bears its name, and nothing of it is there.
 *
 * (1) Predicates look at what changed, at the marks, and at rows that those name; never at a whole
 *     table: the price of a commit does not grow with the store.
 * (2) `checkRows` yields between rows, so that a checkpoint of many of them can be sliced.
 */
import { AssertionError, assert } from "../base/assert.ts";
import type { Draft, RowChange } from "./draft.ts";
import { LiveTally } from "./live-tally.ts";
import type { Table } from "./table.ts";
import { chunks } from "./tables/chunks.ts";
import { databases } from "./tables/databases.ts";
import { pageMap } from "./tables/page-map.ts";
import { recordLogs } from "./tables/record-logs.ts";
import { snapshots } from "./tables/snapshots.ts";
import type { Marks } from "./tables/state.ts";
import { watermarks } from "./tables/watermarks.ts";

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

interface RowInvariant<Row> {
  readonly name: string;
  /** Undefined if it holds; else what is wrong. */
  readonly refutes: (change: RowChange<Row>, at: Context) => string | undefined;
}

interface Context {
  readonly marks: Marks;
  readonly draft: Draft;
}

/** Methods, not properties: so that they fit one list. */
interface Checked {
  check(context: Context): Generator<void>;
}

const ABOVE_DURABLE = "no row names an LSN above the durable one";
const GIVEN_OUT = "a stream was given out before it has a row";
const BACK = "a stream never goes back";

interface StreamRow {
  readonly stream: number;
  readonly lsn: number;
  readonly state: string;
}

/** Of databases and of record logs. */
const OF_STREAMS: readonly RowInvariant<StreamRow>[] = [
  {
    name: ABOVE_DURABLE,
    refutes: ({ after }, { marks }) =>
      after && after.lsn > marks.durableLsn
        ? `stream ${after.stream}, LSN ${after.lsn}`
        : undefined,
  },
  {
    name: GIVEN_OUT,
    refutes: ({ after }, { marks }) =>
      after && after.stream >= marks.nextStreamId ? `stream ${after.stream}` : undefined,
  },
  {
    name: BACK,
    refutes: ({ before, after }) =>
      before && after && after.state !== "dropped" && after.lsn < before.lsn
        ? `stream ${after.stream}, from LSN ${before.lsn} to ${after.lsn}`
        : undefined,
  },
  {
    name: "what was dropped stays dropped",
    refutes: ({ before, after }) =>
      before?.state === "dropped" && after && after.state !== "dropped"
        ? `stream ${after.stream}`
        : undefined,
  },
];

const CHECKED: readonly Checked[] = [
  rows(databases, OF_STREAMS),
  rows(recordLogs, OF_STREAMS),
  rows(snapshots, [
    {
      name: ABOVE_DURABLE,
      refutes: ({ after }, { marks }) =>
        after && after.lsn > marks.durableLsn ? `snapshot ${after.name}` : undefined,
    },
    {
      name: "a snapshot is of a database that exists",
      refutes: ({ after }, { draft }) =>
        after && draft.get(databases, after.stream) === undefined ? after.name : undefined,
    },
  ]),
  rows(chunks, [
    {
      name: "a chunk was given out before it has a row",
      refutes: ({ after }, { marks }) =>
        after && after.chunk >= marks.nextChunkId ? `chunk ${after.chunk}` : undefined,
    },
    {
      name: "a chunk that is referred to is not removed",
      refutes: ({ before, after }) =>
        after === undefined && (before?.references ?? 0) > 0 ? `chunk ${before?.chunk}` : undefined,
    },
    {
      name: "a chunk's pages in use are at most all of its pages",
      refutes: ({ after }) =>
        after?.kind === "pages" && after.livePages > after.pageCount
          ? `chunk ${after.chunk}, ${after.livePages} of ${after.pageCount}`
          : undefined,
    },
  ]),
  rows(watermarks, [
    {
      name: "a watermark never falls",
      refutes: ({ before, after }) =>
        before && (after?.generation ?? 0) < before.generation ? before.component : undefined,
    },
  ]),
  { check: checkReferences },
];

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

/** Every location that is gained names a chunk with a row, and the chunk's count has followed. */
function* checkReferences({ draft }: Context): Generator<void> {
  const tally = new LiveTally();
  for (const change of draft.changes(pageMap)) {
    tally.add(change);
    yield;
  }
  for (const chunk of tally.gained) {
    if (draft.get(chunks, chunk) !== undefined) continue;
    throw new AssertionError(broken("a chunk that the page map names exists", `chunk ${chunk}`));
  }
  for (const { before, after } of draft.changes(chunks)) tally.expect(before, after);
  for (const { chunk, by } of tally.missed) {
    const why = `chunk ${chunk} is off by ${by}`;
    throw new AssertionError(broken("a chunk counts the pages that the page map names", why));
  }
}

function rows<Key, Row>(table: Table<Key, Row>, invariants: readonly RowInvariant<Row>[]): Checked {
  return {
    *check(context) {
      for (const change of context.draft.changes(table)) {
        for (const { name, refutes } of invariants) {
          const why = refutes(change, context);
          if (why !== undefined) throw new AssertionError(broken(name, why));
        }
        yield;
      }
    },
  };
}

function broken(name: string, why: string): string {
  return `broken invariant "${name}": ${why}`;
}

function text({ checkpointLsn, catalogueLsn, durableLsn, nextStreamId, nextChunkId }: Marks) {
  const lsns = `checkpoint ${checkpointLsn}, catalogue ${catalogueLsn}, durable ${durableLsn}`;
  return `${lsns}, streams ${nextStreamId}, chunks ${nextChunkId}`;
}

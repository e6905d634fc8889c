/** WHAT MUST HOLD OF DATABASES, RECORD LOGS AND SNAPSHOTS. */
import type { RowChange } from "../commit/draft.ts";
import { type DatabaseRow, databases } from "../tables/databases.ts";
import { forksOf } from "../tables/forks.ts";
import { mapVersionsOf } from "../tables/map-versions.ts";
import { mapOf } from "../tables/page-map.ts";
import { recordLogs } from "../tables/record-logs.ts";
import { type SnapshotRow, snapshots, snapshotsOf } from "../tables/snapshots.ts";
import { type Checked, type RowInvariant, rows } from "./invariant.ts";

interface StreamRow {
  readonly stream: number;
  readonly lsn: number;
  readonly state: string;
}

const ABOVE_DURABLE = "no row names an LSN above the durable one";

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
    name: "a stream was given out before it has a row",
    refutes: ({ after }, { marks }) =>
      after && after.stream >= marks.nextStreamId ? `stream ${after.stream}` : undefined,
  },
  {
    name: "a stream never goes back",
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

const OF_FAMILIES: readonly RowInvariant<DatabaseRow>[] = [
  {
    name: "where a database comes from does not change once it is there",
    refutes: ({ before, after }) =>
      before && before.state !== "importing" && after && birthOf(before) !== birthOf(after)
        ? `stream ${after.stream}, from ${birthOf(before)} to ${birthOf(after)}`
        : undefined,
  },
  {
    name: "what can be seen was made once",
    refutes: ({ before, after }) =>
      before && after && before.state !== "importing" && before.createdLsn !== after.createdLsn
        ? `stream ${after.stream}, at LSN ${before.createdLsn} and at ${after.createdLsn}`
        : undefined,
  },
  {
    name: "what is flat stays flat",
    refutes: ({ before, after }) =>
      before?.flat === true && after?.flat === false ? `stream ${after.stream}` : undefined,
  },
  {
    name: "what is no fork is flat, and a family of its own",
    refutes: ({ after }) =>
      after && after.origin === undefined && !(after.flat && after.family === after.stream)
        ? `stream ${after.stream} of family ${after.family}`
        : undefined,
  },
  {
    name: "a fork is of a moment before it",
    refutes: ({ after }) =>
      after?.origin && after.origin.lsn > after.createdLsn
        ? `stream ${after.stream}, of LSN ${after.origin.lsn}, was made at ${after.createdLsn}`
        : undefined,
  },
  {
    name: "what reads through an origin has it, in its own family",
    refutes({ after }, { draft }) {
      if (after?.origin === undefined || after.flat) return undefined;
      const origin = draft.get(databases, after.origin.stream);
      if (origin?.family === after.family) return undefined;
      const found = origin === undefined ? "is not there" : `is of family ${origin.family}`;
      return `stream ${after.stream} of family ${after.family}; ${after.origin.stream} ${found}`;
    },
  },
  {
    name: "an origin is not removed while a fork reads through it",
    refutes: ({ before, after }, { draft }) =>
      before && after === undefined && !draft.isEmpty(forksOf(before.stream))
        ? `stream ${before.stream}`
        : undefined,
  },
  {
    name: "nothing is left of a database that was removed",
    refutes({ before, after }, { draft }) {
      if (before === undefined || after !== undefined) return undefined;
      const { stream } = before;
      const ranges = { rows: mapOf(stream), versions: mapVersionsOf(stream) };
      const left = Object.entries(ranges).filter(([, range]) => !draft.isEmpty(range));
      return left.length > 0 ? `${left[0]?.[0]} of stream ${stream}` : undefined;
    },
  },
  {
    name: "a database that was dropped has no snapshots",
    refutes: ({ before, after }, { draft }) =>
      before &&
      (after?.state ?? "dropped") === "dropped" &&
      !draft.isEmpty(snapshotsOf(before.stream))
        ? `stream ${before.stream}`
        : undefined,
  },
];

const OF_SNAPSHOTS: readonly RowInvariant<SnapshotRow>[] = [
  {
    name: ABOVE_DURABLE,
    refutes: ({ after }, { marks }) =>
      after && after.lsn > marks.durableLsn ? `snapshot ${after.name}` : undefined,
  },
  {
    name: "a snapshot is of a database that exists, or of all",
    refutes({ after }: RowChange<SnapshotRow>, { draft }) {
      if (after === undefined || after.stream === 0) return undefined;
      const state = draft.get(databases, after.stream)?.state ?? "dropped";
      return state === "dropped" ? `${after.name} of stream ${after.stream}` : undefined;
    },
  },
  {
    name: "a snapshot keeps its moment",
    refutes: ({ before, after }) =>
      before && after && before.lsn !== after.lsn
        ? `${after.name} of stream ${after.stream}, from LSN ${before.lsn} to ${after.lsn}`
        : undefined,
  },
];

export const OF_STREAM_TABLES: readonly Checked[] = [
  rows(databases, [...OF_STREAMS, ...OF_FAMILIES]),
  rows(recordLogs, OF_STREAMS),
  rows(snapshots, OF_SNAPSHOTS),
];

function birthOf({ family, origin }: DatabaseRow): string {
  const from = origin === undefined ? "nothing" : `${origin.stream} at ${origin.lsn}`;
  return `${from}, family ${family}`;
}

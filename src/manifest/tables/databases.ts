/**
 * TABLE OF DATABASES: which there are, as of the catalogue's and the checkpoint's LSN.
 *
 *   key    stream u32
 *   value  state u8, name text, engine u8, page bytes u32, page count u32, lsn u64,
 *          created at ms u64, created lsn u64, family u32, flat u8, is fork u8, origin: stream u32
 *          and lsn u64 if it is, has dropped lsn u8, dropped lsn u64 if it has
 *
 * (1) Persistent: the numbers of states and engines are never changed or used again.
 */
import { type Lsn, lsn, type StreamId, streamId } from "../../base/units.ts";
import type { Moment } from "../rows/moment.ts";
import { defineTable } from "../rows/table.ts";

export interface DatabaseRow {
  readonly stream: StreamId;
  /** `importing` ones are removed when a store opens; a `dropped` one is a tombstone. */
  readonly state: "live" | "importing" | "dropped";
  readonly name: string;
  readonly engine: "sqlite" | "libsql";
  readonly pageBytes: number;
  /** As of `checkpointLsn`; 0 for a database without a checkpointed page. */
  readonly pageCount: number;
  /** LSN of its newest commit at or below `checkpointLsn`. */
  readonly lsn: Lsn;
  readonly createdAtMs: number;
  /** LSN of the entry since which others see it; 0 if that was before schema 3. */
  readonly createdLsn: Lsn;
  /** Root of the family: its own stream if it is no fork. Records of its pages bear it. */
  readonly family: StreamId;
  /** Where it was forked from. Stays when it reads nothing through its origin any more. */
  readonly origin?: Moment;
  /** It reads nothing through its origin. True for what is no fork. */
  readonly flat: boolean;
  /** LSN of the frame that dropped it; the tombstone stays while the log or a pin needs it. */
  readonly droppedLsn?: Lsn;
}

/** Used by migrations too. */
export const STATES = { live: 1, importing: 2, dropped: 3 } as const;
/** Used by the catalogue's entries and the change log too. */
export const ENGINES = { sqlite: 1, libsql: 2 } as const;

export const databases = defineTable({
  name: "databases",
  version: 2,
  keyOf: ({ stream }: DatabaseRow) => stream,
  writeKey: (stream, into) => into.u32(stream),
  readKey: (from) => streamId(from.u32()),
  write(row, into) {
    into.u8(STATES[row.state]).text(row.name).u8(ENGINES[row.engine]);
    into.u32(row.pageBytes).u32(row.pageCount).u64(row.lsn).u64(row.createdAtMs);
    into
      .u64(row.createdLsn)
      .u32(row.family)
      .u8(row.flat ? 1 : 0);
    into.u8(row.origin === undefined ? 0 : 1);
    if (row.origin !== undefined) into.u32(row.origin.stream).u64(row.origin.lsn);
    into.u8(row.droppedLsn === undefined ? 0 : 1);
    if (row.droppedLsn !== undefined) into.u64(row.droppedLsn);
  },
  read(from, stream): DatabaseRow {
    const row = {
      stream,
      state: from.oneOf(STATES, "state"),
      name: from.text(),
      engine: from.oneOf(ENGINES, "engine"),
      pageBytes: from.u32(),
      pageCount: from.u32(),
      lsn: lsn(from.u64()),
      createdAtMs: from.u64(),
      createdLsn: lsn(from.u64()),
      family: streamId(from.u32()),
      flat: from.flag(),
    };
    const origin = from.flag() ? { stream: streamId(from.u32()), lsn: lsn(from.u64()) } : undefined;
    const droppedLsn = from.flag() ? lsn(from.u64()) : undefined;
    // Of a hundred thousand most are neither: an object that is spread takes twice the memory.
    if (origin === undefined && droppedLsn === undefined) return row;
    return { ...row, ...(origin && { origin }), ...(droppedLsn !== undefined && { droppedLsn }) };
  },
});

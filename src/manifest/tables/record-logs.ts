/**
 * TABLE OF RECORD LOGS: which there are, and what of them was checkpointed.
 *
 *   key    stream u32
 *   value  state u8, name text, created at ms u64, lsn u64, has dropped lsn u8,
 *          dropped lsn u64 if it has, body: length u32 and bytes
 *
 * (1) Persistent: the numbers of states are never changed or used again; they are those of
 *     databases.
 * (2) The body is the record log's own encoding, with a version of its own; nothing here reads it.
 */
import { type Lsn, lsn, type StreamId, streamId } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

export interface RecordLogRow {
  readonly stream: StreamId;
  /** A `dropped` one is a tombstone. */
  readonly state: "live" | "dropped";
  /** Names of record logs and names of databases do not meet. */
  readonly name: string;
  readonly createdAtMs: number;
  /** LSN of its newest commit that `body` knows of. */
  readonly lsn: Lsn;
  readonly droppedLsn?: Lsn;
  /** What was checkpointed of it, in the record log's own format. */
  readonly body: Uint8Array;
}

const STATES = { live: 1, dropped: 3 } as const;

export const recordLogs = defineTable({
  name: "recordLogs",
  version: 1,
  keyOf: ({ stream }: RecordLogRow) => stream,
  writeKey: (stream, into) => into.u32(stream),
  readKey: (from) => streamId(from.u32()),
  write(row, into) {
    into.u8(STATES[row.state]).text(row.name).u64(row.createdAtMs).u64(row.lsn);
    into.u8(row.droppedLsn === undefined ? 0 : 1);
    if (row.droppedLsn !== undefined) into.u64(row.droppedLsn);
    into.u32(row.body.length).raw(row.body);
  },
  read(from, stream): RecordLogRow {
    const row = {
      stream,
      state: from.oneOf(STATES, "state"),
      name: from.text(),
      createdAtMs: from.u64(),
      lsn: lsn(from.u64()),
    };
    const dropped = from.flag() ? { droppedLsn: lsn(from.u64()) } : {};
    return { ...row, ...dropped, body: from.raw(from.u32()) };
  },
});

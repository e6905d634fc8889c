/**
 * TABLE OF SNAPSHOTS: moments of databases that are kept under a name. Each holds on to the chunks
 * and map rows of its moment.
 *
 *   key    stream u32 (0: of the whole store), name (UTF-8)
 *   value  lsn u64, created at ms u64
 */
import { type Lsn, lsn, type StreamId, streamId } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

export interface SnapshotKey {
  readonly stream: StreamId;
  readonly name: string;
}

/** A moment that is kept under a name. */
export interface SnapshotRow {
  /** 0: of every database that there was at the moment. */
  readonly stream: StreamId;
  readonly name: string;
  /** The moment: durable before the row is written. */
  readonly lsn: Lsn;
  readonly createdAtMs: number;
}

export const snapshots = defineTable({
  name: "snapshots",
  version: 1,
  keyOf: ({ stream, name }: SnapshotRow): SnapshotKey => ({ stream, name }),
  writeKey: ({ stream, name }, into) => into.u32(stream).text(name),
  readKey: (from) => ({ stream: streamId(from.u32()), name: from.text() }),
  write: (row, into) => void into.u64(row.lsn).u64(row.createdAtMs),
  read: (from, key): SnapshotRow => ({ ...key, lsn: lsn(from.u64()), createdAtMs: from.u64() }),
});

/** All of one database. */
export const snapshotsOf = (stream: StreamId) => snapshots.range((into) => into.u32(stream));

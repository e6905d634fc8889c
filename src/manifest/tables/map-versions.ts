/**
 * TABLE OF MAP VERSIONS: the LSNs at which there is a whole page map of a database, its stations.
 *
 *   key    stream u32 (0: checkpoints of the store), lsn u64
 *   value  page count u32, page bytes u32, commit lsn u64, created at ms u64, count u32, then count
 *          indexes of rows u32 that the version wrote relative to the one before, in order
 *
 * (1) A database has rows here only while it has two versions or more, and then for the newest too:
 *     the only version of a page map is what the row of the database says.
 */
import { type Lsn, lsn, type StreamId, streamId } from "../../base/units.ts";
import { type ByteReader, Malformed } from "../rows/bytes.ts";
import { defineTable } from "../rows/table.ts";

export interface MapVersionKey {
  readonly stream: StreamId;
  readonly lsn: Lsn;
}

/** The state of the page map of one database at one LSN, its station. */
export interface MapVersionRow {
  /** 0: a checkpoint of the whole store, of which only `lsn` and `createdAtMs` count. */
  readonly stream: StreamId;
  readonly lsn: Lsn;
  readonly pageCount: number;
  readonly pageBytes: number;
  /** Newest commit of the stream at or below `lsn`. */
  readonly commitLsn: Lsn;
  readonly createdAtMs: number;
  /** Indexes of rows that this version wrote, sorted; none for the oldest version there is. */
  readonly changedRows: readonly number[];
}

export const mapVersions = defineTable({
  name: "mapVersions",
  version: 1,
  keyOf: ({ stream, lsn }: MapVersionRow): MapVersionKey => ({ stream, lsn }),
  writeKey: ({ stream, lsn }, into) => into.u32(stream).u64(lsn),
  readKey: (from) => ({ stream: streamId(from.u32()), lsn: lsn(from.u64()) }),
  write(row, into) {
    into.u32(row.pageCount).u32(row.pageBytes).u64(row.commitLsn).u64(row.createdAtMs);
    into.u32(row.changedRows.length);
    for (const rowIndex of row.changedRows) into.u32(rowIndex);
  },
  read: (from, key): MapVersionRow => ({
    ...key,
    pageCount: from.u32(),
    pageBytes: from.u32(),
    commitLsn: lsn(from.u64()),
    createdAtMs: from.u64(),
    changedRows: readRows(from),
  }),
});

/** All of one database. */
export const mapVersionsOf = (stream: StreamId) => mapVersions.range((into) => into.u32(stream));

function readRows(from: ByteReader): number[] {
  const count = from.u32();
  const rows: number[] = [];
  for (let n = 0; n < count; n++) {
    const rowIndex = from.u32();
    if (rowIndex <= (rows[n - 1] ?? -1)) throw new Malformed("rows of a version are not in order");
    rows.push(rowIndex);
  }
  return rows;
}

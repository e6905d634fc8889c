/**
 * ROWS OF DATABASES as a checkpoint leaves them: how large each is in its newest map, of which commit
 * that is, and whether it still reads through another. Pure.
 *
 * (1) Of what was dropped the row says what the newest state is that somebody needs; size 0: none.
 * (2) A fork without a commit has LSN 0 and no size for as long as it reads through its origin.
 */
import { assert } from "../base/assert.ts";
import { LSN_ZERO, type StreamId } from "../base/units.ts";
import type { DatabaseRow, MapVersionRow } from "../manifest/index.ts";
import type { Part } from "./parts.ts";

/** `newest` is the newest version that is left; undefined: nothing is. */
export function rowsOf(
  parts: Iterable<Part>,
  rows: ReadonlyMap<StreamId, DatabaseRow>,
  newest: (stream: StreamId) => MapVersionRow | undefined,
): DatabaseRow[] {
  const put: DatabaseRow[] = [];
  for (const part of parts) {
    const { stream, layers, isDropped, isFlattened } = part;
    if (layers.length === 0 && !isDropped && !isFlattened) continue;
    const row = rows.get(stream);
    const version = newest(stream);
    if (version !== undefined) {
      assert(row !== undefined, () => `the catalogue has no row of stream ${stream}`);
      put.push(rowOf(part, row, version));
    } else if (row !== undefined) {
      put.push({ ...row, pageCount: 0, flat: true });
    }
  }
  return put;
}

function rowOf({ layers, isFlattened }: Part, row: DatabaseRow, version: MapVersionRow) {
  const isBare = !isFlattened && layers.length === 0 && row.lsn === LSN_ZERO && !row.flat;
  const { lsn, pageCount, pageBytes } = version;
  const size = isBare ? {} : { pageCount, pageBytes: pageBytes || row.pageBytes, lsn };
  return { ...row, ...size, flat: row.flat || isFlattened };
}

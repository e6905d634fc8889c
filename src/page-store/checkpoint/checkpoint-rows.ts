/**
 * ROWS OF DATABASES as a checkpoint leaves them: how large each is in its newest map, of which commit
 * that is, and whether it still reads through another. Pure.
 *
 * (1) Of what was dropped the row says what the newest state is that somebody needs; size 0: none.
 * (2) A fork without a commit has LSN 0 and no size for as long as it reads through its origin.
 */
import { assert } from "../../base/assert.ts";
import { LSN_ZERO } from "../../base/units.ts";
import type { DatabaseRow, MapVersionRow } from "../../manifest/index.ts";
import type { Part } from "./parts.ts";

/** `newest` is the newest version that is left; undefined: nothing is. Undefined: it stays as it is. */
export function rowAfter(
  part: Part,
  row: DatabaseRow | undefined,
  newest: MapVersionRow | undefined,
): DatabaseRow | undefined {
  const { stream, layers, isDropped, isFlattened } = part;
  if (layers.length === 0 && !isDropped && !isFlattened) return undefined;
  if (newest === undefined) return row && { ...row, pageCount: 0, flat: true };
  assert(row !== undefined, () => `the catalogue has no row of stream ${stream}`);
  return rowOf(part, row, newest);
}

function rowOf({ layers, isFlattened }: Part, row: DatabaseRow, version: MapVersionRow) {
  const isBare = !isFlattened && layers.length === 0 && row.lsn === LSN_ZERO && !row.flat;
  const { lsn, pageCount, pageBytes } = version;
  const size = isBare ? {} : { pageCount, pageBytes: pageBytes || row.pageBytes, lsn };
  return { ...row, ...size, flat: row.flat || isFlattened };
}

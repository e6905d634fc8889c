/** ROWS OVER ROWS: two lists in order of their keys become one; of a key in both the upper counts. */
import type { KeyValueOperation } from "../../manifest/index.ts";
import type { Steps } from "../format/steps.ts";

const STEP_ROWS = 1024;

/** `upper` comes in any order, one row for each key; `rows` in order of keys. */
export function* withRows(
  rows: readonly KeyValueOperation[],
  upper: readonly KeyValueOperation[],
): Steps<readonly KeyValueOperation[]> {
  if (upper.length === 0) return rows;
  const added = upper.toSorted((a, b) => Buffer.compare(a.key, b.key));
  yield;
  const merged: KeyValueOperation[] = [];
  let at = 0;
  for (const [index, row] of rows.entries()) {
    if (index % STEP_ROWS === 0) yield;
    let order = -1;
    for (; at < added.length; at++) {
      const next = added[at] as KeyValueOperation;
      order = Buffer.compare(next.key, row.key);
      if (order >= 0) break;
      merged.push(next);
    }
    const isOver = at < added.length && order === 0;
    if (!isOver) merged.push(row);
  }
  return [...merged, ...added.slice(at)];
}

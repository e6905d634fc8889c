/** WHAT AN INVARIANT OF ROWS IS, and how a list of them is checked over the rows that a batch changed. */
import { AssertionError } from "../../base/assert.ts";
import type { Draft, RowChange } from "../commit/draft.ts";
import type { Table } from "../rows/table.ts";
import type { Marks } from "../tables/state.ts";

export interface RowInvariant<Row> {
  readonly name: string;
  /** Undefined if it holds; else what is wrong. */
  readonly refutes: (change: RowChange<Row>, at: Context) => string | undefined;
}

export interface Context {
  readonly marks: Marks;
  readonly draft: Draft;
}

/** Methods, not properties: so that they fit one list. */
export interface Checked {
  /** Throws; yields between rows. */
  check(context: Context): Generator<void>;
}

export function rows<Key, Row>(
  table: Table<Key, Row>,
  invariants: readonly RowInvariant<Row>[],
): Checked {
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

export function broken(name: string, why: string): string {
  return `broken invariant "${name}": ${why}`;
}

/**
 * KEEPS THE TABLES OF NAMES AND OF FORKS in step with the rows of databases and record logs: a step of
 * every batch, taken after its operations and before the invariants are checked.
 *
 * (1) A row that is not dropped has its name in the table, under its stream; no other name is there.
 * (2) A name belongs to one row. A batch that would give it to two is refused; one that moves it from
 *     one row to another is not.
 * (3) A database that is not flat is in the table of forks, under its origin; nothing else is there.
 */
import { assert } from "../base/assert.ts";
import type { StreamId } from "../base/units.ts";
import type { Draft, RowChange } from "./draft.ts";
import type { DatabaseRow } from "./manifest.ts";
import { databases } from "./tables/databases.ts";
import { type ForkRow, forks } from "./tables/forks.ts";
import { type NameKey, names } from "./tables/names.ts";
import { recordLogs } from "./tables/record-logs.ts";

interface Named {
  readonly stream: StreamId;
  readonly name: string;
  readonly state: string;
}

/** Yields between rows, so that it can be sliced. */
export function* indexRows(draft: Draft): Generator<void> {
  const gone: NameKey[] = [];
  const come: { readonly key: NameKey; readonly stream: StreamId }[] = [];
  const compare = (space: NameKey["space"], { before, after }: RowChange<Named>): void => {
    const [was, is] = [nameOf(before), nameOf(after)];
    if (was === is) return;
    if (was !== undefined) gone.push({ space, name: was });
    if (after && is !== undefined) come.push({ key: { space, name: is }, stream: after.stream });
  };
  for (const change of draft.changes(databases)) {
    compare("databases", change);
    indexFork(draft, change);
    yield;
  }
  for (const change of draft.changes(recordLogs)) yield compare("recordLogs", change);
  for (const key of gone) yield draft.remove(names, key);
  for (const { key, stream } of come) {
    const holder = draft.get(names, key);
    assert(
      holder === undefined || holder.stream === stream,
      () =>
        `broken invariant "a name belongs to one row": ${key.name}, ${holder?.stream}, ${stream}`,
    );
    yield draft.put(names, { ...key, stream });
  }
}

/** See (3). */
function indexFork(draft: Draft, { before, after }: RowChange<DatabaseRow>): void {
  const [was, is] = [readsThrough(before), readsThrough(after)];
  if (was !== undefined && was.origin !== is?.origin) draft.remove(forks, was);
  if (is !== undefined && was?.origin !== is.origin) draft.put(forks, is);
}

function readsThrough(row: DatabaseRow | undefined): ForkRow | undefined {
  if (row?.origin === undefined || row.flat) return undefined;
  return { origin: row.origin.stream, fork: row.stream };
}

function nameOf(row: Named | undefined): string | undefined {
  return row === undefined || row.state === "dropped" ? undefined : row.name;
}

/**
 * KEEPS THE TABLES OF NAMES AND OF FORKS in step with the rows of databases and record logs, and that of
 * remote chunks with the chunks: a step of every batch, taken after its operations and before the
 * invariants are checked.
 *
 * (1) A row that is not dropped has its name in the table, under its stream; no other name is there.
 * (2) A name belongs to one row. A batch that would give it to two is refused; one that moves it from
 *     one row to another is not.
 * (3) A database that is not flat is in the table of forks, under its origin; nothing else is there.
 * (4) A remote chunk that the page map stopped to name becomes garbage of the bucket in the same
 *     commit; one that was put while its chunk went, likewise. One that the log names (it has a named
 *     LSN) and that never had a row among the chunks is left to who ships.
 */
import { assert } from "../../base/assert.ts";
import type { ChunkId, StreamId } from "../../base/units.ts";
import { bucketKey } from "../../sink/index.ts";
import { chunks } from "../tables/chunks.ts";
import { type DatabaseRow, databases } from "../tables/databases.ts";
import { type ForkRow, forks } from "../tables/forks.ts";
import { type NameKey, names } from "../tables/names.ts";
import { recordLogs } from "../tables/record-logs.ts";
import { type RemoteChunkRow, remoteChunks } from "../tables/remote-chunks.ts";
import { type RemoteGarbageRow, remoteGarbage } from "../tables/remote-garbage.ts";
import type { Draft, RowChange } from "./draft.ts";

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
  yield* leaveRemoteChunks(draft);
}

/** See (4). */
function* leaveRemoteChunks(draft: Draft): Generator<void> {
  const gone = new Set<ChunkId>();
  for (const { before, after } of draft.changes(chunks)) {
    if (before !== undefined && after === undefined) gone.add(before.chunk);
    yield;
  }
  for (const { after } of draft.changes(remoteChunks)) {
    if (after === undefined || after.namedLsn > 0) continue;
    if (draft.get(chunks, after.chunk) === undefined) gone.add(after.chunk);
    yield;
  }
  for (const chunk of gone) {
    const remote = draft.get(remoteChunks, chunk);
    if (remote === undefined) continue;
    draft.remove(remoteChunks, chunk);
    draft.put(remoteGarbage, garbageOf(remote, draft.generation));
    yield;
  }
}

/** What a chunk becomes when the commit of a generation leaves it. */
export function garbageOf(remote: RemoteChunkRow, goneGeneration: number): RemoteGarbageRow {
  const { chunk, epoch, fileBytes, bornGeneration } = remote;
  return {
    key: bucketKey({ kind: "chunk", id: chunk, epoch }),
    state: "unreferenced",
    count: 1,
    bytes: fileBytes,
    bornGeneration,
    goneGeneration,
  };
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

/**
 * EXPORT OF A MOMENT of the history window: the map version before it, and what the log has changed
 * since, put on each other in the file itself.
 *
 *     pages of the version ──► file ◄── commit, commit, … (sizes, whole pages, deltas) up to the moment
 *
 * (1) Nothing of it is in the store: no fork, no page, no entry of the catalogue. A read-only store
 *     exports its past, too, as far as no large transaction lies on the way: see past-fork.ts (3).
 * (2) Memory is a slice of pages, however much was changed: a delta is put on what the file has.
 * (3) A page that a commit cut off reads as zeros when the database has grown again, as the file does.
 * (4) The file is written when the database's level has all that it shows. For a time, that is no more
 *     than the database has: what others committed is not waited for.
 */
import type { Env, File } from "../../base/env.ts";
import { earlierLsn, type Lsn } from "../../base/units.ts";
import type { PageStore, Snapshot } from "../../page-store/index.ts";
import type { ReplayedCommit, ReplayedFrame } from "../../write/index.ts";
import type { OpenDatabase } from "../queries/open-database.ts";
import { intoNewFile, writePages } from "../transfer/export.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";
import type { PastMoment } from "./forks.ts";
import { choose, gone, momentIn, type PastGround, rowOf } from "./past-fork.ts";

export interface PastExportGround extends PastGround {
  readonly env: Env;
  readonly pages: PastGround["pages"] & Pick<PageStore, "view">;
}

export interface PastExport {
  readonly database: OpenDatabase;
  readonly at: PastMoment;
  readonly path: string;
}

/** Throws BOP_SNAPSHOT_GONE, BOP_EXISTS and RangeError. */
export async function exportPast(
  ground: PastExportGround,
  { database, at, path }: PastExport,
  options: TransferOptions,
): Promise<void> {
  database.assertOpen();
  const { stream } = database.options;
  const upTo = await momentIn(ground, { at, stream, what: "export" });
  await ground.durable(earlierLsn(upTo, database.space.newestLsn)); // See (4).
  for (const isLast of [false, true]) {
    const outcome = await attempt(ground, { database, path, upTo }, options);
    if (outcome === "done") return;
    if (isLast) break;
    await ground.checkpoint();
  }
  const row = rowOf(ground, stream);
  throw gone(ground, { row, lsn: upTo, what: `LSN ${upTo}, behind a large transaction,` });
}

/** "spilled": nothing was written. */
async function attempt(
  ground: PastExportGround,
  { database, path, upTo }: Omit<PastExport, "at"> & { readonly upTo: Lsn },
  options: TransferOptions,
): Promise<"done" | "spilled"> {
  const { pages, log, env } = ground;
  const { stream } = database.options;
  const chosen = choose(ground, { row: rowOf(ground, stream), upTo });
  try {
    const space = pages.view(stream, chosen.origin.lsn);
    const snapshot = space.pin(chosen.origin.lsn);
    try {
      await intoNewFile(env, path, async (file) => {
        await writePages({ space, snapshot, file, pages: database.pages }, options);
        if (upTo <= chosen.after) return;
        const range = { afterLsn: chosen.after, upToLsn: upTo };
        await replayOn({ file, snapshot }, log.history.commits(stream, range), options);
      });
    } finally {
      space.unpin(snapshot);
      space.close();
    }
    return "done";
  } catch (error) {
    if (error instanceof Spilled) return "spilled";
    throw error;
  } finally {
    chosen.release();
  }
}

/** Ends an attempt from within. */
class Spilled extends Error {}

interface Begun {
  readonly file: File;
  readonly snapshot: Snapshot;
}

/** See (3). */
async function replayOn(
  { file, snapshot }: Begun,
  commits: AsyncIterable<ReplayedCommit>,
  { signal }: TransferOptions,
): Promise<void> {
  let { pageBytes, pageCount } = snapshot;
  for await (const commit of commits) {
    signal?.throwIfAborted();
    if (commit.pageBytes !== pageBytes) await file.truncate(0);
    else if (commit.pageCount < pageCount) await file.truncate(commit.pageCount * pageBytes);
    ({ pageBytes, pageCount } = commit);
    for (const frame of commit.frames) await put(file, frame, pageBytes);
  }
  await file.truncate(pageCount * pageBytes);
}

async function put(file: File, frame: ReplayedFrame, pageBytes: number): Promise<void> {
  if (frame.kind === "spill") throw new Spilled();
  if (frame.kind !== "page" && frame.kind !== "delta") return;
  const at = (frame.pageNumber - 1) * pageBytes;
  if (frame.kind === "page") return file.write(frame.image, at);
  const base = new Uint8Array(pageBytes);
  await file.read(base, at);
  await file.write(frame.apply(base), at);
}

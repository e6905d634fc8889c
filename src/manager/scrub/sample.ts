/**
 * ONE DATABASE RESTORED FROM THE SINK TO TRY IT: into a temporary file, looked through with SQLite's
 * own check, and forgotten.
 *
 * (1) It is restored as `restore` would do it, from nothing but the bucket: rows, chunks and log.
 * (2) The newest moment of the bucket must have its newest commit, if the sink has acknowledged that.
 * (3) One whose database is not in the bucket yet, since it was made a moment ago, was not tried.
 */
import { isStorageError, StorageError } from "../../base/errors.ts";
import { type Lsn, MIB, type StreamId } from "../../base/units.ts";
import { openBucket, openPastDatabase, type PastDatabase } from "../../restore/index.ts";
import type { ObjectStore } from "../../sink/index.ts";
import { SqliteError } from "../../sqlite/index.ts";
import { FrozenMoment } from "../families/frozen-database.ts";
import { checkIntegrity } from "../jobs/integrity-check.ts";
import type { StoreGround } from "../store-ground.ts";
import { FilePages } from "./file-pages.ts";
import type { PacedReads } from "./paced-reads.ts";
import type { Sample } from "./scrubber.ts";

const STEP_BYTES = MIB;
/** What SQLite says when it cannot make sense of the pages. */
const BROKEN = ["SQLITE_CORRUPT", "SQLITE_NOTADB"];

/** Undefined: see (3). Rejects if it cannot be told now, with BOP_SINK_UNAVAILABLE for one. */
export async function trySample(
  store: StoreGround,
  { stream, bucket }: { readonly stream: StreamId; readonly bucket: ObjectStore },
  reads: PacedReads,
): Promise<Sample | undefined> {
  const { env } = store;
  const { signal } = reads;
  const name = store.catalogue.databases.row(stream)?.name;
  if (name === undefined) return undefined;
  try {
    const acknowledgedLsn = await acknowledgedOf(store, stream);
    const opened = await openBucket(bucket, { env, signal });
    try {
      const past = await openPastDatabase({ env, ...opened, database: name, signal });
      try {
        return await look(store, { past, stream, acknowledgedLsn }, reads);
      } finally {
        await past.close();
      }
    } finally {
      await opened.close();
    }
  } catch (error) {
    const isAbsent =
      isStorageError(error, "BOP_NOT_FOUND") ||
      isStorageError(error, "BOP_NO_RESTORE_POINT") ||
      isStorageError(error, "BOP_DROPPED");
    if (isAbsent) return undefined;
    const isDamage =
      isStorageError(error, "BOP_SINK_CORRUPT") || isStorageError(error, "BOP_CORRUPT");
    if (!isDamage) throw error;
    return { bytes: 0, problem: error.message };
  }
}

/** Its newest commit, if that is acknowledged; 0 if nothing is that can be told. */
async function acknowledgedOf(store: StoreGround, stream: StreamId): Promise<number> {
  const { newestLsn } = (await store.database(stream)).space;
  const remoteLsn = store.shipping?.shipper.remoteLsn ?? 0;
  return newestLsn <= remoteLsn ? newestLsn : 0;
}

interface Trial {
  readonly past: PastDatabase;
  readonly stream: StreamId;
  readonly acknowledgedLsn: number;
}

async function look(
  store: StoreGround,
  { past, stream, acknowledgedLsn }: Trial,
  reads: PacedReads,
): Promise<Sample> {
  const { pageBytes, pageCount, lsn } = past;
  if (lsn < acknowledgedLsn) {
    const problem = `it can be restored up to ${lsn}, and its commit ${acknowledgedLsn} was shipped`;
    return { bytes: 0, problem };
  }
  const bytes = pageBytes * pageCount;
  if (pageCount === 0) return { bytes, problem: "" };
  const { env } = store;
  await refuseWithoutRoom(store, bytes);
  const file = env.storage.scratch();
  try {
    const step = Math.max(1, Math.floor(STEP_BYTES / pageBytes));
    for (let from = 1; from <= pageCount; from += step) {
      const to = Math.min(pageCount, from + step - 1);
      await reads.take((to - from + 1) * pageBytes);
      const images = await past.pages(from, to);
      for (const [index, image] of images.entries()) {
        file.write(image, (from - 1 + index) * pageBytes);
      }
      await reads.turn();
    }
    const found = await integrityOf(store, {
      stream,
      pages: new FilePages(file, { lsn, pageCount, pageBytes }),
      lsn,
      signal: reads.signal,
    });
    return { bytes, problem: found === "ok" ? "" : `integrity_check: ${found}` };
  } finally {
    file.close();
  }
}

/** The check waits until there is room: it is not worth a store that cannot go on. */
async function refuseWithoutRoom({ env, options }: StoreGround, bytes: number): Promise<void> {
  const free = await env.storage.freeBytes(options.directory);
  if (free - bytes > options.limits.reserveBytes) return;
  const message = `no room to restore ${bytes} bytes for a try; ${free} are free`;
  const details = { operation: "scrub", file: options.directory };
  throw new StorageError("BOP_DISK_FULL", message, { details });
}

interface Pages {
  readonly stream: StreamId;
  readonly pages: FilePages;
  readonly lsn: Lsn;
  readonly signal: AbortSignal;
}

async function integrityOf(
  store: StoreGround,
  { stream, pages, lsn, signal }: Pages,
): Promise<string> {
  const live = await store.database(stream);
  const createdAt = new Date(store.env.clock.wallMs());
  const info = { name: "scrub", scope: "database", lsn, createdAt } as const;
  const moment = new FrozenMoment(live.options, pages, info);
  try {
    return await checkIntegrity(
      { database: moment.database, clock: store.env.clock },
      { stream, signal, progress: () => {} },
    );
  } catch (error) {
    if (error instanceof SqliteError && BROKEN.includes(error.sqliteCode)) return error.message;
    throw error;
  } finally {
    moment.close();
  }
}

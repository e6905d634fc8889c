/**
 * EXPORT: the pages of one durable moment, written as the SQLite file that they are.
 *
 * (1) The file appears under its name when it is complete and synced, or not at all.
 * (2) Writes go on meanwhile: a snapshot is pinned.
 * (3) Pages that are in the bucket are brought on the way, and may go again behind it.
 */
import type { Env, File } from "../../base/env.ts";
import { ioError, StorageError, systemCode } from "../../base/errors.ts";
import { MIB, pageNumber } from "../../base/units.ts";
import type { PageSpace, Snapshot } from "../../page-store/index.ts";
import type { OpenDatabase } from "../queries/open-database.ts";
import { LongRead, type PageWaits } from "../queries/page-waits.ts";
import type { Session } from "../queries/session.ts";
import { refuseUnknown } from "../refuse-unknown.ts";
import { TRANSFER_OPTIONS, type TransferOptions } from "./transfer-options.ts";

/** Bytes written between two turns of the event loop. */
const SLICE_BYTES = MIB;
/** Of the name of the unfinished file, so that it is nobody else's. */
const UNIQUE_BYTES = 8;

export interface ExportJob {
  readonly database: OpenDatabase;
  readonly session: Session;
  readonly path: string;
}

export async function exportDatabase(job: ExportJob, options: TransferOptions): Promise<void> {
  refuseUnknown("export", options, TRANSFER_OPTIONS);
  const { database, session, path } = job;
  const { env, kick } = database.options;
  database.assertOpen();
  await refuseExisting(env, path);
  kick();
  const { space } = database;
  const snapshot = space.pin(database.horizonOf(session));
  try {
    await database.gate.passed(snapshot.lsn);
    const { pages } = database;
    await intoNewFile(env, path, (file) => writePages({ space, snapshot, file, pages }, options));
  } finally {
    space.unpin(snapshot);
  }
}

/** See (1). Throws BOP_EXISTS if there is one already, BOP_DISK_FULL and BOP_IO. */
export async function intoNewFile(
  env: Env,
  path: string,
  fill: (file: File) => Promise<void>,
): Promise<void> {
  await refuseExisting(env, path);
  const unique = Buffer.from(env.random.bytes(UNIQUE_BYTES)).toString("hex");
  const partial = `${path}.${unique}.partial`;
  try {
    await withFile(env, partial, fill);
    await env.storage.rename(partial, path);
    await env.storage.syncDirectory(parentOf(path));
  } catch (error) {
    await env.storage.unlink(partial).catch(() => {});
    throw coded(error, path);
  }
}

function coded(error: unknown, path: string): unknown {
  const isOfSystem = !(error instanceof StorageError) && systemCode(error) !== undefined;
  return isOfSystem ? ioError("export", path, error) : error;
}

async function withFile(env: Env, path: string, use: (file: File) => Promise<void>): Promise<void> {
  const file = await env.storage.open(path, "create");
  try {
    await use(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

interface Pages {
  readonly space: PageSpace;
  readonly snapshot: Snapshot;
  readonly file: File;
  readonly pages: PageWaits;
}

export async function writePages(source: Pages, options: TransferOptions): Promise<void> {
  const reading = new LongRead(source.pages, options);
  try {
    await writeSlices(source, reading, options);
  } finally {
    reading.end();
  }
}

async function writeSlices(
  { space, snapshot, file }: Pages,
  reading: LongRead,
  options: TransferOptions,
): Promise<void> {
  const { pageBytes, pageCount } = snapshot;
  const totalBytes = pageBytes * pageCount;
  const pagesPerSlice = Math.max(1, Math.floor(SLICE_BYTES / Math.max(1, pageBytes)));
  const slice = new Uint8Array(pagesPerSlice * pageBytes);
  for (let done = 0; done < pageCount; done += pagesPerSlice) {
    options.signal?.throwIfAborted();
    const count = Math.min(pagesPerSlice, pageCount - done);
    await reading.run(() => {
      for (let index = 0; index < count; index++) {
        slice.set(space.read(snapshot, pageNumber(done + index + 1)), index * pageBytes);
      }
    });
    await file.write(slice.subarray(0, count * pageBytes), done * pageBytes);
    options.onProgress?.((done + count) * pageBytes, totalBytes);
  }
}

function parentOf(path: string): string {
  const end = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  if (end < 0) return ".";
  return end === 0 ? path.slice(0, 1) : path.slice(0, end);
}

async function refuseExisting(env: Env, path: string): Promise<void> {
  const there = await env.storage.stat(path).catch((error: unknown) => {
    throw coded(error, path);
  });
  if (there === undefined) return;
  throw new StorageError("BOP_EXISTS", `${path} exists; export writes new files only`, {
    details: { name: path },
  });
}

/**
 * A SQLITE FILE AS IT WAS AT ONE MOMENT: pages of the main file, seen through its -wal file.
 *
 * (1) What cannot be read right is refused with BOP_IMPORT and a reason before a page is handed out.
 *     Bad bytes never crash and are never guessed at.
 * (2) A page comes from its newest committed frame in the -wal file, else from the main file. Every
 *     page up to `pageCount` lies in one of the two; a file for which that is not so is truncated.
 * (3) Another process cannot be kept from writing (Node has no file locks). `assertUnchanged` after
 *     the last page tells whether one did: its commit changes the first 100 bytes of the file or the
 *     extent of what is committed in the -wal file, and its transaction under way has a journal.
 */
import { assert } from "../base/assert.ts";
import type { File, Storage } from "../base/env.ts";
import { ioError, StorageError, systemCode } from "../base/errors.ts";
import { decodeHeader, LOCK_OFFSET, pageOneForRollback, SQLITE_HEADER } from "./header.ts";
import { WAL_FILE_HEADER, WalFileScan } from "./wal-file.ts";

export interface SqliteFile {
  readonly pageBytes: number;
  readonly pageCount: number;
  /**
   * Images of the pages `from` to `to`, both included, in order; the first page of a file is 1. Page
   * 1 comes in rollback mode. The images are views into one buffer, which the caller owns.
   */
  pages(from: number, to: number): Promise<Uint8Array[]>;
  /** Throws BOP_IMPORT if somebody wrote to the database since it was opened (3). */
  assertUnchanged(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** The first eight bytes of a rollback journal. */
const JOURNAL_MAGIC = Buffer.from("d9d505f920a163d7", "hex");
const SCAN_BYTES = 1024 * 1024;

/** Throws BOP_IMPORT for what cannot be imported and BOP_IO for what the device refuses. */
export async function openSqliteFile(storage: Storage, path: string): Promise<SqliteFile> {
  const main = await openMain(storage, path);
  let wal: File | undefined;
  try {
    wal = await openIfPresent(storage, `${path}-wal`);
    const files: Files = { storage, path, main, wal };
    const moment = await observe(files);
    return new OpenSqliteFile(files, { moment, shape: shapeOf(path, moment) });
  } catch (error) {
    await wal?.close();
    await main.close();
    throw error instanceof StorageError ? error : ioError("read", path, error);
  }
}

interface Files {
  readonly storage: Storage;
  readonly path: string;
  readonly main: File;
  readonly wal: File | undefined;
}

/** All that a commit of another process would change. */
interface Moment {
  readonly mainHeader: Uint8Array;
  readonly mainBytes: number;
  readonly walHeader: Uint8Array;
  readonly scan: WalFileScan | undefined;
  /** The beginning of the newest committed page 1, wherever it lies. */
  readonly header: Uint8Array;
}

interface Shape {
  readonly pageBytes: number;
  readonly pageCount: number;
}

class OpenSqliteFile implements SqliteFile {
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly #files: Files;
  readonly #moment: Moment;
  #isOpen = true;

  constructor(files: Files, seen: { readonly moment: Moment; readonly shape: Shape }) {
    this.#files = files;
    this.#moment = seen.moment;
    this.pageBytes = seen.shape.pageBytes;
    this.pageCount = seen.shape.pageCount;
  }

  async pages(from: number, to: number): Promise<Uint8Array[]> {
    assert(from >= 1 && from <= to && to <= this.pageCount, "only pages of the file are read");
    const { main, wal, path } = this.#files;
    const { pageBytes } = this;
    const bytes = new Uint8Array((to - from + 1) * pageBytes);
    try {
      await main.read(bytes, (from - 1) * pageBytes);
      const images: Uint8Array[] = [];
      for (let pageNumber = from; pageNumber <= to; pageNumber += 1) {
        const at = (pageNumber - from) * pageBytes;
        const image = bytes.subarray(at, at + pageBytes);
        const imageAt = this.#moment.scan?.images.get(pageNumber);
        if (imageAt !== undefined) await wal?.read(image, imageAt);
        images.push(pageNumber === 1 ? pageOneForRollback(image) : image);
      }
      return images;
    } catch (error) {
      throw ioError("read", path, error);
    }
  }

  async assertUnchanged(): Promise<void> {
    const { storage, path, main } = this.#files;
    const wal = await openIfPresent(storage, `${path}-wal`);
    try {
      const now = await observe({ storage, path, main, wal });
      if (isSame(this.#moment, now)) return;
    } catch (error) {
      throw error instanceof StorageError ? error : ioError("read", path, error);
    } finally {
      await wal?.close();
    }
    throw refusal(path, "another program wrote to it meanwhile; close that program and try again");
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#files.wal?.close();
    await this.#files.main.close();
  }
}

async function openMain(storage: Storage, path: string): Promise<File> {
  const found = await storage.stat(path).catch((error: unknown) => {
    throw ioError("look-up", path, error);
  });
  if (found === undefined) throw refusal(path, "there is no such file");
  if (found.kind !== "file") throw refusal(path, "it is not a file");
  if (found.bytes === 0) {
    throw refusal(path, "it is empty; an empty database needs no file: bop create <name>");
  }
  return storage.open(path, "read").catch((error: unknown) => {
    throw ioError("open", path, error);
  });
}

async function openIfPresent(storage: Storage, path: string): Promise<File | undefined> {
  try {
    return await storage.open(path, "read");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw ioError("open", path, error);
  }
}

async function observe(files: Files): Promise<Moment> {
  await refuseHotJournal(files);
  const { main, wal } = files;
  const mainHeader = await readUpTo(main, SQLITE_HEADER.sizeBytes, 0);
  const mainBytes = await main.size();
  const walHeader =
    wal === undefined ? new Uint8Array(0) : await readUpTo(wal, WAL_FILE_HEADER.sizeBytes, 0);
  const scan = wal === undefined ? undefined : await scanWal(wal, walHeader);
  const pageOneAt = scan?.images.get(1);
  const header =
    wal === undefined || pageOneAt === undefined
      ? mainHeader
      : await readUpTo(wal, SQLITE_HEADER.sizeBytes, pageOneAt);
  return { mainHeader, mainBytes, walHeader, scan, header };
}

function isSame(before: Moment, now: Moment): boolean {
  return (
    Buffer.compare(before.mainHeader, now.mainHeader) === 0 &&
    before.mainBytes === now.mainBytes &&
    Buffer.compare(before.walHeader, now.walHeader) === 0 &&
    before.scan?.committedEndAt === now.scan?.committedEndAt
  );
}

/** A journal that SQLite would roll back on opening: the file holds half of a transaction. */
async function refuseHotJournal({ storage, path }: Files): Promise<void> {
  const journal = await openIfPresent(storage, `${path}-journal`);
  if (journal === undefined) return;
  try {
    const magic = await readUpTo(journal, JOURNAL_MAGIC.length, 0);
    if (JOURNAL_MAGIC.compare(magic) !== 0) return;
  } finally {
    await journal.close();
  }
  throw refusal(
    path,
    "a transaction was under way in it and has left a journal; close the program that uses it, " +
      `or, if none does, let SQLite undo the transaction: sqlite3 ${path} 'select 1'`,
  );
}

async function scanWal(wal: File, header: Uint8Array): Promise<WalFileScan | undefined> {
  const scan = WalFileScan.open(header);
  if (scan === undefined) return undefined;
  const { frameBytes } = scan;
  const window = new Uint8Array(Math.max(1, Math.floor(SCAN_BYTES / frameBytes)) * frameBytes);
  for (let windowAt = WAL_FILE_HEADER.sizeBytes; ; windowAt += window.length) {
    const filled = await wal.read(window, windowAt);
    for (let at = 0; at < window.length; at += frameBytes) {
      if (at + frameBytes > filled) return scan;
      if (!scan.take(window.subarray(at, at + frameBytes))) return scan;
    }
  }
}

function shapeOf(path: string, { header, mainBytes, scan }: Moment): Shape {
  const decoded = decodeHeader(header);
  if (decoded.type === "unreadable") throw refusal(path, decoded.why);
  const { pageBytes } = decoded.header;
  const isFromWal = scan?.pageCount !== undefined;
  if (isFromWal && scan.pageBytes !== pageBytes) {
    const sizes = `${scan.pageBytes} and ${pageBytes} bytes`;
    throw refusal(path, `its -wal file belongs to another database (pages of ${sizes})`);
  }
  const mainPages = Math.floor(mainBytes / pageBytes);
  // A file that has a header is meant to have page 1, whoever wrote it.
  const pageCount = scan?.pageCount ?? decoded.header.pageCount ?? Math.max(1, mainPages);
  for (let pageNumber = mainPages + 1; pageNumber <= pageCount; pageNumber += 1) {
    const isLockPage = (pageNumber - 1) * pageBytes === LOCK_OFFSET;
    if (isLockPage || scan?.images.has(pageNumber)) continue;
    throw refusal(path, `it is truncated: of ${pageCount} pages, page ${pageNumber} is missing`);
  }
  return { pageBytes, pageCount };
}

async function readUpTo(file: File, bytes: number, at: number): Promise<Uint8Array> {
  const into = new Uint8Array(bytes);
  return into.subarray(0, await file.read(into, at));
}

function refusal(file: string, why: string): StorageError<"BOP_IMPORT"> {
  return new StorageError("BOP_IMPORT", `${file} cannot be imported: ${why}`, {
    details: { file, why },
  });
}

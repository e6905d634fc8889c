/**
 * IMPORT: a database is made of a SQLite file.
 *
 * (1) Nothing of it can be seen before it is complete and checked: it is written under a catalogue
 *     row in state `importing`, and becomes live by one entry of the catalogue at the end.
 * (2) An import that fails, or that a crash cuts off, leaves nothing: its row is dropped, at once or
 *     when the store opens.
 * (3) Pages are copied as they are. What the engine could not work with (a module that it lacks,
 *     damage) is found before the database is live, and refused with the reason.
 */
import { StorageError } from "../base/errors.ts";
import { MIB } from "../base/units.ts";
import type { PageSpace } from "../page-store/index.ts";
import { type SqliteConnection, SqliteError } from "../sqlite/index.ts";
import type { SqliteFile } from "../sqlite-file/index.ts";
import type { Log } from "../write/index.ts";
import type { TransferOptions } from "./api.ts";

/** Bytes that one commit of an import carries. */
const COMMIT_BYTES = 4 * MIB;

export interface ImportTarget {
  readonly space: PageSpace;
  readonly log: Log;
  /** Opens a connection to what was imported so far. */
  readonly connect: () => SqliteConnection;
}

/** Copies every page of the file, then checks what was copied. Leaves it to the caller to publish. */
export async function importFile(
  source: { readonly file: SqliteFile; readonly path: string },
  target: ImportTarget,
  options: TransferOptions,
): Promise<void> {
  await copyPages(source.file, target, options);
  await source.file.assertUnchanged();
  const connection = target.connect();
  try {
    check(connection, source.path);
  } finally {
    connection.close();
  }
}

async function copyPages(
  file: SqliteFile,
  { space, log }: ImportTarget,
  options: TransferOptions,
): Promise<void> {
  const { pageBytes, pageCount } = file;
  const perCommit = Math.max(1, Math.floor(COMMIT_BYTES / pageBytes));
  for (let from = 1; from <= pageCount; from += perCommit) {
    options.signal?.throwIfAborted();
    const to = Math.min(pageCount, from + perCommit - 1);
    const images = await file.pages(from, to);
    const base = space.pin(space.newestLsn);
    try {
      const pages = new Map(images.map((image, index) => [from + index, image.slice()]));
      await log.durable(space.stage({ base, pageCount, pageBytes, pages }).seal());
    } finally {
      space.unpin(base);
    }
    options.onProgress?.(to * pageBytes, pageCount * pageBytes);
  }
}

function check(connection: SqliteConnection, path: string): void {
  try {
    for (const name of firstColumn(connection, VIRTUAL_TABLES)) {
      connection
        .prepare(`select 1 from "${name.replaceAll('"', '""')}" limit 0`)
        .statement?.finalize();
    }
    const [verdict] = firstColumn(connection, "pragma quick_check(1)");
    if (verdict !== "ok") throw refusal(path, `it is damaged: ${verdict}`);
  } catch (error) {
    if (error instanceof SqliteError) throw refusal(path, reasonOf(error), error);
    throw error;
  }
}

const VIRTUAL_TABLES =
  "select name from sqlite_schema where type = 'table' and sql like 'create virtual table%'";

function reasonOf({ message }: SqliteError): string {
  const module = /no such module: (\S+)/.exec(message)?.[1];
  if (module === undefined) return message;
  return `it has a virtual table of the module "${module}", which this engine does not contain`;
}

function firstColumn(connection: SqliteConnection, sql: string): string[] {
  const { statement } = connection.prepare(sql);
  const values: string[] = [];
  try {
    while (statement?.step()) values.push(String(statement.value(0, "number")));
  } finally {
    statement?.finalize();
  }
  return values;
}

function refusal(path: string, why: string, cause?: unknown): StorageError {
  return new StorageError("BOP_IMPORT", `${path} cannot be imported: ${why}`, {
    details: { file: path, why },
    ...(cause === undefined ? {} : { cause }),
  });
}

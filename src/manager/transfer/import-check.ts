/**
 * WHAT WAS IMPORTED, LOOKED THROUGH before anybody sees it: is it a database that the engine can work
 * with, and whole.
 *
 *   every page walked ──► the schema read ──► modules there ──► each table asked
 *
 * (1) It goes in slices: between two turns of the event loop lie some milliseconds, however large the
 *     file is. A statement of SQLite's is one go, so none is run whose time grows with the file.
 * (2) The walk finds what is wrong with the structure (sqlite-file/page-walk.ts). SQLite's own
 *     `quick_check` runs besides where that takes no longer than a slice: over the whole of a small
 *     file, over the small tables of a large one.
 * (3) A table that is too large for that is asked for one row, and its indexes have as many entries.
 * (4) Whatever is wrong is BOP_IMPORT.
 */
import type { Clock } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { TimeSlice } from "../../base/time-slice.ts";
import { MIB, pageNumber } from "../../base/units.ts";
import type { PageSpace, Snapshot } from "../../page-store/index.ts";
import { type SqliteConnection, SqliteError } from "../../sqlite/index.ts";
import { type WalkedTree, walkPages } from "../../sqlite-file/index.ts";
import { LongRead, type PageWaits } from "../queries/page-waits.ts";

export interface ImportedPages {
  readonly space: PageSpace;
  readonly pages: PageWaits;
  readonly clock: Clock;
  /** Opens a connection to what was imported so far. */
  readonly connect: () => SqliteConnection;
}

/** See (2). */
const SMALL_BYTES = MIB / 4;
const NO_PAGE = new Uint8Array(0);

const VIRTUAL_TABLES =
  "select name from sqlite_schema where type = 'table' and sql like 'create virtual table%'";

export async function checkImported(
  imported: ImportedPages,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { space, pages } = imported;
  const reading = new LongRead(pages, signal && { signal });
  const snapshot = space.pin(space.newestLsn);
  try {
    const check = new ImportCheck({ ...imported, reading, snapshot, path, signal });
    await check.tables(await check.walk());
  } finally {
    space.unpin(snapshot);
    reading.end();
  }
}

interface Parts extends ImportedPages {
  readonly reading: LongRead;
  readonly snapshot: Snapshot;
  readonly path: string;
  readonly signal: AbortSignal | undefined;
}

class ImportCheck {
  readonly #parts: Parts;
  readonly #slice: TimeSlice;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#slice = new TimeSlice(parts.clock);
  }

  async walk(): Promise<readonly WalkedTree[]> {
    const { space, snapshot, reading, path } = this.#parts;
    const walk = walkPages(snapshot);
    let step = walk.next();
    const slice = (): void => {
      while (step.done !== true && !this.#slice.isOver) {
        const wanted = step.value;
        step = walk.next(wanted === 0 ? NO_PAGE : space.read(snapshot, pageNumber(wanted)));
      }
    };
    while (step.done !== true) {
      await reading.run(slice); // Whoever has to wait for a page asks for the same one again.
      await this.#turn();
    }
    const verdict = step.value;
    if (verdict.type === "sound") return verdict.trees;
    throw refusal(path, `it is damaged: page ${verdict.page}: ${verdict.why}`, {
      page: verdict.page,
    });
  }

  /** With the engine itself: see (2) and (3). */
  async tables(trees: readonly WalkedTree[]): Promise<void> {
    const { reading, connect, path, snapshot } = this.#parts;
    const connection = connect();
    try {
      for (const name of await reading.run(() => firstColumn(connection, VIRTUAL_TABLES))) {
        const sql = `select 1 from ${quoted(name)} limit 0`;
        await this.#go(() => connection.prepare(sql).statement?.finalize());
      }
      const { pageBytes, pageCount } = snapshot;
      if (pageBytes * pageCount <= SMALL_BYTES) {
        await this.#go(() => this.#quickCheck(connection, "1"));
        return;
      }
      for (const { table, indexes } of byTable(trees)) {
        const pages = indexes.reduce((sum, index) => sum + index.pages, table.pages);
        await this.#go(() => {
          if (pages * pageBytes <= SMALL_BYTES) this.#quickCheck(connection, quoted(table.name));
          else this.#ask(connection, table, indexes);
        });
      }
    } catch (error) {
      if (error instanceof SqliteError) throw refusal(path, reasonOf(error), { cause: error });
      throw error;
    } finally {
      connection.close();
    }
  }

  #quickCheck(connection: SqliteConnection, what: string): void {
    const [verdict] = firstColumn(connection, `pragma quick_check(${what})`);
    if (verdict !== "ok") throw refusal(this.#parts.path, `it is damaged: ${verdict}`);
  }

  /** See (3). */
  #ask(connection: SqliteConnection, table: WalkedTree, indexes: readonly WalkedTree[]): void {
    firstColumn(connection, `select 1 from ${quoted(table.name)} not indexed limit 1`);
    const whole = `select name from pragma_index_list(${literal(table.name)}) where not partial`;
    for (const name of firstColumn(connection, whole)) {
      const index = indexes.find((one) => one.name === name);
      if (index === undefined || index.entries === table.entries) continue; // A table may be its key.
      const counts = `${index.entries} entries for ${table.entries} rows`;
      throw refusal(this.#parts.path, `it is damaged: index ${name} has ${counts}`);
    }
  }

  async #go(work: () => void): Promise<void> {
    await this.#parts.reading.run(work);
    if (this.#slice.isOver) await this.#turn();
  }

  async #turn(): Promise<void> {
    await this.#slice.next();
    this.#parts.signal?.throwIfAborted();
  }
}

interface TableTrees {
  readonly table: WalkedTree;
  readonly indexes: WalkedTree[];
}

function byTable(trees: readonly WalkedTree[]): Iterable<TableTrees> {
  const found = new Map<string, TableTrees>();
  for (const tree of trees) {
    if (tree.type === "table") found.set(tree.name, { table: tree, indexes: [] });
  }
  for (const tree of trees) {
    if (tree.type === "index") found.get(tree.table)?.indexes.push(tree);
  }
  return found.values();
}

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

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function refusal(
  path: string,
  why: string,
  { page, cause }: { readonly page?: number; readonly cause?: unknown } = {},
): StorageError {
  return new StorageError("BOP_IMPORT", `${path} cannot be imported: ${why}`, {
    details: { file: path, why, ...(page !== undefined && { page }) },
    ...(cause !== undefined && { cause }),
  });
}

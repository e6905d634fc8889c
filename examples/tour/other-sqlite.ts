/**
 * ANOTHER SQLITE, to read what we exported: whichever of these this machine has, in this order.
 *
 *   sqlite3        the program, if it is on the PATH
 *   node:sqlite    built into newer versions of Node.js
 *   sqlite-wasm    SQLite's WebAssembly build with its own file system in memory, none of ours
 *
 * (1) All answer alike: rows as arrays of texts, NULL as "NULL".
 * (2) One that is too old for what the sample holds (STRICT tables came with 3.37) is passed over.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import initSqlite from "@sqlite.org/sqlite-wasm";

export interface OtherSqlite {
  /** For people: which one, and its version. */
  readonly name: string;
  query(file: string, sql: string): Promise<string[][]>;
}

type Finder = () => Promise<OtherSqlite | undefined>;

const VERSION_MIN = [3, 37] as const;
const FIELD_SEPARATOR = "\u001f";
const ROW_SEPARATOR = "\u001e";
const run = promisify(execFile);

/** Each is undefined, once looked for, where this machine lacks it. */
export const FINDERS: Readonly<Record<string, Finder>> = {
  sqlite3: findProgram,
  "node:sqlite": findBuiltIn,
  "sqlite-wasm": findWebAssembly,
};

export async function findOtherSqlite(): Promise<OtherSqlite> {
  for (const find of Object.values(FINDERS)) {
    const found = await find();
    if (found !== undefined) return found;
  }
  throw new Error("no other SQLite was found, not even the one in our own dependencies");
}

async function findProgram(): Promise<OtherSqlite | undefined> {
  const version = await run("sqlite3", ["--version"]).then(
    ({ stdout }) => stdout.split(" ")[0] ?? "",
    () => "",
  );
  if (!isRecent(version)) return undefined;
  const form = ["-batch", "-readonly", "-bail", "-noheader", "-nullvalue", "NULL"];
  const separators = ["-separator", FIELD_SEPARATOR, "-newline", ROW_SEPARATOR];
  return {
    name: `the sqlite3 program, ${version}`,
    query: async (file, sql) => {
      const { stdout } = await run("sqlite3", [...form, ...separators, file, sql]);
      const rows = stdout.split(ROW_SEPARATOR).slice(0, -1);
      return rows.map((row) => row.split(FIELD_SEPARATOR));
    },
  };
}

/** The part of node:sqlite that is needed; the types of Node 20 do not know the module. */
interface BuiltIn {
  readonly DatabaseSync: new (
    file: string,
    options: { readonly readOnly: boolean },
  ) => {
    prepare(sql: string): { all(): Record<string, unknown>[] };
    close(): void;
  };
}

async function findBuiltIn(): Promise<OtherSqlite | undefined> {
  const module = (process as { getBuiltinModule?: (id: string) => unknown }).getBuiltinModule?.(
    "node:sqlite",
  ) as BuiltIn | undefined;
  if (module === undefined) return undefined;
  const query = async (file: string, sql: string) => {
    const readOnly = file !== ":memory:";
    const database = new module.DatabaseSync(file, { readOnly });
    try {
      const rows = database.prepare(sql).all();
      return rows.map((row) => Object.values(row).map(textOf));
    } finally {
      database.close();
    }
  };
  const [[version = ""] = []] = await query(":memory:", "select sqlite_version()");
  return isRecent(version) ? { name: `node:sqlite, ${version}`, query } : undefined;
}

async function findWebAssembly(): Promise<OtherSqlite> {
  const { capi, config, oo1, wasm } = await initSqlite();
  Object.assign(config, { warn: () => {} }); // Errors are thrown; it need not print them as well.
  const query = async (file: string, sql: string) => {
    const image = new Uint8Array(await readFile(file)); // It knows no Buffer.
    const database = new oo1.DB(":memory:");
    try {
      const bytes = wasm.allocFromTypedArray(image);
      const free = capi.SQLITE_DESERIALIZE_FREEONCLOSE | capi.SQLITE_DESERIALIZE_READONLY;
      const { length } = image;
      const pointer = database.pointer;
      if (pointer === undefined) throw new Error("sqlite-wasm: the database did not open");
      database.checkRc(capi.sqlite3_deserialize(pointer, "main", bytes, length, length, free));
      const rows: unknown[][] = database.exec({ sql, rowMode: "array", returnValue: "resultRows" });
      return rows.map((row) => row.map(textOf));
    } finally {
      database.close();
    }
  };
  return { name: `sqlite-wasm with its own memory, ${capi.sqlite3_libversion()}`, query };
}

function textOf(value: unknown): string {
  return value === null ? "NULL" : String(value);
}

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > VERSION_MIN[0] || (major === VERSION_MIN[0] && minor >= VERSION_MIN[1]);
}

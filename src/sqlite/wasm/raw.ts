/**
 * THE RAW MODULE: the exported C functions of a build as they are, without the official wrapper's
 * conversions, and its few helpers that are used at set-up.
 *
 * (1) The compiled module of each build is kept for the life of the process; every engine is a
 *     fresh instance of it, with its own memory.
 * (2) An instance may be made ahead of its use (`prepareEngines`), for making one waits for the
 *     real world, which a simulation must not do while its time passes.
 * (3) The two builds name the same helpers differently (`sqlite3__wasm_…`, `sqlite3_wasm_…`), and
 *     libSQL's lacks some functions: those are optional here.
 */
import { readPackageFile } from "../../io/index.ts";
import type { EngineKind } from "../api.ts";
import {
  type WasmImports,
  type WasmInstance,
  type WasmMemory,
  type WasmModule,
  webAssembly,
} from "./web-assembly.ts";

/** A pointer into the instance's memory. 0 is NULL. */
export type Pointer = number;

/** What both builds export and we call. i64 parameters and results are bigints. */
export interface RawFunctions {
  sqlite3_libversion(): Pointer;
  sqlite3_malloc(bytes: number): Pointer;
  sqlite3_free(pointer: Pointer): void;
  sqlite3_randomness(bytes: number, into: Pointer): void;
  sqlite3_vfs_register(vfs: Pointer, makeDefault: number): number;
  sqlite3_open_v2(name: Pointer, db: Pointer, flags: number, vfs: Pointer): number;
  sqlite3_close_v2(db: Pointer): number;
  sqlite3_extended_result_codes(db: Pointer, on: number): number;
  sqlite3_extended_errcode(db: Pointer): number;
  sqlite3_errmsg(db: Pointer): Pointer;
  sqlite3_errstr(code: number): Pointer;
  sqlite3_error_offset(db: Pointer): number;
  sqlite3_limit(db: Pointer, id: number, value: number): number;
  sqlite3_set_authorizer(db: Pointer, callback: Pointer, argument: Pointer): number;
  sqlite3_progress_handler(
    db: Pointer,
    operations: number,
    callback: Pointer,
    argument: Pointer,
  ): void;
  sqlite3_get_autocommit(db: Pointer): number;
  sqlite3_changes(db: Pointer): number;
  sqlite3_changes64(db: Pointer): bigint;
  sqlite3_total_changes64(db: Pointer): bigint;
  sqlite3_last_insert_rowid(db: Pointer): bigint;
  sqlite3_set_last_insert_rowid(db: Pointer, rowid: bigint): void;
  sqlite3_db_status(
    db: Pointer,
    operation: number,
    current: Pointer,
    highest: Pointer,
    reset: number,
  ): number;
  sqlite3_prepare_v3(
    db: Pointer,
    sql: Pointer,
    bytes: number,
    flags: number,
    statement: Pointer,
    tail: Pointer,
  ): number;
  sqlite3_step(statement: Pointer): number;
  sqlite3_reset(statement: Pointer): number;
  sqlite3_finalize(statement: Pointer): number;
  sqlite3_stmt_readonly(statement: Pointer): number;
  sqlite3_stmt_isexplain(statement: Pointer): number;
  sqlite3_stmt_status(statement: Pointer, operation: number, reset: number): number;
  sqlite3_bind_parameter_count(statement: Pointer): number;
  sqlite3_bind_parameter_index(statement: Pointer, name: Pointer): number;
  sqlite3_bind_null(statement: Pointer, index: number): number;
  sqlite3_bind_int(statement: Pointer, index: number, value: number): number;
  sqlite3_bind_int64(statement: Pointer, index: number, value: bigint): number;
  sqlite3_bind_double(statement: Pointer, index: number, value: number): number;
  sqlite3_bind_text(
    statement: Pointer,
    index: number,
    text: Pointer,
    bytes: number,
    release: Pointer,
  ): number;
  sqlite3_bind_blob(
    statement: Pointer,
    index: number,
    blob: Pointer,
    bytes: number,
    release: Pointer,
  ): number;
  sqlite3_column_count(statement: Pointer): number;
  sqlite3_column_name(statement: Pointer, index: number): Pointer;
  sqlite3_column_value(statement: Pointer, index: number): Pointer;
  sqlite3_column_double(statement: Pointer, index: number): number;
  sqlite3_column_int64(statement: Pointer, index: number): bigint;
  sqlite3_bind_parameter_name?(statement: Pointer, index: number): Pointer;
  sqlite3_column_decltype?(statement: Pointer, index: number): Pointer;
  sqlite3_column_table_name?(statement: Pointer, index: number): Pointer;
  sqlite3_column_origin_name?(statement: Pointer, index: number): Pointer;
}

/** `sqlite3_db_config` for an operation that takes an int and gives one back. */
type DbConfig = (db: Pointer, operation: number, value: number, result: Pointer) => number;
/** The same for SQLITE_DBCONFIG_LOOKASIDE: memory (0: its own), size and number of slots. */
type DbLookaside = (...args: [Pointer, number, Pointer, number, number]) => number;

export interface RawModule {
  readonly c: RawFunctions;
  readonly dbConfig: DbConfig;
  readonly dbLookaside: DbLookaside;
  readonly memory: WasmMemory;
  /** Address of the C function that frees what `sqlite3_malloc` gave. */
  readonly freeFunction: Pointer;
  /** Makes a JavaScript or WebAssembly function callable from C; gives its address. */
  install(signature: string, callback: (...args: never[]) => unknown): Pointer;
  /** Byte offset of a member in one of the structs of the VFS. */
  member(struct: "sqlite3_vfs" | "sqlite3_io_methods", name: string): number;
  sizeBytes(struct: "sqlite3_vfs" | "sqlite3_io_methods"): number;
}

interface StructInfo {
  readonly sizeof: number;
  readonly members: Readonly<Record<string, { readonly offset: number } | undefined>>;
}

/** The part of what the packages hand out that we use. Their own declarations disagree with it. */
interface OfficialModule {
  readonly capi: Readonly<
    Record<"sqlite3_vfs" | "sqlite3_io_methods", { structInfo: StructInfo }>
  > & {
    readonly SQLITE_WASM_DEALLOC: Pointer;
  };
  readonly wasm: {
    readonly exports: RawFunctions & Readonly<Record<string, unknown>>;
    readonly memory: WasmMemory;
    installFunction(signature: string, callback: (...args: never[]) => unknown): Pointer;
    uninstallFunction(pointer: Pointer): unknown;
  };
}

type Instantiated = (instance: WasmInstance, module: WasmModule) => void;

interface InitOptions {
  print(text: string): void;
  printErr(text: string): void;
  instantiateWasm(imports: WasmImports, done: Instantiated): unknown;
}

type Init = (options: InitOptions) => Promise<OfficialModule>;

const PACKAGES = {
  sqlite: { name: "@sqlite.org/sqlite-wasm", file: "sqlite3.wasm" },
  libsql: { name: "@libsql/libsql-wasm-experimental", file: "sqlite-wasm/jswasm/sqlite3.wasm" },
} as const;

const compiled = new Map<EngineKind, Promise<WasmModule>>();
/** See (2). Each is used once. */
const prepared: Record<EngineKind, (() => RawModule)[]> = { sqlite: [], libsql: [] };

/** See (2). The next `count` engines of this kind are then loaded without a real wait. */
export async function prepareEngines(kind: EngineKind, count: number): Promise<void> {
  while (prepared[kind].length < count) {
    const official = await freshModule(kind);
    prepared[kind].push(() => rawModule(official));
  }
}

/** See (2). The next engine of this kind, and no other, is what this gives: see reuse.ts. */
export function prepareRaw(kind: EngineKind, give: () => RawModule): void {
  prepared[kind] = [give];
}

export async function loadRawModule(kind: EngineKind): Promise<RawModule> {
  return prepared[kind].pop()?.() ?? rawModule(await freshModule(kind));
}

export async function freshModule(kind: EngineKind): Promise<OfficialModule> {
  const init = await importInit(kind);
  return instantiate(init, await compiledModule(kind));
}

async function importInit(kind: EngineKind): Promise<Init> {
  const imported =
    kind === "sqlite"
      ? await import("@sqlite.org/sqlite-wasm")
      : await import("@libsql/libsql-wasm-experimental");
  return imported.default as unknown as Init;
}

/** See (1). A failure is not kept, so that the next engine tries again. */
function compiledModule(kind: EngineKind): Promise<WasmModule> {
  const known = compiled.get(kind);
  if (known !== undefined) return known;
  const { name, file } = PACKAGES[kind];
  const promise = readPackageFile(name, file).then((bytes) => webAssembly.compile(bytes));
  compiled.set(kind, promise);
  promise.catch(() => compiled.delete(kind));
  return promise;
}

function instantiate(init: Init, module: WasmModule): Promise<OfficialModule> {
  return new Promise((resolve, reject) => {
    init({
      print: ignore,
      printErr: ignore,
      instantiateWasm(imports, done) {
        webAssembly.instantiate(module, imports).then((instance) => done(instance, module), reject);
        return {};
      },
    }).then(resolve, reject);
  });
}

/** What the C library would print is in its result codes too. */
function ignore(): void {}

export function rawModule(official: OfficialModule): RawModule {
  const { capi, wasm } = official;
  const helper = (name: string): unknown =>
    wasm.exports[`sqlite3__wasm_${name}`] ?? wasm.exports[`sqlite3_wasm_${name}`];
  return {
    c: wasm.exports,
    dbConfig: helper("db_config_ip") as DbConfig,
    dbLookaside: helper("db_config_pii") as DbLookaside,
    memory: wasm.memory,
    freeFunction: capi.SQLITE_WASM_DEALLOC,
    install: (signature, callback) => wasm.installFunction(signature, callback),
    member(struct, name) {
      const found = capi[struct].structInfo.members[name];
      if (found === undefined) throw new TypeError(`${struct} has no member ${name}`);
      return found.offset;
    },
    sizeBytes: (struct) => capi[struct].structInfo.sizeof,
  };
}

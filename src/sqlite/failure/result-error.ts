/** ERRORS OUT OF C: a result code and what the connection says about it, as an exception. */

import type { EngineCore } from "../engine-core.ts";
import * as abi from "../wasm/abi.ts";
import type { Pointer } from "../wasm/raw.ts";
import { SqliteError } from "./errors.ts";
import { resultCodeName } from "./result-codes.ts";

export interface ResultErrorOptions {
  readonly db: Pointer;
  readonly code: number;
  /** The text that was compiled: an error's position is counted in its characters. */
  readonly sql?: string;
  /** Says why the authorizer refused; SQLite itself would only say "not authorized". */
  readonly refusal?: string | undefined;
}

/**
 * What a failed call throws: what a callback threw (a StorageError from the page space, say) if
 * there is such, else SQLite's own words.
 */
export function resultError(core: EngineCore, options: ResultErrorOptions): unknown {
  const { c, heap, vfs } = core;
  const fault = vfs.faults.error;
  if (fault !== undefined) {
    vfs.faults.clear();
    return fault;
  }
  const { db, code, sql, refusal } = options;
  const own = db === 0 ? 0 : c.sqlite3_extended_errcode(db);
  const extendedCode = own !== 0 && (own & 0xff) === (code & 0xff) ? own : code;
  const said = own === 0 ? c.sqlite3_errstr(code) : c.sqlite3_errmsg(db);
  heap.fresh();
  const message = heap.cString(said) ?? "unknown error";
  const isRefused = (code & 0xff) === abi.SQLITE_AUTH && refusal !== undefined;
  return new SqliteError(isRefused ? refusal : message, {
    sqliteCode: resultCodeName(extendedCode),
    extendedCode,
    sqlOffset: sql === undefined ? undefined : errorOffset(core, db, sql),
  });
}

/** SQLite counts bytes of UTF-8, a caller characters of a string. */
function errorOffset({ c }: EngineCore, db: Pointer, sql: string): number | undefined {
  const bytes = c.sqlite3_error_offset(db);
  if (bytes < 0) return undefined;
  return Buffer.from(sql).subarray(0, bytes).toString().length;
}

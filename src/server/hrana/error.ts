/**
 * ERRORS ON THE WIRE. Two kinds: what a statement did wrong is answered in band, with HTTP 200, so
 * that the rest of a pipeline goes on; what is wrong with the request as a whole is an HTTP status.
 *
 * (1) A client never sees a path, a position in a file or a stack: errors of the machine keep their
 *     code and lose their text. The log has all of it.
 * (2) SQLite's errors carry the primary code in `code` and the extended one in `extended_code`, so
 *     that programs may compare either.
 */
import { StorageError } from "../../base/errors.ts";
import { SqliteError } from "../../sqlite/index.ts";
import type { WireError } from "./protocol.ts";

/** Codes of ours whose message speaks of the caller's own doing and may be shown as it is. */
const SHOWN: ReadonlySet<string> = new Set([
  "BOP_BACKPRESSURE",
  "BOP_CLOSED",
  "BOP_DROPPED",
  "BOP_EXISTS",
  "BOP_NOT_FOUND",
  "BOP_OUTCOME_UNKNOWN",
  "BOP_READ_ONLY",
  "BOP_SQLITE",
  "BOP_TIMEOUT",
  "BOP_TRANSACTION_TOO_LARGE",
]);

/** HTTP status of the errors that keep a stream from being opened. */
const STATUS: Readonly<Record<string, number>> = {
  BOP_BACKPRESSURE: 503,
  BOP_CLOSED: 503,
  BOP_DROPPED: 404,
  BOP_NOT_FOUND: 404,
  BOP_READ_ONLY: 503,
};

/** Raised by the server itself. `status` counts where the error cannot be answered in band. */
export class HranaError extends Error {
  override readonly name = "HranaError";
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** The request is not Hrana. Nothing of it was carried out. */
export function protocolError(message: string): HranaError {
  return new HranaError("HRANA_PROTO_ERROR", message);
}

export function wireError(error: unknown): WireError {
  if (error instanceof HranaError) return { message: error.message, code: error.code };
  if (error instanceof SqliteError) {
    const { message, sqliteCode } = error;
    return { message, code: primaryCode(sqliteCode), extendedCode: sqliteCode };
  }
  if (error instanceof StorageError) {
    const shown = SHOWN.has(error.code);
    return { message: shown ? error.message : hidden(error.code), code: error.code };
  }
  return { message: hidden("INTERNAL_ERROR"), code: "INTERNAL_ERROR" };
}

/** HTTP status for an error that ends the whole request. */
export function httpStatus(error: unknown): number {
  if (error instanceof HranaError) return error.status;
  return error instanceof StorageError ? (STATUS[error.code] ?? 500) : 500;
}

/** True if the log must have it: the fault is the machine's or ours, not the caller's. */
export function isOurFault(error: unknown): boolean {
  if (error instanceof HranaError || error instanceof SqliteError) return false;
  return !(error instanceof StorageError && SHOWN.has(error.code));
}

function hidden(code: string): string {
  return `${code}: the server could not do this; its log says why`;
}

/** `SQLITE_CONSTRAINT_UNIQUE` → `SQLITE_CONSTRAINT`: every extended name begins with its primary. */
function primaryCode(sqliteCode: string): string {
  return sqliteCode.split("_").slice(0, 2).join("_");
}

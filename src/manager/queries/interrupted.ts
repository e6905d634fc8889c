/** An interrupt is what a deadline looks like to SQLite; the caller is told of the deadline. */
import { StorageError } from "../../base/errors.ts";
import { SqliteError } from "../../sqlite/index.ts";

const SQLITE_INTERRUPT = 9;

/** The error as it is, or BOP_TIMEOUT if it says that a statement ran out of its time. */
export function interrupted(error: unknown, timeoutMs: number | undefined): unknown {
  if (timeoutMs === undefined) return error;
  if (!(error instanceof SqliteError) || error.extendedCode !== SQLITE_INTERRUPT) return error;
  return new StorageError("BOP_TIMEOUT", `it ran longer than ${timeoutMs} ms`, {
    details: { operation: "statement", timeoutMs },
    cause: error,
  });
}

/**
 * ERRORS as @libsql/client throws them: the primary code in `code`, the extended one in
 * `extendedCode`, the number in `rawCode`. Codes of ours (BOP_…) pass as they are. Misuse stays a
 * TypeError or a RangeError.
 */
import { LibsqlBatchError, LibsqlError } from "@libsql/core/api";
import { StorageError } from "../base/errors.ts";
import { SqliteError } from "../sqlite/index.ts";

export function libsqlError(error: unknown): unknown {
  if (error instanceof SqliteError) {
    const { message, sqliteCode, extendedCode } = error;
    // Every extended name begins with its primary: SQLITE_CONSTRAINT_UNIQUE.
    const primary = sqliteCode.split("_").slice(0, 2).join("_");
    return new LibsqlError(message, primary, sqliteCode, extendedCode, error);
  }
  if (error instanceof StorageError) {
    return new LibsqlError(error.message, error.code, undefined, undefined, error);
  }
  return error;
}

/** The same, with the place of the statement in its batch. */
export function batchError(error: unknown, statementIndex: number): unknown {
  const mapped = libsqlError(error);
  if (!(mapped instanceof LibsqlError)) return mapped;
  const { code, extendedCode, rawCode, cause } = mapped;
  const message = mapped.message.slice(`${code}: `.length);
  const inner = cause instanceof Error ? cause : undefined;
  return new LibsqlBatchError(message, statementIndex, code, extendedCode, rawCode, inner);
}

export function clientClosed(): LibsqlError {
  return new LibsqlError("The client is closed", "CLIENT_CLOSED");
}

export function transactionClosed(): LibsqlError {
  return new LibsqlError("The transaction is closed", "TRANSACTION_CLOSED");
}

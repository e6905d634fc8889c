/** WHAT A SEAT REFUSES: of the statements that a transaction's function makes, or a second one of those. */
import { SqliteError } from "../../sqlite/index.ts";

const SQLITE_READONLY = 8;

export function endsByReturning(): TypeError {
  return new TypeError(
    "a transaction ends when its function returns or throws; for savepoints use tx.transaction",
  );
}

export function inTransaction(): TypeError {
  return new TypeError("the connection is in a transaction already");
}

export function readOnlyTransaction(): SqliteError {
  return new SqliteError("attempt to write in a read transaction", {
    sqliteCode: "SQLITE_READONLY",
    extendedCode: SQLITE_READONLY,
  });
}

/** What SQLite itself refused, with its name for it. */
import { StorageError } from "../../base/errors.ts";

/** Code BOP_SQLITE. `sqliteCode` is the extended code's name: `SQLITE_CONSTRAINT_UNIQUE`. */
export class SqliteError extends StorageError<"BOP_SQLITE"> {
  override readonly name: string = "SqliteError";
  readonly sqliteCode: string;
  readonly extendedCode: number;
  /** Where in the SQL text the error lies, in characters; undefined if SQLite does not say. */
  readonly sqlOffset: number | undefined;
  /** Which statement of a batch failed, counted from 0; undefined outside of batches. */
  statementIndex: number | undefined;

  constructor(message: string, context: SqliteErrorContext) {
    const { sqliteCode, extendedCode, sqlOffset, cause } = context;
    const busy = (extendedCode & 0xff) === 5;
    super("BOP_SQLITE", message, {
      details: { sqliteCode, extendedCode },
      retryable: busy,
      ...(cause === undefined ? {} : { cause }),
    });
    this.sqliteCode = sqliteCode;
    this.extendedCode = extendedCode;
    this.sqlOffset = sqlOffset;
  }
}

export interface SqliteErrorContext {
  readonly sqliteCode: string;
  readonly extendedCode: number;
  readonly sqlOffset?: number | undefined;
  readonly cause?: unknown;
}

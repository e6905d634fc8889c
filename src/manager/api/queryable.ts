/** WHAT CAN RUN SQL: what a database, a connection, a transaction and a snapshot have in common. */
import type { ColumnInfo, IntegerMode, SqlParameters, SqlValue } from "../../sqlite/index.ts";
import type { Row, Statement } from "./statement.ts";

/** What can run SQL: a database, a connection, a transaction. */
export interface Queryable {
  /**
   * A statement for repeated use. Synchronous and cheap; SQL errors surface at its first use, as
   * does more than one statement in the text (a TypeError).
   */
  prepare<R = Row>(sql: string): Statement<R>;
  /** Runs every statement of the text in order; stops at the first error. Drops rows. */
  exec(sql: string, options?: ExecOptions): Promise<void>;
  /**
   * Runs one statement and returns all there is to know: columns, rows as arrays, counters.
   * Integers come as bigint unless told otherwise.
   */
  execute(
    sql: string,
    parameters?: SqlParameters,
    options?: ExecuteOptions,
  ): Promise<ExecuteResult>;
  /** What a statement takes and gives, without running it. */
  describe(sql: string): Promise<StatementDescription>;
  /** Runs `PRAGMA <text>`; returns its rows. */
  pragma(text: string): Promise<Row[]>;
}

export interface ExecOptions {
  /** The script ends with BOP_TIMEOUT after this time. Milliseconds. Default: none. */
  readonly timeoutMs?: number;
}

export interface ExecuteOptions {
  /** How integers come out. Default "bigint". */
  readonly integers?: IntegerMode;
  /** With false, rows are counted as work but not returned. Default true. */
  readonly rows?: boolean;
  /** Ends with BOP_TIMEOUT after this time. Milliseconds. Default: none. */
  readonly timeoutMs?: number;
  /**
   * A read whose rows take more than this ends with BOP_RESULT_TOO_LARGE. Bytes, counted roughly.
   * Default: no limit.
   */
  readonly maxBytes?: number;
}

export interface ExecuteResult {
  readonly columns: readonly ColumnInfo[];
  readonly rows: SqlValue[][];
  /** Rows changed by this statement; 0 for what is not INSERT, UPDATE or DELETE. */
  readonly changes: number;
  readonly lastInsertRowid: bigint;
  /** As in its description. False: it may have written, and outside of a transaction that is done. */
  readonly isReadonly: boolean;
}

export interface StatementDescription {
  readonly parameterNames: readonly (string | undefined)[];
  readonly columns: readonly ColumnInfo[];
  readonly isReadonly: boolean;
  readonly isExplain: boolean;
}

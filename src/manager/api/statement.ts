/** A STATEMENT and its rows, as programs hold them. */
import type { ColumnInfo, IntegerMode, SqlInput, SqlValue } from "../../sqlite/index.ts";

/**
 * Parameters are positional (`run(1, "a")`) or one object of named ones (`run({ id: 1 })`). They count as
 * they are when the call is made: objects, arrays and bytes may be used again while it waits.
 */
export interface Statement<R = Row> {
  readonly sql: string;
  run(...parameters: StatementParameters): Promise<RunResult>;
  get(...parameters: StatementParameters): Promise<R | undefined>;
  all(...parameters: StatementParameters): Promise<R[]>;
  /**
   * Rows of one snapshot, as they are asked for; in a transaction all are taken at the first step. Ending
   * the loop early frees it. The close of its handle and the end of its transaction end it: the next
   * step throws BOP_CLOSED.
   */
  iterate(...parameters: StatementParameters): AsyncIterableIterator<R>;
  /** The same statement; rows are the first column's values. */
  pluck<T = SqlValue>(): Statement<T>;
  /** The same statement; rows are arrays of values. */
  raw<T = SqlValue[]>(): Statement<T>;
  /**
   * The same statement; rows are objects by table: `{ note: { id: 1 }, $: { "count(*)": 2 } }`.
   * A TypeError with engine "libsql", whose build does not tell the tables of columns.
   */
  expand<T = Record<string, Row>>(): Statement<T>;
  /** The same statement with integers as `number` (throws beyond 2^53), `bigint` or `string`. */
  integers(mode: IntegerMode): Statement<R>;
  columns(): Promise<readonly ColumnInfo[]>;
}

export type StatementParameters =
  | readonly SqlInput[]
  | readonly [Readonly<Record<string, SqlInput>>];

export type Row = Record<string, SqlValue>;

export interface RunResult {
  readonly changes: number;
  /** A number, or a bigint beyond 2^53. */
  readonly lastInsertRowid: number | bigint;
  /** Position of the commit in the store's log; of the snapshot, if nothing was written. */
  readonly lsn: number;
}

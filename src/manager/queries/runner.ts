/**
 * WHERE A STATEMENT RUNS: the seam between what the user holds (database, connection, transaction)
 * and the connections beneath.
 */
import type { ColumnInfo, SqlParameters } from "../../sqlite/index.ts";
import type { StatementDescription } from "../api/queryable.ts";
import type { RowReader } from "./shapes.ts";
import type { Shape } from "./work.ts";

export interface Call<T> {
  readonly sql: string;
  readonly parameters: SqlParameters;
  readonly shape: Shape<T>;
  /** Milliseconds that it may run; undefined for no limit. */
  readonly timeoutMs: number | undefined;
  /** Monotonic time at which that is over, where it has begun already. */
  readonly deadlineMs?: number | undefined;
}

export interface RowCall {
  readonly sql: string;
  readonly parameters: SqlParameters;
  readonly read: RowReader;
}

export interface Runner {
  /** Runs one statement; resolves or rejects when what it observed is durable. */
  run<T>(call: Call<T>): Promise<T>;
  /** Rows of one snapshot, stepped as they are asked for. */
  iterate(call: RowCall): AsyncIterableIterator<unknown>;
  /** Runs a script; `timeoutMs` is for all of it. */
  script(sql: string, timeoutMs?: number): Promise<void>;
  describe(sql: string): Promise<StatementDescription>;
}

export function columnsOf(runner: Runner, sql: string): Promise<readonly ColumnInfo[]> {
  return runner.describe(sql).then(({ columns }) => columns);
}

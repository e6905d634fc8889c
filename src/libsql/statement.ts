/**
 * STATEMENTS AND RESULTS of @libsql/client ↔ ours.
 *
 * (1) Rows are plain objects: columns by name are enumerable, the same values by index and the
 *     length are not. Of columns with the same name the first one has it.
 * (2) Blobs come as ArrayBuffer.
 * (3) A number binds as a real, as it does with every other libSQL client: those store 5 in a column
 *     of type TEXT as "5.0", and the same program must find the same data. A bigint is an integer.
 */
import type { InArgs, InStatement, IntMode, InValue, ResultSet, Row } from "@libsql/core/api";
import { ResultSetImpl } from "@libsql/core/util";
import type { Database, ExecuteResult, Queryable } from "../manager/index.ts";
import { type SqlInput, type SqlParameters, SqlReal, type SqlValue } from "../sqlite/index.ts";

export type Statement = InStatement | readonly [string, InArgs?];

export async function runStatement(
  queryable: Queryable,
  statement: Statement,
  integers: IntMode,
): Promise<ResultSet> {
  const { sql, args } = normalized(statement);
  return resultSet(await queryable.execute(sql, parametersOf(args), { integers }));
}

/** Runs statements as one transaction. */
export async function runBatch(
  database: Database,
  statements: readonly Statement[],
  integers: IntMode,
): Promise<ResultSet[]> {
  const batch = statements.map((statement) => {
    const { sql, args } = normalized(statement);
    return { sql, parameters: parametersOf(args) };
  });
  return (await database.batch(batch, { integers })).map(resultSet);
}

/** What reads and changes rows; everything else needs a connection of its own. */
const ROWS_ONLY = /^\s*(?:insert|update|delete|replace|select|with|values)\b/i;

/** Whether a statement may run in a transaction with those of others. */
export const mayShare = (statement: Statement): boolean =>
  ROWS_ONLY.test(normalized(statement).sql);

/** `execute(sql, args)` and `execute(statement)` are the same call. */
export function statementOf(statement: InStatement, args: InArgs | undefined): Statement {
  return typeof statement === "string" && args !== undefined ? [statement, args] : statement;
}

function normalized(statement: Statement): { readonly sql: string; readonly args: InArgs } {
  if (typeof statement === "string") return { sql: statement, args: [] };
  if (Array.isArray(statement)) return { sql: statement[0], args: statement[1] ?? [] };
  const { sql, args = [] } = statement as Exclude<InStatement, string>;
  return { sql, args };
}

function parametersOf(args: InArgs): SqlParameters {
  if (Array.isArray(args)) return args.map(input);
  const named: Record<string, SqlInput> = Object.create(null);
  for (const [name, value] of Object.entries(args)) named[name] = input(value);
  return named;
}

function input(value: InValue): SqlInput {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Date) return new SqlReal(value.valueOf());
  if (typeof value !== "number") return value;
  if (Number.isFinite(value)) return new SqlReal(value);
  throw new RangeError("an argument must be finite, not Infinity or NaN");
}

function resultSet({ columns, rows, changes, lastInsertRowid }: ExecuteResult): ResultSet {
  const names = columns.map(({ name }) => name);
  const types = columns.map(({ declaredType }) => declaredType ?? "");
  const insertedRowid = columns.length === 0 || changes > 0 ? lastInsertRowid : undefined;
  const named = rows.map((values) => rowOf(values, names));
  return new ResultSetImpl(names, types, named, changes, insertedRowid);
}

function rowOf(values: readonly SqlValue[], names: readonly string[]): Row {
  const row = {};
  Object.defineProperty(row, "length", { value: values.length });
  for (let i = 0; i < values.length; i++) {
    const value = output(values[i] ?? null);
    const name = names[i] ?? "";
    Object.defineProperty(row, i, { value });
    if (Object.hasOwn(row, name)) continue;
    Object.defineProperty(row, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return row as Row;
}

function output(value: SqlValue): SqlValue | ArrayBuffer {
  return value instanceof Uint8Array ? new Uint8Array(value).buffer : value;
}

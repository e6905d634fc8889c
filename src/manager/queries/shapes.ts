/**
 * SHAPES: how the answer of a statement is taken from it, for `run`, `get`, `all` and `execute`.
 *
 * (1) A shape steps to the end, or as far as it needs, and leaves the reset to its caller.
 * (2) A statement that writes is always stepped to the end: a write is never half done because
 *     only its first row was wanted.
 */
import { StorageError } from "../../base/errors.ts";
import type { IntegerMode, PreparedStatement, SqlValue } from "../../sqlite/index.ts";
import type { ExecuteResult } from "../api/queryable.ts";
import type { Row, RunResult } from "../api/statement.ts";
import { shown } from "../option-values.ts";
import type { Seat } from "./seat.ts";
import type { Shape } from "./work.ts";

export type RowForm = "object" | "array" | "pluck" | "expand";

/** Takes the current row of a statement. */
export type RowReader = (statement: PreparedStatement) => unknown;

/** Where the columns of expressions, which belong to no table, go in expanded rows. */
const NO_TABLE = "$";

const INTEGER_MODES: readonly IntegerMode[] = ["number", "bigint", "string"];

/** Throws a TypeError for what is no way of taking integers. */
export function assertIntegerMode(what: string, mode: unknown): asserts mode is IntegerMode {
  if (INTEGER_MODES.includes(mode as IntegerMode)) return;
  throw new TypeError(`${what} is ${shown(mode)}; want ${INTEGER_MODES.join(", ")}`);
}

export function rowReader(form: RowForm, integers: IntegerMode): RowReader {
  switch (form) {
    case "object":
      return (statement) => statement.object(integers);
    case "array":
      return (statement) => statement.array(integers);
    case "pluck":
      return (statement) => statement.value(0, integers);
    case "expand":
      return (statement) => expanded(statement, integers);
  }
}

function expanded(statement: PreparedStatement, integers: IntegerMode): Record<string, Row> {
  if (!statement.tellsTables) {
    throw new TypeError("expand is not available: this engine does not tell the tables of columns");
  }
  const values = statement.array(integers);
  const row: Record<string, Row> = {};
  statement.columns.forEach(({ name, table }, index) => {
    const key = table ?? NO_TABLE;
    row[key] ??= {};
    row[key][name] = values[index] as SqlValue;
  });
  return row;
}

/** The answer of `run` while its LSN is not known yet. */
type RunDraft = { -readonly [Key in keyof RunResult]: RunResult[Key] };

export const RUN: Shape<RunResult> = {
  collect(statement, { connection }): RunDraft {
    while (statement.step());
    if (statement.readonly) return { changes: 0, lastInsertRowid: 0, lsn: 0 };
    return {
      changes: statement.traits.changesRows ? connection.changes : 0,
      lastInsertRowid: narrowed(connection.lastInsertRowid),
      lsn: 0,
    };
  },
  finish(answer, lsn) {
    (answer as RunDraft).lsn = lsn;
    return answer;
  },
};

/** A number where it is exact, as most rowids are. */
function narrowed(rowid: bigint): number | bigint {
  const number = Number(rowid);
  return Number.isSafeInteger(number) ? number : rowid;
}

export function getShape(read: RowReader): Shape<unknown> {
  return {
    collect(statement) {
      if (!statement.step()) return undefined;
      const row = read(statement);
      if (!statement.readonly) while (statement.step());
      return row;
    },
  };
}

export function allShape(read: RowReader): Shape<unknown[]> {
  return {
    collect(statement) {
      const rows: unknown[] = [];
      while (statement.step()) rows.push(read(statement));
      return rows;
    },
  };
}

export interface ExecuteForm {
  readonly integers: IntegerMode;
  /** False: rows are stepped through and dropped. */
  readonly rows: boolean;
  /** Most that the rows of a read may take. */
  readonly maxBytes: number;
}

export function executeShape(form: ExecuteForm): Shape<ExecuteResult> {
  return {
    collect(statement, { connection }: Seat) {
      const rows = collectArrays(statement, form);
      return {
        columns: statement.columns, // Behind the first step, which may have found another schema.
        rows,
        changes: statement.traits.changesRows ? connection.changes : 0,
        lastInsertRowid: connection.lastInsertRowid,
        isReadonly: statement.readonly,
      };
    },
  };
}

function collectArrays(statement: PreparedStatement, form: ExecuteForm): SqlValue[][] {
  const { integers, maxBytes } = form;
  const isCapped = statement.readonly && maxBytes !== Number.POSITIVE_INFINITY;
  const rows: SqlValue[][] = [];
  let bytes = 0;
  while (statement.step()) {
    if (!form.rows) continue;
    const row = statement.array(integers);
    rows.push(row);
    if (!isCapped) continue;
    bytes += roughBytes(row);
    if (bytes > maxBytes) throw resultTooLarge(maxBytes);
  }
  return rows;
}

/** Bytes of a number, and of what carries any value. */
const VALUE_BYTES = 8;

function roughBytes(row: readonly SqlValue[]): number {
  let bytes = 0;
  for (const value of row) {
    bytes += VALUE_BYTES;
    if (typeof value === "string" || value instanceof Uint8Array) bytes += value.length;
  }
  return bytes;
}

function resultTooLarge(limitBytes: number): StorageError {
  const message = `the rows take more than ${limitBytes} bytes; ask for fewer, as with LIMIT`;
  return new StorageError("BOP_RESULT_TOO_LARGE", message, { details: { limitBytes } });
}

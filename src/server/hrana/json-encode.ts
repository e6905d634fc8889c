/**
 * ANSWERS → JSON TEXT. Cells are written straight into the text: building an object for each and
 * handing the tree to JSON.stringify costs twice as much.
 *
 * `rows_read` and `rows_written` are the rows returned and the rows changed: SQLite does not count
 * what it scanned unless it is compiled to.
 */
import type { StatementDescription } from "../../manager/index.ts";
import type { ColumnInfo, SqlValue } from "../../sqlite/index.ts";
import type {
  PipelineResponse,
  StatementResult,
  StepOutcome,
  StreamResponse,
  StreamResult,
  WireError,
} from "./protocol.ts";
import { encodeValue } from "./value.ts";

export function encodePipeline({ baton, results }: PipelineResponse): string {
  const encoded = results.map(encodeResult).join(",");
  return `{"baton":${JSON.stringify(baton ?? null)},"base_url":null,"results":[${encoded}]}`;
}

/** The body of an HTTP error. Families of clients read the text under different names. */
export function encodeHttpError({ message, code }: WireError): string {
  return JSON.stringify({ message, code, error: message });
}

function encodeResult(result: StreamResult): string {
  return result.type === "ok"
    ? `{"type":"ok","response":${encodeResponse(result.response)}}`
    : `{"type":"error","error":${encodeError(result.error)}}`;
}

function encodeResponse(response: StreamResponse): string {
  switch (response.type) {
    case "execute":
      return `{"type":"execute","result":${encodeStatement(response.result)}}`;
    case "batch":
      return `{"type":"batch","result":${encodeBatch(response.outcomes)}}`;
    case "describe":
      return `{"type":"describe","result":${encodeDescription(response.result)}}`;
    case "get_autocommit":
      return `{"type":"get_autocommit","is_autocommit":${response.isAutocommit}}`;
    default:
      return `{"type":"${response.type}"}`;
  }
}

function encodeStatement(result: StatementResult): string {
  const { columns, rows, changes, lastInsertRowid, durationMs } = result;
  return (
    `{"cols":${encodeColumns(columns)},"rows":[${rows.map(encodeRow).join(",")}]` +
    `,"affected_row_count":${changes},"last_insert_rowid":"${lastInsertRowid}"` +
    `,"rows_read":${rows.length},"rows_written":${changes},"query_duration_ms":${durationMs}}`
  );
}

function encodeRow(row: readonly SqlValue[]): string {
  let text = "[";
  for (let i = 0; i < row.length; i++) {
    text += (i === 0 ? "" : ",") + encodeValue(row[i] ?? null);
  }
  return `${text}]`;
}

function encodeColumns(columns: readonly ColumnInfo[]): string {
  const named = columns.map(({ name, declaredType }) => ({ name, decltype: declaredType ?? null }));
  return JSON.stringify(named);
}

function encodeBatch(outcomes: readonly StepOutcome[]): string {
  const results = outcomes.map((outcome) =>
    outcome?.type === "ok" ? encodeStatement(outcome.result) : "null",
  );
  const errors = outcomes.map((outcome) =>
    outcome?.type === "error" ? encodeError(outcome.error) : "null",
  );
  return `{"step_results":[${results.join(",")}],"step_errors":[${errors.join(",")}]}`;
}

function encodeDescription(description: StatementDescription): string {
  const { parameterNames, columns, isExplain, isReadonly } = description;
  const params = JSON.stringify(parameterNames.map((name) => ({ name: name ?? null })));
  const flags = `"is_explain":${isExplain},"is_readonly":${isReadonly}`;
  return `{"params":${params},"cols":${encodeColumns(columns)},${flags}}`;
}

function encodeError({ message, code, extendedCode }: WireError): string {
  const extended = extendedCode === undefined ? {} : { extended_code: extendedCode };
  return JSON.stringify({ message, code, ...extended });
}

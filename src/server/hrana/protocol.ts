/**
 * HRANA AS THE SERVER SEES IT: requests and answers of one stream, free of their encoding. JSON is
 * translated in json-decode.ts and json-encode.ts; another encoding translates to the same types.
 *
 * (1) What reaches these types is well-formed: numbers are in range, conditions look back only.
 * (2) An SQL text is given by itself (a string) or by the id under which it was stored (a number).
 * (3) Arguments may still contradict each other (positional and named at once): that is an error of
 *     the statement, answered in band, and not of the protocol.
 */
import type { ExecuteResult, StatementDescription } from "../../manager/index.ts";
import type { SqlInput } from "../../sqlite/index.ts";

export type SqlSource = string | number;

export interface HranaStatement {
  readonly sql: SqlSource;
  readonly positional: readonly SqlInput[];
  readonly named: readonly NamedArgument[];
  /** With false, rows are not sent back. */
  readonly wantRows: boolean;
}

export interface NamedArgument {
  readonly name: string;
  readonly value: SqlInput;
}

export interface BatchStep {
  /** Undefined: the step always runs. */
  readonly condition: Condition | undefined;
  readonly statement: HranaStatement;
}

export type Condition =
  | { readonly type: "ok" | "error"; readonly step: number }
  | { readonly type: "not"; readonly condition: Condition }
  | { readonly type: "and" | "or"; readonly conditions: readonly Condition[] }
  | { readonly type: "is_autocommit" };

export type StreamRequest =
  | { readonly type: "close" }
  | { readonly type: "execute"; readonly statement: HranaStatement }
  | { readonly type: "batch"; readonly steps: readonly BatchStep[] }
  | { readonly type: "sequence"; readonly sql: SqlSource }
  | { readonly type: "describe"; readonly sql: SqlSource }
  | { readonly type: "store_sql"; readonly sqlId: number; readonly sql: string }
  | { readonly type: "close_sql"; readonly sqlId: number }
  | { readonly type: "get_autocommit" };

export interface PipelineRequest {
  /** Undefined: a new stream. */
  readonly baton: string | undefined;
  readonly requests: readonly StreamRequest[];
}

export interface StatementResult extends ExecuteResult {
  readonly durationMs: number;
}

/** What became of a step of a batch: undefined if its condition did not hold. */
export type StepOutcome =
  | { readonly type: "ok"; readonly result: StatementResult }
  | { readonly type: "error"; readonly error: WireError }
  | undefined;

export type StreamResponse =
  | { readonly type: "close" | "sequence" | "store_sql" | "close_sql" }
  | { readonly type: "execute"; readonly result: StatementResult }
  | { readonly type: "batch"; readonly outcomes: readonly StepOutcome[] }
  | { readonly type: "describe"; readonly result: StatementDescription }
  | { readonly type: "get_autocommit"; readonly isAutocommit: boolean };

export type StreamResult =
  | { readonly type: "ok"; readonly response: StreamResponse }
  | { readonly type: "error"; readonly error: WireError };

export interface PipelineResponse {
  /** Undefined: the stream is closed. */
  readonly baton: string | undefined;
  readonly results: readonly StreamResult[];
}

/** An error as a client gets to see it. */
export interface WireError {
  readonly message: string;
  readonly code: string;
  readonly extendedCode?: string;
}

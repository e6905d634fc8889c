/**
 * JSON → REQUESTS. Whatever the bytes are, the outcome is a request or a HranaError with status
 * 400: no other exception, no recursion deeper than `conditionDepth`, no work beyond the body's
 * size, which is capped before it is read.
 *
 * Absent and null are the same. Unknown fields are ignored, unknown types are refused.
 */
import type { SqlInput } from "../../sqlite/index.ts";
import { protocolError } from "./error.ts";
import type {
  BatchStep,
  Condition,
  HranaStatement,
  NamedArgument,
  PipelineRequest,
  SqlSource,
  StreamRequest,
} from "./protocol.ts";
import { decodeValue } from "./value.ts";

export interface DecodeLimits {
  /** Requests of one pipeline. */
  readonly pipelineRequests: number;
  /** Steps of one batch. */
  readonly batchSteps: number;
  /** How deep `not`, `and` and `or` may nest. */
  readonly conditionDepth: number;
}

export interface DecodeContext {
  readonly version: 2 | 3;
  readonly limits: DecodeLimits;
}

type JsonObject = Readonly<Record<string, unknown>>;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

export function decodePipeline(body: Uint8Array, context: DecodeContext): PipelineRequest {
  const json = object(parse(body), "the body");
  const requests = array(json.requests, "requests", context.limits.pipelineRequests);
  const decoded = requests.map((request, i) => decodeRequest(request, `requests[${i}]`, context));
  const closing = decoded.findIndex(({ type }) => type === "close");
  if (closing !== -1 && closing !== decoded.length - 1) {
    throw protocolError(`requests[${closing}] closes the stream, but is not the last`);
  }
  const baton = absent(json.baton) ? undefined : string(json.baton, "baton");
  return { baton, requests: decoded };
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(UTF8.decode(body));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? cause.message.slice(0, 120) : "not UTF-8";
    throw protocolError(`the body is not JSON: ${why}`);
  }
}

function decodeRequest(value: unknown, path: string, context: DecodeContext): StreamRequest {
  const json = object(value, path);
  switch (json.type) {
    case "close":
      return { type: "close" };
    case "execute":
      return { type: "execute", statement: decodeStatement(json.stmt, `${path}.stmt`) };
    case "batch":
      return { type: "batch", steps: decodeSteps(json.batch, `${path}.batch`, context) };
    case "sequence":
    case "describe":
      return { type: json.type, sql: decodeSource(json, path) };
    case "store_sql": {
      const sqlId = int32(json.sql_id, `${path}.sql_id`);
      return { type: "store_sql", sqlId, sql: string(json.sql, `${path}.sql`) };
    }
    case "close_sql":
      return { type: "close_sql", sqlId: int32(json.sql_id, `${path}.sql_id`) };
    case "get_autocommit":
      needVersion3(context, path);
      return { type: "get_autocommit" };
    default:
      throw protocolError(`${path}.type is not a known request`);
  }
}

function decodeStatement(value: unknown, path: string): HranaStatement {
  const json = object(value, path);
  const args = absent(json.args) ? [] : array(json.args, `${path}.args`);
  const named = absent(json.named_args) ? [] : array(json.named_args, `${path}.named_args`);
  return {
    sql: decodeSource(json, path),
    positional: args.map((arg, i): SqlInput => decodeValue(arg, `${path}.args[${i}]`)),
    named: named.map((arg, i) => decodeNamed(arg, `${path}.named_args[${i}]`)),
    wantRows: absent(json.want_rows) ? true : boolean(json.want_rows, `${path}.want_rows`),
  };
}

function decodeNamed(value: unknown, path: string): NamedArgument {
  const json = object(value, path);
  const name = string(json.name, `${path}.name`);
  return { name, value: decodeValue(json.value, `${path}.value`) };
}

function decodeSource(json: JsonObject, path: string): SqlSource {
  if (absent(json.sql) === absent(json.sql_id)) {
    throw protocolError(`${path} needs either sql or sql_id`);
  }
  return absent(json.sql) ? int32(json.sql_id, `${path}.sql_id`) : string(json.sql, `${path}.sql`);
}

function decodeSteps(value: unknown, path: string, context: DecodeContext): BatchStep[] {
  const steps = array(object(value, path).steps, `${path}.steps`, context.limits.batchSteps);
  return steps.map((step, index) => {
    const at = `${path}.steps[${index}]`;
    const json = object(step, at);
    const statement = decodeStatement(json.stmt, `${at}.stmt`);
    if (absent(json.condition)) return { condition: undefined, statement };
    const place = { path: `${at}.condition`, before: index, depth: 1, context };
    return { condition: decodeCondition(json.condition, place), statement };
  });
}

interface ConditionPlace {
  readonly path: string;
  /** Only steps below this one may be looked at. */
  readonly before: number;
  readonly depth: number;
  readonly context: DecodeContext;
}

function decodeCondition(value: unknown, place: ConditionPlace): Condition {
  const { path, before, depth, context } = place;
  if (depth > context.limits.conditionDepth) throw protocolError("a condition nests too deeply");
  const json = object(value, path);
  const inner = { ...place, depth: depth + 1 };
  switch (json.type) {
    case "ok":
    case "error": {
      const step = int32(json.step, `${path}.step`);
      if (step < 0 || step >= before) throw protocolError(`${path} looks at a step not before it`);
      return { type: json.type, step };
    }
    case "not":
      return { type: "not", condition: decodeCondition(json.cond, inner) };
    case "and":
    case "or": {
      const conditions = array(json.conds, `${path}.conds`);
      return { type: json.type, conditions: conditions.map((c) => decodeCondition(c, inner)) };
    }
    case "is_autocommit":
      needVersion3(context, path);
      return { type: "is_autocommit" };
    default:
      throw protocolError(`${path}.type is not a known condition`);
  }
}

function needVersion3(context: DecodeContext, path: string): void {
  if (context.version < 3) throw protocolError(`${path} needs version 3 of the protocol`);
}

function absent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

function object(value: unknown, path: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as JsonObject;
  }
  throw protocolError(`${path} is not an object`);
}

function array(value: unknown, path: string, limit = Number.POSITIVE_INFINITY): readonly unknown[] {
  if (!Array.isArray(value)) throw protocolError(`${path} is not an array`);
  if (value.length > limit) throw protocolError(`${path} has more than ${limit} entries`);
  return value;
}

function string(value: unknown, path: string): string {
  if (typeof value === "string") return value;
  throw protocolError(`${path} is not a string`);
}

function boolean(value: unknown, path: string): boolean {
  if (typeof value === "boolean") return value;
  throw protocolError(`${path} is not true or false`);
}

function int32(value: unknown, path: string): number {
  if (typeof value === "number" && (value | 0) === value) return value;
  throw protocolError(`${path} is not a 32-bit integer`);
}

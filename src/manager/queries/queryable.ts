/** What every handle offers on top of its runner: prepare, exec, execute, describe, pragma. */
import type { SqlParameters } from "../../sqlite/index.ts";
import type {
  ExecOptions,
  ExecuteOptions,
  ExecuteResult,
  Queryable,
  StatementDescription,
} from "../api/queryable.ts";
import type { Row, Statement } from "../api/statement.ts";
import { shown, timeoutOf, yesOrNo } from "../option-values.ts";
import { refuseUnknown } from "../refuse-unknown.ts";
import { ownParameters } from "./own-parameters.ts";
import type { Runner } from "./runner.ts";
import { allShape, assertIntegerMode, executeShape, rowReader } from "./shapes.ts";
import { PlainStatement } from "./statement.ts";

const ALL_ROWS = allShape(rowReader("object", "number"));
const EXECUTE_OPTIONS = ["integers", "rows", "timeoutMs", "maxBytes"];
/** Of a call without options. */
const PLAIN_FORM = {
  shape: executeShape({ integers: "bigint", rows: true, maxBytes: Infinity }),
  timeoutMs: undefined,
};

export abstract class QueryableBase implements Queryable {
  protected abstract readonly runner: Runner;

  prepare<R = Row>(sql: string): Statement<R> {
    return new PlainStatement<R>(this.runner, sql);
  }

  exec(sql: string, options: ExecOptions = {}): Promise<void> {
    refuseUnknown("exec", options, ["timeoutMs"]);
    const timeoutMs = timeoutOf("exec", options.timeoutMs);
    if (typeof sql !== "string") {
      return Promise.reject(new TypeError(`the SQL text is ${typeof sql}; want a string`));
    }
    return this.runner.script(sql, timeoutMs);
  }

  execute(
    sql: string,
    parameters: SqlParameters = [],
    options?: ExecuteOptions,
  ): Promise<ExecuteResult> {
    const form = executeForm("execute", options);
    return this.runner.run({ sql, parameters: ownParameters(parameters), ...form });
  }

  describe(sql: string): Promise<StatementDescription> {
    return this.runner.describe(sql);
  }

  pragma(text: string): Promise<Row[]> {
    const call = { sql: `PRAGMA ${text}`, parameters: [], shape: ALL_ROWS, timeoutMs: undefined };
    return this.runner.run(call) as Promise<Row[]>;
  }
}

/** How answers of `execute` and `batch` are taken. Throws TypeError and RangeError. */
export function executeForm(what: string, options: ExecuteOptions | undefined) {
  if (options === undefined) return PLAIN_FORM;
  refuseUnknown(what, options, EXECUTE_OPTIONS);
  const { integers = "bigint", maxBytes = Infinity } = options;
  assertIntegerMode(`${what}: integers`, integers);
  const rows = yesOrNo(`${what}: rows`, options.rows) ?? true;
  const timeoutMs = timeoutOf(what, options.timeoutMs);
  if (typeof maxBytes !== "number" || !(maxBytes >= 0)) {
    const message = `${what}: maxBytes is ${shown(maxBytes)}; want a number of bytes`;
    throw typeof maxBytes === "number" ? new RangeError(message) : new TypeError(message);
  }
  return { shape: executeShape({ integers, rows, maxBytes }), timeoutMs };
}

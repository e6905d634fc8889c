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
import { refuseUnknown } from "../refuse-unknown.ts";
import { ownParameters } from "./own-parameters.ts";
import type { Runner } from "./runner.ts";
import { allShape, executeShape, rowReader } from "./shapes.ts";
import { PlainStatement } from "./statement.ts";

const ALL_ROWS = allShape(rowReader("object", "number"));
const EXECUTE_OPTIONS = ["integers", "rows", "timeoutMs", "maxBytes"];

export abstract class QueryableBase implements Queryable {
  protected abstract readonly runner: Runner;

  prepare<R = Row>(sql: string): Statement<R> {
    return new PlainStatement<R>(this.runner, sql);
  }

  exec(sql: string, options: ExecOptions = {}): Promise<void> {
    refuseUnknown("exec", options, ["timeoutMs"]);
    if (typeof sql !== "string") {
      return Promise.reject(new TypeError(`the SQL text is ${typeof sql}; want a string`));
    }
    return this.runner.script(sql, options.timeoutMs);
  }

  execute(
    sql: string,
    parameters: SqlParameters = [],
    options: ExecuteOptions = {},
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

/** How answers of `execute` and `batch` are taken. Throws a TypeError for an unknown option. */
export function executeForm(what: string, options: ExecuteOptions) {
  refuseUnknown(what, options, EXECUTE_OPTIONS);
  const { integers = "bigint", rows = true, timeoutMs, maxBytes = Infinity } = options;
  return { shape: executeShape({ integers, rows, maxBytes }), timeoutMs };
}

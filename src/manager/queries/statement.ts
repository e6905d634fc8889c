/** A statement in the user's hands: a text, the shape of its rows, and where it runs. */
import type {
  ColumnInfo,
  IntegerMode,
  SqlInput,
  SqlParameters,
  SqlValue,
} from "../../sqlite/index.ts";
import type { Row, RunResult, Statement, StatementParameters } from "../api/statement.ts";
import { ownParameters, ownValues } from "./own-parameters.ts";
import { type Call, columnsOf, type Runner } from "./runner.ts";
import {
  allShape,
  assertIntegerMode,
  getShape,
  type RowForm,
  type RowReader,
  RUN,
  rowReader,
} from "./shapes.ts";
import type { Shape } from "./work.ts";

interface Rows {
  readonly form: RowForm;
  readonly integers: IntegerMode;
}

export class PlainStatement<R> implements Statement<R> {
  readonly sql: string;
  readonly #runner: Runner;
  readonly #rows: Rows;
  readonly #read: RowReader;
  readonly #get: Shape<unknown>;
  readonly #all: Shape<unknown[]>;

  constructor(runner: Runner, sql: string, rows: Rows = { form: "object", integers: "number" }) {
    if (typeof sql !== "string")
      throw new TypeError(`the SQL text is ${typeof sql}; want a string`);
    this.sql = sql;
    this.#runner = runner;
    this.#rows = rows;
    this.#read = rowReader(rows.form, rows.integers);
    this.#get = getShape(this.#read);
    this.#all = allShape(this.#read);
  }

  run(...parameters: StatementParameters): Promise<RunResult> {
    return this.#runner.run(this.#call(parameters, RUN));
  }

  get(...parameters: StatementParameters): Promise<R | undefined> {
    return this.#runner.run(this.#call(parameters, this.#get as Shape<R | undefined>));
  }

  all(...parameters: StatementParameters): Promise<R[]> {
    return this.#runner.run(this.#call(parameters, this.#all as Shape<R[]>));
  }

  iterate(...parameters: StatementParameters): AsyncIterableIterator<R> {
    const call = { sql: this.sql, parameters: bindable(parameters), read: this.#read };
    return this.#runner.iterate(call) as AsyncIterableIterator<R>;
  }

  pluck<T = SqlValue>(): Statement<T> {
    return this.#with<T>({ ...this.#rows, form: "pluck" });
  }

  raw<T = SqlValue[]>(): Statement<T> {
    return this.#with<T>({ ...this.#rows, form: "array" });
  }

  expand<T = Record<string, Row>>(): Statement<T> {
    return this.#with<T>({ ...this.#rows, form: "expand" });
  }

  integers(mode: IntegerMode): Statement<R> {
    assertIntegerMode("integers", mode);
    return this.#with<R>({ ...this.#rows, integers: mode });
  }

  columns(): Promise<readonly ColumnInfo[]> {
    return columnsOf(this.#runner, this.sql);
  }

  #with<T>(rows: Rows): Statement<T> {
    return new PlainStatement<T>(this.#runner, this.sql, rows);
  }

  #call<T>(parameters: StatementParameters, shape: Shape<T>): Call<T> {
    return { sql: this.sql, parameters: bindable(parameters), shape, timeoutMs: undefined };
  }
}

/**
 * One plain object stands for named parameters; everything else is bound by position. The array is that
 * of the call's rest parameters.
 */
function bindable(parameters: StatementParameters): SqlParameters {
  const only = parameters.length === 1 ? parameters[0] : undefined;
  if (isPlainObject(only)) return ownParameters(only as SqlParameters);
  return ownValues(parameters as SqlInput[]);
}

/** A Date or a Map is a value that cannot be bound, and not a set of names. */
function isPlainObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

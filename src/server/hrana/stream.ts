/**
 * A STREAM: one client's session with one database. It has a connection of its own, the SQL texts
 * that the client stored, and at most one transaction.
 *
 * (1) One request at a time; the caller sees to it.
 * (2) `BEGIN READONLY` is libSQL's; SQLite takes it for an ordinary BEGIN. So `query_only` is set
 *     behind it, by which SQLite itself refuses every write, and cleared when the transaction ends.
 *     Within a script it could not be noticed in time, so there it is refused.
 * (3) A stream that `end` was called on runs nothing any more: what the client sends next was meant
 *     for a transaction that is gone. It is rolled back at once, also under a request that waits in it:
 *     for as long as the device or the sink does not answer, all others would wait for the writer.
 * (4) An answer that grows too large fails the statement that made it so, at once, while conditions
 *     of the same batch can still roll it back. A write outside of a transaction has committed by
 *     then: an error would say that it is not there, so its rows are sent, and leave no room for
 *     more. Without room, a write that gives rows is refused before it runs.
 * (5) A transaction has its time from the answer on that tells of its begin. Before that, one that a
 *     script began has between once and twice as much.
 */

import type { Clock, Disposer } from "../../base/env.ts";
import { isStorageError } from "../../base/errors.ts";
import type { Connection } from "../../manager/index.ts";
import type { SqlInput, SqlParameters, SqlValue } from "../../sqlite/index.ts";
import { holds } from "./batch.ts";
import { HranaError, wireError } from "./error.ts";
import type {
  BatchStep,
  HranaStatement,
  SqlSource,
  StatementResult,
  StepOutcome,
  StreamRequest,
  StreamResponse,
} from "./protocol.ts";
import { beginsReadOnly, holdsReadOnlyBegin, statementHeads } from "./sql-text.ts";
import { encodedBytes } from "./value.ts";

/** Made once: every stream ends with it, and a stack trace costs more than a statement. */
const CLOSED = new HranaError("STREAM_EXPIRED", "the stream was closed");

export interface StreamLimits {
  readonly storedSqlCount: number;
  readonly storedSqlBytes: number;
  readonly transactionMs: number;
  readonly statementMs: number;
}

export interface StreamOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly limits: StreamLimits;
  /** Called when the transaction's time is up. The stream has ended by then. */
  readonly onTimeout: () => void;
  /** Told of every error, before it is answered in band. */
  readonly onError: (error: unknown) => void;
}

/** What the answer to one HTTP request may still hold. */
export interface ResponseBudget {
  leftBytes: number;
}

export class Stream {
  readonly #options: StreamOptions;
  readonly #connection: Connection;
  readonly #storedSql = new Map<number, string>();
  #readOnly = false;
  #deadline: Disposer | undefined;
  #ended: HranaError | undefined;
  /** Answers the request at work. See (3). */
  #interrupt: (reason: HranaError) => void = () => {};

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#connection = options.connection;
  }

  /** Why nothing runs any more; undefined while all is well. See (3). */
  get ended(): HranaError | undefined {
    return this.#ended;
  }

  /** See (3). */
  end(reason: HranaError): void {
    this.#ended ??= reason;
    if (!this.#connection.inTransaction) return;
    this.#interrupt(this.#ended);
    this.#connection.close().catch(this.#options.onError);
  }

  /** Throws what is to be answered in band. */
  async run(request: StreamRequest, budget: ResponseBudget): Promise<StreamResponse> {
    this.#assertLive();
    const interrupted = new Promise<never>((_, reject) => {
      this.#interrupt = reject;
    });
    return Promise.race([interrupted, this.#answer(request, budget)]);
  }

  async #answer(request: StreamRequest, budget: ResponseBudget): Promise<StreamResponse> {
    switch (request.type) {
      case "execute":
        return { type: "execute", result: await this.#execute(request.statement, budget) };
      case "batch":
        return { type: "batch", outcomes: await this.#batch(request.steps, budget) };
      case "sequence":
        await this.#sequence(this.#text(request.sql));
        return { type: "sequence" };
      case "describe": {
        const sql = this.#text(request.sql);
        const result = await this.#connection.describe(sql).catch(explain(sql));
        return { type: "describe", result };
      }
      case "store_sql":
        this.#store(request.sqlId, request.sql);
        return { type: "store_sql" };
      case "close_sql":
        this.#storedSql.delete(request.sqlId);
        return { type: "close_sql" };
      case "get_autocommit":
        return { type: "get_autocommit", isAutocommit: !this.#connection.inTransaction };
      case "close":
        this.#ended ??= CLOSED; // Who releases it closes it.
        return { type: "close" };
    }
  }

  /** Rolls back what is open. Idempotent. */
  async close(): Promise<void> {
    this.end(CLOSED);
    this.#deadline?.dispose();
    await this.#connection.close();
  }

  async #batch(steps: readonly BatchStep[], budget: ResponseBudget): Promise<StepOutcome[]> {
    const outcomes: StepOutcome[] = [];
    for (const { condition, statement } of steps) {
      const isAutocommit = !this.#connection.inTransaction;
      const runs = condition === undefined || holds(condition, { outcomes, isAutocommit });
      outcomes.push(runs ? await this.#step(statement, budget) : undefined);
    }
    return outcomes;
  }

  async #step(statement: HranaStatement, budget: ResponseBudget): Promise<StepOutcome> {
    try {
      return { type: "ok", result: await this.#execute(statement, budget) };
    } catch (error) {
      this.#options.onError(error);
      return { type: "error", error: wireError(error) };
    }
  }

  async #execute(statement: HranaStatement, budget: ResponseBudget): Promise<StatementResult> {
    this.#assertLive();
    const { clock, limits } = this.#options;
    const sql = this.#text(statement.sql);
    const parameters = parametersOf(statement);
    const startMs = clock.monotonicMs();
    const options = {
      integers: "bigint",
      rows: statement.wantRows,
      timeoutMs: limits.statementMs,
      // Rows stop gathering in memory here; what they take on the wire is counted below.
      maxBytes: Math.max(0, budget.leftBytes),
    } as const;
    try {
      if (budget.leftBytes < 0 && statement.wantRows) await this.#assertNoRowsOfWrite(sql);
      const result = await this.#connection.execute(sql, parameters, options).catch(explain(sql));
      if (beginsReadOnly(sql)) await this.#setReadOnly(true);
      const fits = spend(budget, result.rows);
      const hasCommitted = !result.isReadonly && !this.#connection.inTransaction;
      if (!fits && !hasCommitted) throw responseTooLarge();
      return { ...result, durationMs: clock.monotonicMs() - startMs };
    } finally {
      await this.#followTransaction();
    }
  }

  /** See (4). */
  async #assertNoRowsOfWrite(sql: string): Promise<void> {
    const { isReadonly, columns } = await this.#connection.describe(sql).catch(explain(sql));
    if (!isReadonly && columns.length > 0) throw responseTooLarge();
  }

  async #sequence(sql: string): Promise<void> {
    if (holdsReadOnlyBegin(sql)) {
      throw new HranaError("SQL_INPUT_ERROR", "send BEGIN READONLY as a statement of its own");
    }
    const { clock, limits } = this.#options;
    let wasOpen = false;
    const watch = clock.every(limits.transactionMs, () => {
      if (wasOpen) this.#timeIsUp();
      wasOpen = this.#connection.inTransaction;
    });
    try {
      await this.#connection.exec(sql, { timeoutMs: limits.statementMs });
    } finally {
      watch.dispose();
      await this.#followTransaction();
    }
  }

  /** Starts or stops the clock of the transaction; see also (2). */
  async #followTransaction(): Promise<void> {
    const { clock, limits } = this.#options;
    if (this.#connection.inTransaction) {
      this.#deadline ??= clock.after(limits.transactionMs, () => {
        this.#deadline = undefined;
        this.#timeIsUp();
      });
      return;
    }
    this.#deadline?.dispose();
    this.#deadline = undefined;
    if (this.#readOnly && this.#ended === undefined) await this.#setReadOnly(false);
  }

  /** One that is over by now, and whose answer waits, was in time. */
  #timeIsUp(): void {
    const { limits, onTimeout } = this.#options;
    if (!this.#connection.inTransaction) return;
    const text = `the transaction was rolled back after ${limits.transactionMs} ms`;
    this.end(new HranaError("TRANSACTION_TIMEOUT", text));
    onTimeout();
  }

  async #setReadOnly(readOnly: boolean): Promise<void> {
    this.#readOnly = readOnly;
    await this.#connection.execute(`PRAGMA query_only = ${readOnly ? 1 : 0}`);
  }

  #store(sqlId: number, sql: string): void {
    const { storedSqlBytes, storedSqlCount } = this.#options.limits;
    if (Buffer.byteLength(sql) > storedSqlBytes) {
      const text = `an SQL text to store takes more than ${storedSqlBytes} bytes`;
      throw new HranaError("SQL_STORE_TOO_LARGE", text);
    }
    if (this.#storedSql.size >= storedSqlCount && !this.#storedSql.has(sqlId)) {
      const text = `a stream stores at most ${storedSqlCount} SQL texts`;
      throw new HranaError("SQL_STORE_TOO_MANY", text);
    }
    this.#storedSql.set(sqlId, sql);
  }

  #text(source: SqlSource): string {
    if (typeof source === "string") return source;
    const sql = this.#storedSql.get(source);
    if (sql === undefined) throw new HranaError("SQL_NOT_FOUND", `no SQL text has id ${source}`);
    return sql;
  }

  #assertLive(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }
}

function parametersOf({ positional, named }: HranaStatement): SqlParameters {
  if (named.length === 0) return positional;
  if (positional.length > 0) {
    const text = "a statement takes positional arguments or named ones, not both";
    throw new HranaError("ARGS_BOTH_POSITIONAL_AND_NAMED", text);
  }
  const parameters: Record<string, SqlInput> = Object.create(null);
  for (const { name, value } of named) parameters[name] = value;
  return parameters;
}

/** False if the rows take more than is left. */
function spend(budget: ResponseBudget, rows: readonly (readonly SqlValue[])[]): boolean {
  for (const row of rows) {
    for (const value of row) budget.leftBytes -= encodedBytes(value);
    if (budget.leftBytes < 0) return false;
  }
  return true;
}

function responseTooLarge(): HranaError {
  return new HranaError("RESPONSE_TOO_LARGE", "the answer is too large; use LIMIT");
}

/** The engine says TypeError or RangeError for text and arguments that do not fit; Hrana has codes. */
function explain(sql: string): (error: unknown) => never {
  return (error) => {
    if (isStorageError(error, "BOP_RESULT_TOO_LARGE")) throw responseTooLarge();
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    const statementCount = statementHeads(sql).length;
    if (statementCount === 0) throw new HranaError("SQL_NO_STATEMENT", error.message);
    if (statementCount > 1) throw new HranaError("SQL_MANY_STATEMENTS", error.message);
    throw new HranaError("ARGS_INVALID", error.message);
  };
}

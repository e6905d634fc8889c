/**
 * TRANSACTIONS AS FUNCTIONS: begin, call the user's function, commit when it returns, roll back
 * when it throws.
 *
 *              fn returned, COMMIT         committed
 *     open ───────────────────────────►
 *       │      fn threw, timeout, abort, close
 *       └───────────────────────────────►  rolled back
 *
 * (1) Time runs out for functions that dawdle, since others wait for the writer behind them. That it
 *     has run out is told at once, whatever the sink does: it shows nothing of the database.
 * (2) What comes of one, also what its function throws, is told when all that it saw is durable.
 * (3) What is committed is not undone: from the end on no timeout and no signal is heard, and if what it
 *     saw cannot become durable, its caller hears that from the gate. Its connection may begin the next
 *     one meanwhile.
 */
import type { TransactionOptions } from "../api/connection.ts";
import { transactionClosed } from "./closed.ts";
import { isOfTheDevice } from "./group.ts";
import { Scope, type TransactionBody } from "./scope.ts";
import type { SeatRunner } from "./seat-runner.ts";
import { TransactionGuard } from "./transaction-guard.ts";
import { type ResolvedTransaction, resolveTransaction } from "./transaction-options.ts";
import {
  beginOnConnection,
  beginOnSpare,
  beginOnWriter,
  type TransactionPlace,
} from "./transaction-start.ts";

/** Runs `fn` in a transaction of its own on a database. */
export async function transact<T>(
  { database, session }: TransactionPlace,
  fn: TransactionBody<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const { mode, timeoutMs, signal, reveal, durability } = resolveTransaction(options);
  const level = durability && database.options.levels.gateOf(durability);
  signal?.throwIfAborted();
  const runner = await (mode === "immediate"
    ? beginOnWriter({ database, session }, { timeoutMs, signal })
    : beginOnSpare({ database, session }, { timeoutMs, signal }));
  const { transaction } = runner;
  transaction.enterScope({ mode, reveal, level });
  try {
    return await runScoped(runner, fn, { timeoutMs, signal, mode });
  } finally {
    const { seat, hasChangedSeat } = transaction;
    if (mode !== "immediate") database.giveBack(seat, { reusable: !hasChangedSeat });
  }
}

/** Runs `fn` in a transaction on a connection that the user holds. */
export async function transactOn<T>(
  runner: SeatRunner,
  fn: TransactionBody<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const { mode, timeoutMs, signal, reveal, durability } = resolveTransaction(options);
  const level = durability && runner.transaction.database.options.levels.gateOf(durability);
  signal?.throwIfAborted();
  await beginOnConnection(runner, { mode, reveal, level }, { timeoutMs, signal });
  return runScoped(runner, fn, { timeoutMs, signal, mode });
}

/** Calls `fn` in the transaction that was begun on the runner's seat, and ends it. See (2), (3). */
async function runScoped<T>(
  runner: SeatRunner,
  fn: TransactionBody<T>,
  { mode, ...limits }: Pick<ResolvedTransaction, "mode" | "timeoutMs" | "signal">,
): Promise<T> {
  const { transaction } = runner;
  const scope = new Scope(runner);
  const guard = new TransactionGuard(scope, { ...limits, database: transaction.database });
  if (mode !== "immediate") guard.watchAge(runner);
  let result: T;
  try {
    result = await guard.race(fn, scope);
    scope.leave();
    if (runner.busy) await runner.settled();
    guard.assertIntact();
    transaction.assertNotLost();
    scope.end(transactionClosed);
    const waiting = runner.commit();
    if (waiting !== undefined) await waiting;
  } catch (error) {
    scope.end(transactionClosed);
    runner.abandon();
    guard.dispose();
    const { reason } = guard;
    await leave(runner, { isAwaited: reason === undefined && !isOfTheDevice(error) });
    throw reason ?? error;
  }
  guard.dispose();
  await leave(runner, { isAwaited: true });
  return result;
}

/** It has ended. Resolves when all that it saw is durable, where that is to be awaited. */
function leave(runner: SeatRunner, { isAwaited }: { isAwaited: boolean }): Promise<void> {
  const durable = isAwaited ? runner.durable() : Promise.resolve(); // At its level.
  runner.transaction.leaveScope();
  return durable;
}

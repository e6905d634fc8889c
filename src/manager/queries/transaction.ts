/**
 * TRANSACTIONS AS FUNCTIONS: begin, call the user's function, commit when it returns, roll back
 * when it throws.
 *
 *              fn returned, COMMIT         committed
 *     open ───────────────────────────►
 *       │      fn threw, timeout, abort, close
 *       └───────────────────────────────►  rolled back
 *
 * (1) A scope that has ended refuses every call with BOP_CLOSED, or with the reason that ended it,
 *     also those that its function left behind unawaited.
 * (2) While a nested scope is open, the outer one refuses calls: they would be inside of it.
 * (3) Time runs out for functions that dawdle, since others wait for the writer behind them. That it
 *     has run out is told at once, whatever the sink does: it shows nothing of the database.
 */
import { assert } from "../../base/assert.ts";
import type { Disposer } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { laterLsn } from "../../base/units.ts";
import type { Transaction, TransactionOptions } from "../api/connection.ts";
import { type Durability, durabilityOf } from "../gates/durability.ts";
import { refuseUnknown } from "../refuse-unknown.ts";
import { closedError } from "./closed.ts";
import { isOfTheDevice } from "./group.ts";
import type { OpenDatabase } from "./open-database.ts";
import { withPages } from "./page-waits.ts";
import { QueryableBase } from "./queryable.ts";
import type { Call, RowCall, Runner } from "./runner.ts";
import { SeatRunner } from "./seat-runner.ts";
import type { SeatTransaction } from "./seat-transaction.ts";
import type { Session } from "./session.ts";
import type { Hold } from "./work.ts";

const DEFAULT_TIMEOUT_MS = 5000;
const MODES = ["immediate", "deferred", "read"] as const;
const REVEALS = ["durable", "committed"] as const;

type Body<T> = (tx: Transaction) => Promise<T> | T;

/** Runs `fn` in a transaction of its own on a database. */
export async function transact<T>(
  { database, session }: { database: OpenDatabase; session: Session },
  fn: Body<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const { mode, timeoutMs, signal, reveal, durability } = resolve(options);
  const level = durability && database.options.levels.gateOf(durability);
  signal?.throwIfAborted();
  const runner = await (mode === "immediate"
    ? beginOnWriter({ database, session }, { timeoutMs, signal })
    : beginOnSpare({ database, session }, { mode, timeoutMs, signal }));
  const { transaction } = runner;
  transaction.revealsCommitted = reveal === "committed";
  transaction.level = level;
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
  fn: Body<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const { mode, timeoutMs, signal, reveal, durability } = resolve(options);
  const { transaction } = runner;
  const level = durability && transaction.database.options.levels.gateOf(durability);
  signal?.throwIfAborted();
  if (transaction.isOpen) throw new TypeError("the connection is in a transaction already");
  transaction.level = level;
  try {
    await runner.script(mode === "immediate" ? "BEGIN IMMEDIATE" : "BEGIN");
    transaction.isReadonly = mode === "read";
    transaction.revealsCommitted = reveal === "committed";
    return await runScoped(runner, fn, { timeoutMs, signal, mode });
  } finally {
    transaction.isReadonly = false;
    transaction.revealsCommitted = false;
    transaction.level = undefined;
  }
}

/**
 * Calls `fn` in the transaction that was begun on the runner's seat, and ends it. What comes of it,
 * also what `fn` throws, is told when all that it saw is durable.
 */
async function runScoped<T>(
  runner: SeatRunner,
  fn: Body<T>,
  { mode, ...limits }: Limits & Pick<Resolved, "mode">,
): Promise<T> {
  const { transaction } = runner;
  const scope = new Scope(runner);
  const { seenLsn } = transaction;
  transaction.isScoped = true;
  const guard = new Guard(scope, { ...limits, database: transaction.database });
  if (mode !== "immediate") guard.watchAge(runner);
  try {
    const result = await guard.race(fn, scope);
    if (runner.busy) await runner.settled();
    guard.assertIntact();
    transaction.assertNotLost();
    scope.end(transactionClosed);
    const waiting = runner.commit();
    if (waiting !== undefined) await waiting;
    await runner.durable(laterLsn(seenLsn, transaction.seenLsn));
    return result;
  } catch (error) {
    scope.end(transactionClosed);
    runner.abandon();
    if (guard.reason === undefined && !isOfTheDevice(error)) await runner.durable(seenLsn);
    throw guard.reason ?? error;
  } finally {
    transaction.isScoped = false;
    guard.dispose();
  }
}

interface Limits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

interface Resolved extends Limits {
  readonly mode: (typeof MODES)[number];
  readonly reveal: (typeof REVEALS)[number];
  /** Undefined: that of the database. */
  readonly durability: Durability | undefined;
}

function resolve(options: TransactionOptions): Resolved {
  refuseUnknown("transaction", options, ["mode", "signal", "timeoutMs", "reveal", "durability"]);
  const {
    mode = "immediate",
    timeoutMs = DEFAULT_TIMEOUT_MS,
    signal,
    reveal = "durable",
  } = options;
  if (!REVEALS.includes(reveal)) {
    throw new TypeError(
      `transaction: reveal is ${JSON.stringify(reveal)}; want ${REVEALS.join(", ")}`,
    );
  }
  if (!MODES.includes(mode)) {
    throw new TypeError(`transaction: mode is ${JSON.stringify(mode)}; want ${MODES.join(", ")}`);
  }
  if (typeof timeoutMs !== "number" || !(timeoutMs > 0)) {
    throw new RangeError(`transaction: timeoutMs is ${timeoutMs}; want a positive number`);
  }
  const durability = options.durability && durabilityOf("transaction", options.durability);
  return { mode, timeoutMs, signal, reveal, durability };
}

interface Place {
  readonly database: OpenDatabase;
  readonly session: Session;
}

/** Waits for the writer's turn; the transaction runs on the writer's own seat. */
function beginOnWriter(place: Place, limits: Limits): Promise<SeatRunner> {
  return new Promise((resolve, reject) => {
    place.database.writer.push(new WriterWait(place, limits, { resolve, reject }));
  });
}

interface Settlers {
  readonly resolve: (runner: SeatRunner) => void;
  readonly reject: (reason: unknown) => void;
}

/** A transaction that waits for the writer, until its time or its caller's patience is over. */
class WriterWait implements Hold {
  readonly kind = "hold";
  readonly session: Session;
  waitingSinceMs = 0;
  cancelled = false;
  readonly #database: OpenDatabase;
  readonly #signal: AbortSignal | undefined;
  readonly #settlers: Settlers;
  readonly #timer: Disposer;
  readonly #aborted: (() => void) | undefined;

  constructor({ database, session }: Place, limits: Limits, settlers: Settlers) {
    const { clock } = database.options.env;
    const { timeoutMs, signal } = limits;
    this.session = session;
    this.#database = database;
    this.#signal = signal;
    this.#settlers = settlers;
    this.#timer = clock.deadline(timeoutMs, () => this.refuse(timedOut(timeoutMs)));
    this.#aborted = signal && (() => this.refuse(signal.reason));
    if (this.#aborted !== undefined) signal?.addEventListener("abort", this.#aborted);
  }

  start(releaseWriter: () => void): void {
    const { session } = this;
    const database = this.#database;
    const seat = database.writerSeat();
    seat.connection.command("BEGIN IMMEDIATE");
    this.#end();
    this.#settlers.resolve(new SeatRunner({ database, session, seat, releaseWriter }));
  }

  refuse(error: unknown): void {
    if (this.cancelled) return;
    this.#end();
    this.#settlers.reject(error);
  }

  #end(): void {
    this.cancelled = true;
    this.#timer.dispose();
    if (this.#aborted !== undefined) this.#signal?.removeEventListener("abort", this.#aborted);
  }
}

async function beginOnSpare(
  place: Place,
  { mode, timeoutMs, signal }: Limits & { readonly mode: "deferred" | "read" },
): Promise<SeatRunner> {
  const { database, session } = place;
  const deadlineMs = database.options.env.clock.monotonicMs() + timeoutMs;
  const seat = await withPages(database.pages, () => database.takeSpare(session), {
    timeoutMs,
    deadlineMs,
    signal,
  });
  const runner = new SeatRunner({ ...place, seat });
  runner.transaction.isReadonly = mode === "read";
  seat.connection.command("BEGIN");
  return runner;
}

/** Ends a transaction from outside: time, the caller's signal, the age of a reader. */
class Guard {
  readonly #timer: Disposer;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#end(this.#signal?.reason);
  readonly #scope: Scope;
  #reject: (reason: unknown) => void = () => {};
  #reader: Disposer | undefined;
  reason: unknown;

  constructor(scope: Scope, options: Limits & { readonly database: OpenDatabase }) {
    const { timeoutMs, signal, database } = options;
    this.#scope = scope;
    this.#signal = signal;
    const { clock } = database.options.env;
    this.#timer = clock.deadline(timeoutMs, () => this.#end(timedOut(timeoutMs)));
    signal?.addEventListener("abort", this.#abort);
  }

  /** As long as it only reads, it may be ended for its age: see readers.ts. */
  watchAge(runner: SeatRunner): void {
    const { database } = runner.transaction;
    this.#reader = database.options.readers.begin({
      owner: database,
      lsn: () => runner.readingLsn,
      end: (error) => this.#end(error),
    });
  }

  /** The function's result, unless the guard comes first. */
  race<T>(fn: Body<T>, scope: Scope): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      if (this.reason !== undefined) reject(this.reason);
      else (async () => fn(scope))().then(resolve, reject);
    });
  }

  assertIntact(): void {
    if (this.reason !== undefined) throw this.reason;
  }

  dispose(): void {
    this.#timer.dispose();
    this.#reader?.dispose();
    this.#signal?.removeEventListener("abort", this.#abort);
  }

  #end(reason: unknown): void {
    this.reason = reason ?? new Error("aborted");
    this.#scope.end(reason instanceof StorageError ? () => reason : transactionClosed);
    this.#reject(this.reason);
  }
}

/** One level of a transaction: the whole, or a savepoint in it. */
class Scope extends QueryableBase implements Transaction {
  protected readonly runner: Runner;
  readonly #seatRunner: SeatRunner;
  readonly #transaction: SeatTransaction;
  readonly #depth: number;
  /** Asked when a call has its turn, which may be long after it was made. */
  readonly #permit = (): void => this.#assertOpen();
  #child: Scope | undefined;
  #ended: (() => StorageError) | undefined;

  constructor(seatRunner: SeatRunner, depth = 0) {
    super();
    this.#seatRunner = seatRunner;
    this.#transaction = seatRunner.transaction;
    this.#depth = depth;
    this.runner = {
      run: <T>(call: Call<T>) => this.#run(call),
      iterate: (call: RowCall) => {
        this.#assertCurrent();
        return seatRunner.iterate(call);
      },
      script: (sql, timeoutMs) => this.#guarded(() => this.#script(sql, timeoutMs)),
      describe: (sql) => this.#guarded(() => seatRunner.describe(sql)),
    };
  }

  async transaction<T>(fn: Body<T>): Promise<T> {
    this.#assertCurrent();
    const child = new Scope(this.#seatRunner, this.#depth + 1);
    const name = `bop_${child.#depth}`;
    this.#transaction.command(`SAVEPOINT ${name}`);
    this.#child = child;
    try {
      const result = await fn(child);
      await this.#seatRunner.settled();
      this.#assertOpen();
      this.#transaction.command(`RELEASE ${name}`);
      return result;
    } catch (error) {
      if (this.#ended === undefined && this.#transaction.isOpen) {
        this.#transaction.command(`ROLLBACK TO ${name}`);
        this.#transaction.command(`RELEASE ${name}`);
      }
      throw error;
    } finally {
      child.end(transactionClosed);
      this.#child = undefined;
    }
  }

  /** From now on every call is refused with this error; a nested scope's too. */
  end(error: () => StorageError): void {
    this.#child?.end(error);
    this.#ended ??= error;
    this.#seatRunner.stopWaiting(error);
  }

  #run<T>(call: Call<T>): Promise<T> {
    try {
      this.#assertCurrent();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#seatRunner.run(call, this.#permit);
  }

  async #script(sql: string, timeoutMs: number | undefined): Promise<void> {
    const wasInTransaction = this.#transaction.isOpen;
    assert(wasInTransaction, "a scope is open while its transaction is");
    await this.#seatRunner.script(sql, timeoutMs, this.#permit);
    if (this.#transaction.isOpen || this.#ended !== undefined) return;
    throw new TypeError("the script ended the transaction; its function must do that by returning");
  }

  async #guarded<T>(run: () => Promise<T>): Promise<T> {
    this.#assertCurrent();
    return run();
  }

  #assertOpen(): void {
    if (this.#ended !== undefined) throw this.#ended();
    this.#transaction.assertNotLost();
    this.#transaction.database.assertOpen();
  }

  #assertCurrent(): void {
    this.#assertOpen();
    if (this.#child !== undefined) {
      throw new TypeError("a nested transaction is open; use the handle that it was given");
    }
  }
}

/** Made when it is asked for, which is rarely: an error with its stack costs as much as a statement. */
const transactionClosed = (): StorageError => closedError("transaction");

function timedOut(timeoutMs: number): StorageError {
  const advice = "inside of it, use the handle that its function was given";
  const message = `the transaction took longer than ${timeoutMs} ms (${advice})`;
  return new StorageError("BOP_TIMEOUT", message, {
    details: { operation: "transaction", timeoutMs },
  });
}

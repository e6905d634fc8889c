/**
 * A CONNECTION in the user's hands: a session of its own.
 *
 * (1) Until it needs one, it has no seat: its statements run as a handle's do, together with those
 *     of others. BEGIN, a temp table or a changed pragma gives it a seat, and from then on all its
 *     statements run there.
 * (2) A transaction that only reads may be ended for its age (readers.ts): it is rolled back, and the
 *     next call is refused with the reason. What comes after that finds no transaction open.
 * (3) If pages are away that it needs to find out where a call is to run, or to open its seat, the
 *     call waits for them, and what is called meanwhile waits behind it.
 */
import type { Disposer } from "../../base/env.ts";
import type { StorageError } from "../../base/errors.ts";
import { PagesAway } from "../../page-store/index.ts";
import type { Connection, Transaction, TransactionOptions } from "../api/connection.ts";
import type { StatementDescription } from "../api/queryable.ts";
import { CallOrder } from "./call-order.ts";
import { closedError } from "./closed.ts";
import { HandleRunner } from "./handle-runner.ts";
import type { OpenDatabase } from "./open-database.ts";
import { withPages } from "./page-waits.ts";
import { QueryableBase } from "./queryable.ts";
import type { Call, RowCall, Runner } from "./runner.ts";
import { SeatRunner } from "./seat-runner.ts";
import { Session } from "./session.ts";
import { transactOn } from "./transaction.ts";

export class PinnedConnection extends QueryableBase implements Connection {
  protected readonly runner: Runner;
  readonly #database: OpenDatabase;
  readonly #session = new Session();
  readonly #shared: HandleRunner;
  #own: SeatRunner | undefined;
  /** See (3). Not its session's: its calls run through that. */
  readonly #calls = new CallOrder();
  #closed: StorageError | undefined;
  /** While its transaction reads. See (2). */
  #reader: Disposer | undefined;
  #expired: StorageError | undefined;

  constructor(database: OpenDatabase) {
    super();
    this.#database = database;
    this.#shared = new HandleRunner(database, this.#session);
    this.runner = {
      run: <T>(call: Call<T>) => this.#run(call),
      iterate: (call: RowCall) => this.#iterate(call),
      script: (sql, timeoutMs) => this.#refusable(() => this.#seated().script(sql, timeoutMs)),
      describe: (sql: string): Promise<StatementDescription> =>
        this.#refusable(() => (this.#own ?? this.#shared).describe(sql)),
    };
  }

  get inTransaction(): boolean {
    return this.#own?.transaction.isOpen ?? false;
  }

  async transaction<T>(
    fn: (tx: Transaction) => Promise<T> | T,
    options?: TransactionOptions,
  ): Promise<T> {
    return this.#refusable(() => transactOn(this.#seated(), fn, options));
  }

  async close(): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#closed = closedError("connection");
    this.#shared.close(this.#closed);
    const own = this.#own;
    this.#reader?.dispose();
    if (own === undefined) return;
    own.leave(this.#closed);
    const { transaction } = own;
    this.#database.giveBack(transaction.seat, { reusable: !transaction.hasChangedSeat });
  }

  #run<T>(call: Call<T>): Promise<T> {
    return this.#refusable(() => this.#runnerFor(call.sql).run(call));
  }

  #runnerFor(sql: string): Runner {
    this.#assertOpen();
    if (this.#own !== undefined) return this.#own;
    return this.#needsSeat(sql) ? this.#seated() : this.#shared;
  }

  /** A text that does not compile needs none: the shared runner will say so. */
  #needsSeat(sql: string): boolean {
    try {
      const { traits } = this.#database.readSeat(this.#session).statement(sql);
      return traits.kind === "transaction" || traits.sessionBound;
    } catch (error) {
      if (error instanceof PagesAway) throw error;
      return false;
    }
  }

  #seated(): SeatRunner {
    this.#own ??= new SeatRunner({
      database: this.#database,
      session: this.#session,
      seat: this.#database.takeSpare(this.#session),
    });
    return this.#own;
  }

  async #refusable<T>(run: () => Promise<T>): Promise<T> {
    if (this.#calls.isWaiting) return this.#calls.inOrder(() => this.#refusable(run));
    this.#assertUsable();
    let running: Promise<T>;
    try {
      running = run();
    } catch (error) {
      if (!(error instanceof PagesAway)) throw error;
      running = (await this.#startLater(run)).running;
    }
    if (this.#own === undefined) return running;
    return running.finally(() => this.#watchAge());
  }

  /** See (3). Resolves when the call has begun. */
  #startLater<T>(run: () => Promise<T>): Promise<{ readonly running: Promise<T> }> {
    const started = withPages(this.#database.pages, () => {
      this.#assertUsable();
      return { running: run() };
    });
    this.#calls.waitFor(started);
    return started;
  }

  #iterate(call: RowCall): AsyncIterableIterator<unknown> {
    this.#assertUsable();
    try {
      if (!this.#calls.isWaiting) return this.#runnerFor(call.sql).iterate(call);
    } catch (error) {
      if (!(error instanceof PagesAway)) throw error;
    }
    return rowsOf(() => this.#refusable(() => Promise.resolve(this.#runnerFor(call.sql))), call);
  }

  /** Called when a call is done: lists the connection while its transaction reads. */
  #watchAge(): void {
    const own = this.#own;
    const isReading = own?.readingLsn !== undefined && this.#closed === undefined;
    if (isReading === (this.#reader !== undefined)) return;
    this.#reader?.dispose();
    this.#reader = undefined;
    if (!isReading) return;
    const { readers } = this.#database.options;
    this.#reader = readers.begin({
      owner: this.#database,
      lsn: () => own?.readingLsn,
      end: (error) => {
        this.#reader = undefined;
        this.#expired = error;
        own?.abandon();
      },
    });
  }

  #assertUsable(): void {
    this.#assertOpen();
    const error = this.#expired;
    this.#expired = undefined;
    if (error !== undefined) throw error;
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }
}

async function* rowsOf(runnerFor: () => Promise<Runner>, call: RowCall): AsyncGenerator<unknown> {
  const runner = await runnerFor();
  yield* runner.iterate(call);
}

/**
 * WHAT A CALL ON A SEAT WAITS FOR. What it does there, in one go, is in seat-transaction.ts.
 *
 *   call ──► the calls before it ──► the writer, if it may write ──► its statement ──► the gate ──► answer
 *                                                                       ▲   │ pages are away
 *                                                                       └───┘
 *
 * (1) Calls run one after the other in the order they were made, also when one of them waits for
 *     the writer. One that has nothing to wait for runs before `run` returns.
 * (2) A statement that may write waits for the writer in its turn with everybody else. Who made the
 *     call may have lost his right to it meanwhile: then he is refused (`Permit`).
 * (3) What a statement or a script returns or throws waits for the LSN of what it saw
 *     (seat-transaction.ts (5)). Where a transaction asked for it (`revealsCommitted`), only its end
 *     waits. It waits at the gate of the transaction's level (`level`), else the database's.
 * (4) A statement that finds pages away keeps its place, and the writer, until they are here. If they
 *     cannot be had, it fails, and the transaction stays open.
 * (5) A function's transaction is refused with a TypeError while another one is open, or is about to
 *     begin: that is known at the call, long before its BEGIN has its turn.
 * (6) It waits for its turn and for the writer until its caller gives up, which he hears at once. Then
 *     it does not begin, and what it has of the writer goes back; who gives up later has begun.
 */
import type { StorageError } from "../../base/errors.ts";
import { LSN_ZERO, type Lsn, laterLsn } from "../../base/units.ts";
import { PagesAway } from "../../page-store/index.ts";
import type { StatementDescription } from "../api/queryable.ts";
import { acquireWriter } from "./acquire-writer.ts";
import { closedError } from "./closed.ts";
import { isOfTheDevice } from "./group.ts";
import { interrupted } from "./interrupted.ts";
import { type Permit, RowIterator } from "./iterator.ts";
import type { Call, RowCall, Runner } from "./runner.ts";
import { inTransaction } from "./seat-refusals.ts";
import {
  type CallOutcome,
  type Ran,
  type ScopeTraits,
  SeatTransaction,
  type SeatTransactionOptions,
} from "./seat-transaction.ts";
import { SeatWaits } from "./seat-waits.ts";
import { allShape } from "./shapes.ts";

export class SeatRunner implements Runner {
  readonly transaction: SeatTransaction;
  /** Settles when the calls before are done; undefined when there are none. See (1). */
  #last: Promise<void> | undefined;
  /** See (5). */
  #isBeginning = false;
  /** See (4). */
  readonly #waits: SeatWaits;

  constructor(options: SeatTransactionOptions) {
    this.transaction = new SeatTransaction(options);
    this.#waits = new SeatWaits(this.transaction);
  }

  /** The moment of an open transaction that neither has the writer nor waits for it. */
  get readingLsn(): Lsn | undefined {
    const { hasWriter, isOpen, seat } = this.transaction;
    if (hasWriter || this.#last !== undefined) return undefined;
    return isOpen ? seat.connection.snapshotLsn : undefined;
  }

  /** Calls that were made so far are not done. */
  get busy(): boolean {
    return this.#last !== undefined;
  }

  /** Runs it when the calls that were made so far are done, before those to come. Undefined: it has run. */
  behindCalls(task: () => void): Promise<void> | undefined {
    if (this.#last !== undefined) return this.#inTurn(async () => task());
    task();
    return undefined;
  }

  /** Resolves when the calls that were made so far are done. */
  settled(): Promise<void> {
    return this.#last ?? Promise.resolve();
  }

  /** Resolves when all that the function's transaction has seen or done is durable. */
  durable(): Promise<void> {
    return this.#passed({ answer: undefined, seenLsn: this.transaction.seenLsn });
  }

  /** BEGIN of a function's transaction, behind the calls that were made so far. See (5), (6). */
  async begin(sql: string, asked: ScopeTraits, until: AbortSignal): Promise<void> {
    this.#assertFree();
    if (this.#isBeginning) throw inTransaction();
    this.#isBeginning = true;
    let gaveUp = (): void => {};
    try {
      await new Promise<void>((resolve, reject) => {
        gaveUp = () => reject(until.reason);
        until.addEventListener("abort", gaveUp);
        const begin = async (): Promise<void> => {
          await this.#clearTheWay(sql, until);
          this.transaction.begin(sql, asked, until);
          resolve(); // In the same go.
        };
        this.#inTurn(() => this.#waits.withPages({ signal: until }, begin)).catch(reject);
      });
    } finally {
      until.removeEventListener("abort", gaveUp);
      this.#isBeginning = false;
    }
  }

  run<T>(call: Call<T>, permit?: Permit): Promise<T> {
    const { transaction } = this;
    if (this.#last === undefined && !transaction.needsWriter(call.sql)) {
      try {
        return this.#runNow(call);
      } catch (error) {
        if (!(error instanceof PagesAway)) throw error;
        return this.#inTurn(() => this.#again(call, error, permit));
      }
    }
    return this.#inTurn(async () => {
      permit?.();
      transaction.assertUsable();
      if (transaction.needsWriter(call.sql)) await this.#takeWriter(permit);
      try {
        return this.#runNow(call);
      } catch (error) {
        if (!(error instanceof PagesAway)) throw error;
        return this.#again(call, error, permit);
      }
    });
  }

  script(sql: string, timeoutMs?: number, permit?: Permit): Promise<void> {
    const running = this.#inTurn(() => this.#runAll(sql, timeoutMs, permit));
    return running.then((ran) => this.#gate(ran));
  }

  /** The rows are taken at the first step, and ask for the permit at every one. */
  iterate({ sql, parameters, read }: RowCall, permit?: Permit): AsyncIterableIterator<unknown> {
    const { transaction } = this;
    const call = { sql, parameters, shape: allShape(read), timeoutMs: undefined };
    const open = async () => ({ rows: await this.run(call, permit), end: () => {} });
    return new RowIterator(transaction.database, open, () => {
      if (transaction.refusal !== undefined) throw transaction.refusal;
      permit?.();
    });
  }

  describe(sql: string, permit?: Permit): Promise<StatementDescription> {
    const { transaction } = this;
    const running = this.#inTurn(() =>
      this.#waits.withPages({}, () => {
        permit?.();
        return transaction.describe(sql);
      }),
    );
    return running.then((ran) => this.#gate(ran));
  }

  /** The end of a function's transaction. Undefined: it has ended; else it does when pages are here. */
  commit(): Promise<void> | undefined {
    const { transaction } = this;
    try {
      transaction.commit();
      return undefined;
    } catch (error) {
      if (!(error instanceof PagesAway)) throw error;
      return this.#waits.withPages({}, () => transaction.commit(), error);
    }
  }

  /** Ends the transaction without its commit, and with it what waits for pages. */
  abandon(): void {
    this.stopWaiting(() => closedError("transaction"));
    this.transaction.abandon();
  }

  /** The same; from now on every call is refused, and the seat may be given to others. */
  leave(error: StorageError): void {
    this.stopWaiting(() => error);
    this.transaction.refuse(error);
  }

  /** Ends what waits for pages. */
  stopWaiting(error: () => StorageError): void {
    this.#waits.stop(error);
  }

  /** Throws PagesAway: it has not run then. */
  #runNow<T>(call: Call<T>): Promise<T> {
    const ran = this.transaction.run(call);
    if ("error" in ran && isOfTheDevice(ran.error)) return settle(ran);
    return this.#gate(ran);
  }

  /** Once more, when the pages are here that it missed. It has been its turn already. */
  #again<T>(call: Call<T>, missed: PagesAway, permit: Permit | undefined): Promise<T> {
    const { transaction } = this;
    const { timeoutMs, deadlineMs = transaction.database.deadlineMs(timeoutMs) } = call;
    const run = async (): Promise<T> => {
      permit?.();
      if (transaction.needsWriter(call.sql)) await this.#takeWriter(permit);
      return this.#runNow({ ...call, deadlineMs });
    };
    return this.#waits.withPages({ timeoutMs, deadlineMs }, run, missed);
  }

  /** Runs a script. What it shows is what any of its statements saw. */
  async #runAll(
    sql: string,
    timeoutMs: number | undefined,
    permit: Permit | undefined,
  ): Promise<Ran<undefined>> {
    const { transaction } = this;
    const { connection } = transaction.seat;
    const deadlineMs = transaction.database.deadlineMs(timeoutMs);
    let seenLsn = LSN_ZERO;
    try {
      for (let rest = sql; rest.trim() !== ""; ) {
        rest = await this.#waits.withPages({ timeoutMs, deadlineMs }, () => {
          permit?.();
          if (timeoutMs !== undefined) connection.deadline(deadlineMs);
          return this.#runFirst(rest, permit);
        });
        seenLsn = laterLsn(seenLsn, transaction.seenLsn);
      }
      return { answer: undefined, seenLsn };
    } catch (error) {
      if (!isOfTheDevice(error)) seenLsn = laterLsn(seenLsn, transaction.seenLsn);
      return { error: interrupted(error, timeoutMs), seenLsn };
    } finally {
      const isOurs = transaction.refusal === undefined && connection.open;
      if (timeoutMs !== undefined && isOurs) connection.deadline(undefined);
    }
  }

  /** Runs the first statement of a script; returns what follows it. */
  async #runFirst(sql: string, permit: Permit | undefined): Promise<string> {
    const { transaction } = this;
    let compiled = transaction.compileFirst(sql);
    if (transaction.needsWriterFor(compiled.statement)) {
      compiled.statement?.finalize();
      await this.#takeWriter(permit);
      compiled = transaction.compileFirst(sql);
    }
    if (compiled.statement !== undefined) transaction.runFirst(compiled.statement);
    return compiled.tail;
  }

  /** It is the turn of a BEGIN. */
  async #clearTheWay(sql: string, until: AbortSignal): Promise<void> {
    const permit = (): void => until.throwIfAborted();
    permit();
    this.#assertFree(); // A call before it may have begun one.
    if (this.transaction.needsWriter(sql)) await this.#takeWriter(permit, until);
  }

  #assertFree(): void {
    const { isOpen, isScoped } = this.transaction;
    if (isOpen || isScoped) throw inTransaction();
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const before = this.#last ?? Promise.resolve();
    const result = before.then(task);
    const done = result.then(
      () => {},
      () => {},
    );
    this.#last = done;
    void done.then(() => {
      if (this.#last === done) this.#last = undefined;
    });
    return result;
  }

  /** See (2). */
  #takeWriter(permit: Permit | undefined, until?: AbortSignal): Promise<void> {
    const { transaction } = this;
    if (transaction.hasWriter) return Promise.resolve();
    const { database, session } = transaction;
    return acquireWriter({ database, session, until }).then((release) => {
      try {
        if (transaction.refusal !== undefined) throw transaction.refusal;
        permit?.();
      } catch (error) {
        release();
        throw error;
      }
      transaction.giveWriter(release);
    });
  }

  /** See (3). */
  #gate<T>(ran: Ran<T>): Promise<T> {
    const { transaction } = this;
    return transaction.revealsCommitted && transaction.isOpen ? settle(ran) : this.#passed(ran);
  }

  #passed<T>(ran: Ran<T>): Promise<T> {
    const { transaction } = this;
    const { seenLsn } = ran;
    const { level, database } = transaction;
    const gate = level ?? database.gate;
    if (gate.isOpen(seenLsn)) return settle(ran);
    if (transaction.hasWriter) return this.#waitWithWriter(ran);
    database.options.kick();
    return gate.passed(seenLsn).then(() => settle(ran));
  }

  /** Nobody who shares its database can go on, so that the flush may as well happen at once. */
  async #waitWithWriter<T>(ran: Ran<T>): Promise<T> {
    const { database, level } = this.transaction;
    const { kick, countHold } = database.options;
    countHold(-1);
    kick();
    try {
      await (level ?? database.gate).passed(ran.seenLsn);
    } finally {
      countHold(1);
    }
    return settle(ran);
  }
}

function settle<T>(outcome: CallOutcome<T>): Promise<T> {
  return "answer" in outcome ? Promise.resolve(outcome.answer) : Promise.reject(outcome.error);
}

/**
 * HOW A TRANSACTION BEGINS, as a function's: on the writer's own seat when it is its turn to write, or
 * at once on a spare seat, where it gets the writer when it is about to write (seat-runner.ts); or on
 * the seat of the connection that it was called on.
 *
 * (1) Who waits for the writer is refused when his time is over or he gives up, whatever is in front of
 *     him, and has no turn then.
 * (2) What the session was asked for before begins before it (session.ts (3)), however long that takes:
 *     that it waits for, too. A snapshot shows it, if the writer is free to do it now.
 */
import type { Clock, Disposer } from "../../base/env.ts";
import type { OpenDatabase } from "./open-database.ts";
import { withPages } from "./page-waits.ts";
import { SeatRunner } from "./seat-runner.ts";
import type { ScopeTraits } from "./seat-transaction.ts";
import type { Session } from "./session.ts";
import { type TransactionLimits, timedOut } from "./transaction-options.ts";
import type { Hold } from "./work.ts";

export interface TransactionPlace {
  readonly database: OpenDatabase;
  readonly session: Session;
}

/** Waits for the writer's turn; the transaction runs on the writer's own seat. */
export function beginOnWriter(
  place: TransactionPlace,
  limits: TransactionLimits,
): Promise<SeatRunner> {
  const { database, session } = place;
  return new Promise((resolve, reject) => {
    const wait = new WriterWait(place, limits, { resolve, reject });
    if (session.calls.isWaiting) void session.calls.inOrder(() => database.writer.push(wait));
    else database.writer.push(wait);
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
  readonly #settlers: Settlers;
  readonly #patience: Disposer;

  constructor(
    { database, session }: TransactionPlace,
    limits: TransactionLimits,
    settlers: Settlers,
  ) {
    this.session = session;
    this.#database = database;
    this.#settlers = settlers;
    this.#patience = patience(database.options.env.clock, limits, (reason) => this.refuse(reason));
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
    this.#patience.dispose();
  }
}

/** Calls `giveUp` with the reason when the time is over or the caller gives up, unless disposed. */
function patience(
  clock: Clock,
  { timeoutMs, signal }: TransactionLimits,
  giveUp: (reason: unknown) => void,
): Disposer {
  const timer = clock.deadline(timeoutMs, () => giveUp(timedOut(timeoutMs)));
  const aborted = (): void => giveUp(signal?.reason);
  signal?.addEventListener("abort", aborted);
  return {
    dispose: () => {
      timer.dispose();
      signal?.removeEventListener("abort", aborted);
    },
  };
}

/** See (2). Rejects by (1). */
async function inOrder({ database, session }: TransactionPlace, limits: TransactionLimits) {
  let waiting: Disposer | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      waiting = patience(database.options.env.clock, limits, reject);
      void session.calls.inOrder(resolve);
    });
  } finally {
    waiting?.dispose();
  }
}

/** On the seat of a connection, behind its calls. See (1). */
export async function beginOnConnection(
  runner: SeatRunner,
  asked: ScopeTraits,
  limits: TransactionLimits,
): Promise<void> {
  const { clock } = runner.transaction.database.options.env;
  const until = new AbortController();
  const waiting = patience(clock, limits, (reason) => until.abort(reason));
  try {
    await runner.begin(
      asked.mode === "immediate" ? "BEGIN IMMEDIATE" : "BEGIN",
      asked,
      until.signal,
    );
  } finally {
    waiting.dispose();
  }
}

/** Its snapshot is taken when it looks first. */
export async function beginOnSpare(
  place: TransactionPlace,
  limits: TransactionLimits,
): Promise<SeatRunner> {
  const { database, session } = place;
  const { timeoutMs, signal } = limits;
  const deadlineMs = database.options.env.clock.monotonicMs() + timeoutMs;
  if (session.calls.isWaiting) await inOrder(place, limits);
  if (session.queuedCount > 0) {
    database.catchUp(session);
    database.options.kick();
  }
  const seat = await withPages(database.pages, () => database.takeSpare(session), {
    timeoutMs,
    deadlineMs,
    signal,
  });
  const runner = new SeatRunner({ ...place, seat });
  seat.connection.command("BEGIN");
  return runner;
}

/**
 * HOW A TRANSACTION BEGINS, as a function's: on the writer's own seat when it is its turn to write, or
 * at once on a spare seat, where it gets the writer when it is about to write (seat-runner.ts).
 *
 * (1) Who waits for the writer is refused when his time is over or he gives up, whatever is in front of
 *     him, and has no turn then.
 */
import type { Disposer } from "../../base/env.ts";
import type { OpenDatabase } from "./open-database.ts";
import { withPages } from "./page-waits.ts";
import { SeatRunner } from "./seat-runner.ts";
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

  constructor(
    { database, session }: TransactionPlace,
    limits: TransactionLimits,
    settlers: Settlers,
  ) {
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

/** Its snapshot is taken when it looks first. */
export async function beginOnSpare(
  place: TransactionPlace,
  { mode, timeoutMs, signal }: TransactionLimits & { readonly mode: "deferred" | "read" },
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

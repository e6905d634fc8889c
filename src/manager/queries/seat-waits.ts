/**
 * WAITS FOR PAGES on one seat, of one call at a time: the one whose turn it is.
 *
 * (1) Whoever ends the transaction of the seat, or takes the seat away, ends the wait with it
 *     (`stop`). What waited does not touch the seat any more.
 * (2) While a call that has the writer waits, nobody who writes to its database can go on, and the
 *     log may be flushed at once.
 */
import type { StorageError } from "../../base/errors.ts";
import { PagesAway } from "../../page-store/index.ts";
import type { PageWait, WaitLimits } from "./page-waits.ts";
import type { SeatTransaction } from "./seat-transaction.ts";

export class SeatWaits {
  readonly #transaction: SeatTransaction;
  #wait: PageWait | undefined;

  constructor(transaction: SeatTransaction) {
    this.#transaction = transaction;
  }

  /** Runs what may find pages away until it finds none. `missed`: it has run once. */
  async withPages<T>(
    limits: WaitLimits,
    run: () => T | Promise<T>,
    missed?: PagesAway,
  ): Promise<T> {
    let away = missed;
    try {
      for (;;) {
        if (away !== undefined) await this.#bring(away, limits);
        try {
          return await run();
        } catch (error) {
          if (!(error instanceof PagesAway)) throw error;
          away = error;
        }
      }
    } finally {
      this.#wait?.end();
      this.#wait = undefined;
    }
  }

  /** See (1). */
  stop(error: () => StorageError): void {
    const wait = this.#wait;
    if (wait === undefined) return;
    this.#wait = undefined;
    wait.cancel(error());
    wait.end();
  }

  /** See (2). */
  async #bring(away: PagesAway, limits: WaitLimits): Promise<void> {
    const { database, hasWriter } = this.#transaction;
    const { pages, options } = database;
    this.#wait ??= pages.begin();
    const wait = this.#wait;
    if (hasWriter) options.countHold(-1);
    try {
      await wait.bring(away, limits);
      wait.assertGoingOn();
    } catch (error) {
      if (this.#wait === wait) this.#transaction.gaveUp();
      throw error;
    } finally {
      if (hasWriter) options.countHold(1);
    }
  }
}

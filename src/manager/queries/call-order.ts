/**
 * THE ORDER OF CALLS of one caller, where one of them has to wait for pages before it is known what it
 * is, and what was called later must not begin before it.
 *
 * (1) A call begins at once if none waits: order costs nothing then, not even a turn of the promises.
 *     Hence `isWaiting`, which is asked first.
 * (2) What waits begins in the order of the calls, each when the one before has begun. One of them may
 *     have to wait as well: those behind it wait on.
 * (3) How the call that was waited for ends concerns only who called it.
 * (4) A call that runs through another order (a connection's runs through its session's) waits in
 *     that one too, so the two are never the same one: it would wait for itself.
 */
export class CallOrder {
  /** Never rejects: see (3). */
  #begun: Promise<void> | undefined;

  /** Some call waits: what comes is to be called by `inOrder`. */
  get isWaiting(): boolean {
    return this.#begun !== undefined;
  }

  /** Calls wait until this settles, however it does. */
  waitFor(begun: Promise<unknown>): void {
    const settled = begun.then(
      () => undefined,
      () => undefined,
    );
    this.#begun = settled;
    void settled.then(() => {
      if (this.#begun === settled) this.#begun = undefined;
    });
  }

  /** Calls `start` in the same go in which it is its turn: see (1) and (2). */
  async inOrder<T>(start: () => T | Promise<T>): Promise<T> {
    while (this.#begun !== undefined) await this.#begun;
    return start();
  }
}

/** JOBS ONE AT A TIME, in the order they were given. One that fails does not keep those behind it. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(job: () => Promise<T>): Promise<T> {
    const done = this.#last.then(job);
    this.#last = done.catch(() => undefined); // Who gave it hears of it; the next one only waits.
    return done;
  }

  /** Resolves when what was given so far is done. */
  async ended(): Promise<void> {
    await this.#last;
  }
}

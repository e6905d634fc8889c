/**
 * WHAT WENT WRONG INSIDE A CALLBACK. No exception may cross C: it is kept here, SQLite gets a result
 * code, and whoever called SQLite throws what was kept. The first one is the reason of what follows.
 */
import { AssertionError } from "../../base/assert.ts";
import { isStorageError } from "../../base/errors.ts";
import { PagesAway } from "../../page-store/index.ts";

export class Faults {
  #error: unknown;

  get error(): unknown {
    return this.#error;
  }

  keep(error: unknown): void {
    this.#error ??= error;
  }

  /**
   * The call succeeded all the same, since SQLite could do without. What the world did is settled
   * then; a mistake of ours is not.
   */
  confirm(): void {
    const error = this.#error;
    this.#error = undefined;
    if (error instanceof AssertionError) throw error;
  }

  /**
   * Takes what says that pages could not be read though nothing is wrong with them: they are away,
   * or the device refused. A call can succeed all the same: an integrity check reports what it
   * cannot read as damage.
   */
  takeUnread(): unknown {
    const error = this.#error;
    if (!(error instanceof PagesAway) && !isStorageError(error, "BOP_IO")) return undefined;
    this.#error = undefined;
    return error;
  }

  /**
   * Takes what says that pages are away. A call can succeed all the same: a schema is loaded without
   * its statistics.
   */
  takeAway(): PagesAway | undefined {
    const error = this.#error;
    if (!(error instanceof PagesAway)) return undefined;
    this.#error = undefined;
    return error;
  }

  clear(): void {
    this.#error = undefined;
  }

  /** Runs one callback; what it throws is kept, and `code` is what SQLite hears. */
  guard(code: number, action: () => number): number {
    try {
      return action();
    } catch (error) {
      this.keep(error);
      return code;
    }
  }
}

/**
 * WHEN C ITSELF FAILS: a trap of WebAssembly, or JavaScript's stack ending somewhere inside it. The
 * instance's memory is then in the middle of something, and nothing in it may be trusted or called
 * again. What can be saved is what lies outside: pins and write locks are given back, connections
 * and statements say that they are closed. The databases are as their last commits left them.
 */
import { StorageError } from "../base/errors.ts";

export interface Abandonable {
  /** Gives back what is held outside of C, without calling C. */
  abandon(): void;
}

export class Breakdown {
  readonly #connections: ReadonlyMap<number, Abandonable>;
  #cause: unknown;

  constructor(connections: ReadonlyMap<number, Abandonable>) {
    this.#connections = connections;
  }

  get happened(): boolean {
    return this.#cause !== undefined;
  }

  /** `cause` came out of a call into C. Returns what the caller throws. */
  by(cause: unknown): StorageError<"BOP_CLOSED"> {
    this.#cause ??= cause;
    return this.error();
  }

  /** Abandons what is left, too: the first attempt may have had too little stack for it. */
  error(): StorageError<"BOP_CLOSED"> {
    for (const connection of [...this.#connections.values()]) connection.abandon();
    const details = { what: "engine" };
    const message = "the SQL engine broke down and was closed; its open transactions are undone";
    return new StorageError("BOP_CLOSED", message, { details, cause: this.#cause });
  }
}

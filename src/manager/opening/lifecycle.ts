/**
 * LIFE OF A STORE
 *
 *              close                 closed
 *     open ───────────► closing ───────────► closed
 *      │ see below         ▲
 *      └───► read-only ────┘ close
 *
 *   open       Everything works.
 *   read-only  The log failed for good, and reopening recovers; or another process has the bucket, or
 *              disk and bucket differ. Nothing more is written, what was durable can be read.
 *   closing    Calls are refused with BOP_CLOSED. What was committed is being made durable.
 *   closed     No file, timer, lock or thread is left.
 *
 *   open → read-only    logFailed            the log said that it failed
 *                       bucketLost           whoever ships said that it may not any more
 *   open → closing      Store.close
 *   closing → closed    Store.close          everything is released
 */
import type { StorageError } from "../../base/errors.ts";
import { StateTable } from "../../base/state-table.ts";
import { closedError } from "../queries/closed.ts";

export type StoreState = "open" | "read-only" | "closing" | "closed";

const NEXT = new StateTable<StoreState>("store", {
  open: ["read-only", "closing"],
  "read-only": ["closing"],
  closing: ["closed"],
  closed: [],
});

export class Lifecycle {
  #state: StoreState = "open";
  #why: StorageError | undefined;

  get state(): StoreState {
    return this.#state;
  }

  /** The only place where a store changes its state. */
  moveTo(next: StoreState, why?: StorageError): void {
    NEXT.assertMove(this.#state, next);
    this.#state = next;
    this.#why = why ?? this.#why;
  }

  /** Throws BOP_CLOSED. */
  assertOpen(): void {
    if (this.#state === "closing" || this.#state === "closed") throw closedError("store");
  }

  /** Throws BOP_CLOSED, or the reason why the store is read-only. */
  assertWritable(): void {
    this.assertOpen();
    if (this.#why !== undefined) throw this.#why;
  }
}

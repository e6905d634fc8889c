/**
 * AN OBJECT STORE WHOSE CALLS ARE REPEATED: each goes through one retrier, so that all of them share
 * its budget, its breaker and its timer.
 *
 * (1) A put is repeated with its own id and its own body, and so gets the answer of the attempt that
 *     succeeded, whichever that was.
 */
import { ForwardingStore, type StoreCall } from "../forwarding-store.ts";
import type { ObjectStore } from "../object-store.ts";
import type { Retrier } from "./retrier.ts";

export class RetryingStore extends ForwardingStore {
  readonly #retrier: Retrier;

  /** Both are closed with it. */
  constructor(store: ObjectStore, retrier: Retrier) {
    super(store);
    this.#retrier = retrier;
  }

  override async close(): Promise<void> {
    this.#retrier.close();
    await super.close();
  }

  protected override around<T>({ signal }: StoreCall, send: () => Promise<T>): Promise<T> {
    return this.#retrier.run(send, { signal });
  }
}

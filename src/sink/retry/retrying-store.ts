/**
 * AN OBJECT STORE WHOSE CALLS ARE REPEATED: each goes through one retrier, so that all of them share
 * its budget, its breaker and its timer.
 *
 * (1) A put is repeated with its own id and its own body, and so gets the answer of the attempt that
 *     succeeded, whichever that was.
 */
import type {
  CallOptions,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutOutcome,
  ServiceReport,
  StoredObject,
} from "../object-store.ts";
import type { Retrier } from "./retrier.ts";

export class RetryingStore implements ObjectStore {
  readonly location: string;
  readonly #store: ObjectStore;
  readonly #retrier: Retrier;

  /** Both are closed with it. */
  constructor(store: ObjectStore, retrier: Retrier) {
    this.location = store.location;
    this.#store = store;
    this.#retrier = retrier;
  }

  put(key: string, body: Uint8Array, options: PutOptions): Promise<void> {
    return this.#retrier.run(() => this.#store.put(key, body, options), options);
  }

  putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    return this.#retrier.run(() => this.#store.putIfAbsent(key, body, options), options);
  }

  get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    return this.#retrier.run(() => this.#store.get(key, options), options);
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#retrier.run(() => this.#store.head(key, options), options);
  }

  list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    return this.#retrier.run(() => this.#store.list(prefix, options), options);
  }

  delete(key: string, options: CallOptions = {}): Promise<void> {
    return this.#retrier.run(() => this.#store.delete(key, options), options);
  }

  async inspect(key: string, options: PutOptions): Promise<ServiceReport | undefined> {
    return this.#retrier.run(async () => this.#store.inspect?.(key, options), options);
  }

  async close(): Promise<void> {
    this.#retrier.close();
    await this.#store.close();
  }
}

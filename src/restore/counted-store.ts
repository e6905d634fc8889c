/** AN OBJECT STORE THAT COUNTS what is read from it: what a restore cost, and what it needed. */
import type {
  CallOptions,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutOutcome,
  StoredObject,
} from "../sink/index.ts";

export interface ReadCounts {
  /** Calls that asked for an object, or for a part of one, or what there is. */
  readonly requests: number;
  /** Different objects that something was read of. */
  readonly objects: number;
  readonly bytes: number;
}

export class CountedStore implements ObjectStore {
  readonly location: string;
  readonly #store: ObjectStore;
  readonly #seen = new Set<string>();
  #requests = 0;
  #bytes = 0;

  constructor(store: ObjectStore) {
    this.#store = store;
    this.location = store.location;
  }

  get reads(): ReadCounts {
    return { requests: this.#requests, objects: this.#seen.size, bytes: this.#bytes };
  }

  async get(key: string, options?: GetOptions): Promise<StoredObject | undefined> {
    this.#requests += 1;
    const found = await this.#store.get(key, options);
    if (found !== undefined) this.#seen.add(key);
    this.#bytes += found?.bytes.length ?? 0;
    return found;
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    this.#requests += 1;
    return this.#store.head(key, options);
  }

  list(prefix: string, options?: ListOptions): Promise<ListPage> {
    this.#requests += 1;
    return this.#store.list(prefix, options);
  }

  put(key: string, body: Uint8Array, options: PutOptions): Promise<void> {
    return this.#store.put(key, body, options);
  }

  putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    return this.#store.putIfAbsent(key, body, options);
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#store.delete(key, options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

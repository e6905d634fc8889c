/** A STORE WHOSE CALLER FALLS ASLEEP now and then: before it asks, or before it hears the answer. */
import type { Clock } from "../../src/base/env.ts";
import type { SeededRandom } from "../../src/io/index.ts";
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
} from "../../src/sink/index.ts";

export interface Stalls {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly chance: number;
  readonly msMax: number;
}

export class StallingStore implements ObjectStore {
  readonly location: string;
  readonly #store: ObjectStore;
  readonly #stalls: Stalls;

  constructor(store: ObjectStore, stalls: Stalls) {
    this.location = store.location;
    this.#store = store;
    this.#stalls = stalls;
  }

  put(key: string, body: Uint8Array, options: PutOptions): Promise<void> {
    return this.#call(() => this.#store.put(key, body, options));
  }

  putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    return this.#call(() => this.#store.putIfAbsent(key, body, options));
  }

  get(key: string, options?: GetOptions): Promise<StoredObject | undefined> {
    return this.#call(() => this.#store.get(key, options));
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#call(() => this.#store.head(key, options));
  }

  list(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.#call(() => this.#store.list(prefix, options));
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#call(() => this.#store.delete(key, options));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #call<T>(run: () => Promise<T>): Promise<T> {
    await this.#stall();
    try {
      return await run();
    } finally {
      await this.#stall();
    }
  }

  async #stall(): Promise<void> {
    const { clock, random, chance, msMax } = this.#stalls;
    if (random.chance(chance)) await clock.sleep(random.fraction() * msMax);
  }
}

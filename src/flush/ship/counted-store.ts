/**
 * AN OBJECT STORE WHOSE REQUESTS ARE COUNTED, as services charge for them: by class, and what is put
 * by the kind of object.
 *
 * (1) What is counted is what was asked for: repetitions are counted by who repeats (RetryStats).
 */
import {
  type CallOptions,
  type GetOptions,
  type ListOptions,
  type ListPage,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  type PutOutcome,
  parseKey,
  type StoredObject,
} from "../../sink/index.ts";

const KINDS = ["store", "epoch", "wal", "manifest", "chunk", "other"] as const;
type PutKind = (typeof KINDS)[number];

/** What the requests of a store have come to since it was opened. */
export interface RequestCounts {
  /** Puts and lists: the dear ones. */
  readonly writes: number;
  readonly reads: number;
  /** Most services do not charge for them. */
  readonly deletes: number;
  readonly putsByKind: Readonly<Record<PutKind, number>>;
  readonly bytesByKind: Readonly<Record<PutKind, number>>;
}

export class CountedStore implements ObjectStore {
  readonly location: string;
  readonly #store: ObjectStore;
  readonly #puts = zeros();
  readonly #bytes = zeros();
  #writes = 0;
  #reads = 0;
  #deletes = 0;

  constructor(store: ObjectStore) {
    this.location = store.location;
    this.#store = store;
  }

  get counts(): RequestCounts {
    return {
      writes: this.#writes,
      reads: this.#reads,
      deletes: this.#deletes,
      putsByKind: { ...this.#puts },
      bytesByKind: { ...this.#bytes },
    };
  }

  put(key: string, body: Uint8Array, options: PutOptions): Promise<void> {
    this.#countPut(key, body);
    return this.#store.put(key, body, options);
  }

  putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    this.#countPut(key, body);
    return this.#store.putIfAbsent(key, body, options);
  }

  get(key: string, options?: GetOptions): Promise<StoredObject | undefined> {
    this.#reads += 1;
    return this.#store.get(key, options);
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    this.#reads += 1;
    return this.#store.head(key, options);
  }

  list(prefix: string, options?: ListOptions): Promise<ListPage> {
    this.#writes += 1;
    return this.#store.list(prefix, options);
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    this.#deletes += 1;
    return this.#store.delete(key, options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #countPut(key: string, body: Uint8Array): void {
    const kind = kindOf(key);
    this.#writes += 1;
    this.#puts[kind] += 1;
    this.#bytes[kind] += body.length;
  }
}

function kindOf(key: string): PutKind {
  const kind = parseKey(key)?.kind;
  return kind === undefined || kind === "probe" ? "other" : kind;
}

function zeros(): Record<PutKind, number> {
  return Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<PutKind, number>;
}

/**
 * A NARROW TRANSACTIONAL KEY-VALUE STORE, which is all that the manifest asks of LMDB. There are
 * two: `lmdb-store.ts`, and `memory-store.ts` for simulation, held to one contract suite.
 *
 * (1) Keys are compared as bytes. Values are bytes and come back as they were put.
 * (2) `commit` applies a batch wholly or not at all; when it resolves, the batch survives a power
 *     cut. If it rejects, the outcome is unknown until the store is reopened, and every later call
 *     but `close` is refused.
 * (3) A read sees what was committed before it.
 */
export interface KeyValueStore {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Pairs with `from <= key < to`, in order of key. */
  range(from: Uint8Array, to: Uint8Array): Iterable<KeyValuePair>;
  commit(batch: readonly KeyValueOperation[]): Promise<void>;
  close(): Promise<void>;
}

export interface KeyValuePair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Without `value`, the key is removed. */
export interface KeyValueOperation {
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
}

/** Opens or creates the store that lies in the directory. */
export type OpenKeyValueStore = (directory: string) => Promise<KeyValueStore>;

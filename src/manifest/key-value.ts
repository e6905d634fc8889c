/**
 * A NARROW TRANSACTIONAL KEY-VALUE STORE, which is all that the manifest asks of LMDB. There are
 * two: `lmdb-store.ts`, and `memory-store.ts` for simulation, held to one contract suite.
 *
 * (1) Keys are compared as bytes. Values are bytes and come back as they were put.
 * (2) `commit` applies a batch wholly or not at all; when it resolves, the batch survives a power
 *     cut. If it rejects, the outcome is unknown until the store is opened again, and this handle
 *     takes no other commit. Its reads go on.
 * (3) A read sees what was committed before it.
 * (4) A directory may be open several times in a process; the handles share what they see. Opening
 *     it again after a failure is what finds out how the failed commit ended.
 */
export interface KeyValueStore {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Pairs with `from <= key < to`, in order of key. */
  range(from: Uint8Array, to: Uint8Array): Iterable<KeyValuePair>;
  commit(batch: readonly KeyValueOperation[]): Promise<void>;
  /**
   * Commits the batch if `expected` is what the store holds at that moment (without `value`: if it
   * does not hold the key). False, and nothing changed, if not. No other writer comes in between,
   * of this process or another.
   */
  commitIf(expected: KeyValueOperation, batch: readonly KeyValueOperation[]): Promise<boolean>;
  /** Waits for the commits of this handle. Idempotent. */
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

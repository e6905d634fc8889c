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
 * (5) At most one process has a store as its own. The registration ends with the process, however it
 *     ends; whoever sees that one is there need not be able to see the process.
 */
export interface KeyValueStore {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Pairs with `from <= key < to`, in order of key. */
  range(from: Uint8Array, to: Uint8Array): Iterable<KeyValuePair>;
  /** `pause` is called between operations, and awaited: a batch of many need not hold up others. */
  commit(batch: readonly KeyValueOperation[], pause?: Pause): Promise<void>;
  /**
   * Commits the batch if `expected` is what the store holds at that moment (without `value`: if it
   * does not hold the key). False, and nothing changed, if not. No other writer comes in between,
   * of this process or another.
   */
  commitIf(expected: KeyValueOperation, batch: readonly KeyValueOperation[]): Promise<boolean>;
  /**
   * Registers this process as the owner of the store, and puts what `claim` makes of the value that
   * lies under the key, in one commit; unless a living process is registered already, this one
   * included, or `claim` returns undefined. The registration ends with `close`, or with the process.
   * No other call may come before it has succeeded: one that reads would wait for an owner of
   * another pid namespace that has our pid.
   */
  own(key: Uint8Array, claim: ClaimValue): Promise<Owned>;
  /** Who is reading at this moment. A reader that stays keeps the space of what was replaced. */
  readers(): ReaderFacts;
  /**
   * Takes room on the disk for the next small commits, if there is any, so that a disk that becomes
   * full does not refuse them. Never rejects; undefined: it has room. For the one who alone commits
   * here, between commits.
   */
  keepRoom(): Promise<void> | undefined;
  /** Waits for the commits of this handle. Idempotent. */
  close(): Promise<void>;
}

export interface ReaderFacts {
  readonly count: number;
  /** Commits since the snapshot of the reader that is furthest behind. */
  readonly lagMax: number;
}

/** Undefined: go on at once. */
export type Pause = () => Promise<void> | undefined;

export type ClaimValue = (found: Uint8Array | undefined) => Uint8Array | undefined;

export interface Owned {
  /** False if somebody else is registered, or the claim was withdrawn: nothing was changed. */
  readonly owned: boolean;
  /** What lay under the key before. */
  readonly found: Uint8Array | undefined;
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

/** A KEY-VALUE STORE THAT IS WATCHED: it does what the store beneath does, and tells of commits. */
import type {
  ClaimValue,
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  Owned,
  Pause,
  ReaderFacts,
} from "../stores/key-value.ts";

export interface StoreWatcher {
  /** A commit was begun; the promise is true if it applied the batch. */
  committing(commit: Promise<boolean>, batch: readonly KeyValueOperation[]): void;
  /** All commits have ended, and the store is still open. Must not reject. */
  closing(): Promise<void>;
}

export class MirroredStore implements KeyValueStore {
  readonly #store: KeyValueStore;
  readonly #watcher: StoreWatcher;
  readonly #commits = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(store: KeyValueStore, watcher: StoreWatcher) {
    this.#store = store;
    this.#watcher = watcher;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#store.get(key);
  }

  range(from: Uint8Array, to: Uint8Array): Iterable<KeyValuePair> {
    return this.#store.range(from, to);
  }

  commit(batch: readonly KeyValueOperation[], pause?: Pause): Promise<void> {
    const commit = this.#store.commit(batch, pause);
    this.#tell(
      commit.then(() => true),
      batch,
    );
    return commit;
  }

  commitIf(expected: KeyValueOperation, batch: readonly KeyValueOperation[]): Promise<boolean> {
    const commit = this.#store.commitIf(expected, batch);
    this.#tell(commit, batch);
    return commit;
  }

  own(key: Uint8Array, claim: ClaimValue): Promise<Owned> {
    return this.#store.own(key, claim);
  }

  readers(): ReaderFacts {
    return this.#store.readers();
  }

  keepRoom(): Promise<void> | undefined {
    return this.#store.keepRoom();
  }

  close(): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#commits)
      .then(() => this.#watcher.closing())
      .then(() => this.#store.close());
    return this.#closed;
  }

  #tell(commit: Promise<boolean>, batch: readonly KeyValueOperation[]): void {
    this.#watcher.committing(commit, batch);
    const ended = commit.catch(() => undefined); // Its caller hears of it; closing only waits.
    this.#commits.add(ended);
    void ended.then(() => this.#commits.delete(ended));
  }
}

/**
 * A HANDLE ON A KEY-VALUE STORE: what both implementations have in common.
 *
 * (1) Commits of a handle run one behind the other, in order of the calls.
 * (2) After the first commit that failed, every later one is refused with the same code. There
 *     is no telling what the failed one left, so nothing is built on it.
 * (3) `close` waits for the commits that were called before it, however they end.
 */
import { StorageError } from "../../base/errors.ts";
import { Turns } from "../../base/turns.ts";
import type {
  ClaimValue,
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  Owned,
  Pause,
  ReaderFacts,
} from "./key-value.ts";

/** The store that handles share. */
export interface KeyValueBackend {
  get(key: Uint8Array): Uint8Array | undefined;
  range(from: Uint8Array, to: Uint8Array): Iterable<KeyValuePair>;
  /** False if `expected` was given and is not what the store holds. Throws a StorageError. */
  commit(
    batch: readonly KeyValueOperation[],
    expected?: KeyValueOperation,
    pause?: Pause,
  ): Promise<boolean>;
  /** See key-value.ts. Throws a StorageError. */
  own(key: Uint8Array, claim: ClaimValue): Promise<Owned>;
  readers(): ReaderFacts;
  /** See key-value.ts. */
  keepRoom(): Promise<void> | undefined;
  /** Gives the handle's share back. */
  release(): Promise<void>;
}

export class KeyValueHandle implements KeyValueStore {
  readonly #backend: KeyValueBackend;
  readonly #turns = new Turns();
  #failure: StorageError | undefined;
  #closed: Promise<void> | undefined;

  constructor(backend: KeyValueBackend) {
    this.#backend = backend;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#assertOpen();
    return this.#backend.get(key);
  }

  range(from: Uint8Array, to: Uint8Array): Iterable<KeyValuePair> {
    this.#assertOpen();
    return this.#backend.range(from, to);
  }

  async commit(batch: readonly KeyValueOperation[], pause?: Pause): Promise<void> {
    await this.#enqueue(() => this.#backend.commit(batch, undefined, pause));
  }

  async commitIf(
    expected: KeyValueOperation,
    batch: readonly KeyValueOperation[],
  ): Promise<boolean> {
    return this.#enqueue(() => this.#backend.commit(batch, expected));
  }

  readers(): ReaderFacts {
    this.#assertOpen();
    return this.#backend.readers();
  }

  keepRoom(): Promise<void> | undefined {
    return this.#backend.keepRoom();
  }

  own(key: Uint8Array, claim: ClaimValue): Promise<Owned> {
    return this.#enqueue(() => this.#backend.own(key, claim));
  }

  close(): Promise<void> {
    this.#closed ??= this.#turns.run(() => this.#backend.release());
    return this.#closed;
  }

  #enqueue<T>(commit: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    return this.#turns.run(() => this.#guarded(commit));
  }

  async #guarded<T>(commit: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) {
      const { code, details, message: why } = this.#failure;
      const message = `the manifest takes no more commits since one failed: ${why}`;
      throw new StorageError(code, message, { details, cause: this.#failure });
    }
    try {
      return await commit();
    } catch (error) {
      if (error instanceof StorageError) this.#failure = error;
      throw error;
    }
  }

  #assertOpen(): void {
    if (this.#closed === undefined) return;
    throw new StorageError("BOP_CLOSED", "the manifest was closed", {
      details: { what: "manifest" },
    });
  }
}

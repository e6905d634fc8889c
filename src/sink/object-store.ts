/**
 * AN OBJECT STORE: whole objects under keys, in a folder or in a bucket. This is the seam to the
 * network: what is above it knows which objects there are and in which order they come, what is
 * below it how a service is spoken to.
 *
 * (1) An object is there wholly or not at all, and it is read as it was put: a body that arrives
 *     damaged is refused, in either direction.
 * (2) `putIfAbsent` is the only primitive that safety may rest on. Of all callers of one key at most
 *     one creates it, ever; the others are told what is there.
 * (3) A put names itself by its put id. Whoever repeats a put, with the same id and the same body,
 *     gets the answer of the first one: so an unclear outcome is resolved by asking again, and never
 *     by another body under the same key.
 * (4) After a put has resolved, `get` and `head` see it, from everywhere. `list` may lag: it is a
 *     hint.
 * (5) What the world does is a StorageError (sink-error.ts); a signal that is aborted rejects with
 *     its own reason, and what the call would have changed may have been changed or not.
 * (6) A put that nobody waits for any more may still land, and replace what was put since: what
 *     matters lies under keys that get one body only.
 * (7) A body is not changed by its owner until the call has settled. It is held in memory whole:
 *     what is shipped (parts of the log, chunks) is bounded by its makers.
 */

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface PutOptions extends CallOptions {
  /** Of this body under this key: 32 lower-case hexadecimal digits, never used for another. */
  readonly putId: string;
  /**
   * What the body hashes to, where its maker knows: 64 hexadecimal digits. A body that does not is
   * refused with BOP_SINK_CORRUPT before anything of it leaves.
   */
  readonly sha256?: string | undefined;
}

/** A part of an object, or its end. One that reaches beyond the object is cut to it. */
export type ByteRange =
  | { readonly offset: number; readonly bytes: number }
  | { readonly lastBytes: number };

export interface GetOptions extends CallOptions {
  /** Without it the whole object is read, and checked against its SHA-256. A part cannot be. */
  readonly range?: ByteRange | undefined;
}

export interface ListOptions extends CallOptions {
  /** Only keys behind this one. */
  readonly after?: string | undefined;
  /** At most so many. From 1 to 1000, which is the default. */
  readonly limit?: number | undefined;
}

export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** Undefined if somebody else than us put it. */
  readonly putId: string | undefined;
  readonly sha256: string | undefined;
}

export interface StoredObject {
  readonly info: ObjectInfo;
  readonly bytes: Uint8Array;
}

export type PutOutcome =
  /** It is there, and it is this put that created it. */
  | { readonly type: "created" }
  /** Another put was first. Nothing was changed. */
  | { readonly type: "exists"; readonly info: ObjectInfo };

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** By the clock of the service, for people. Undefined where it does not say. */
  readonly modifiedAtMs: number | undefined;
}

export interface ListPage {
  /** In the order of the keys' bytes. */
  readonly objects: readonly ListedObject[];
  /** Where to go on (`after`); undefined at the end. */
  readonly next: string | undefined;
}

export interface ObjectStore {
  /** Where it is, as a URL without secrets: for messages and reports. */
  readonly location: string;
  /** Replaces what is there. */
  put(key: string, body: Uint8Array, options: PutOptions): Promise<void>;
  putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome>;
  /** Undefined if there is none. */
  get(key: string, options?: GetOptions): Promise<StoredObject | undefined>;
  /** Undefined if there is none. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /** Keys that begin with the prefix, which may end anywhere in a key. */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;
  /** What is not there is deleted already. */
  delete(key: string, options?: CallOptions): Promise<void>;
  /** What the service can do beyond what is asked of it: see probe.ts. Leaves nothing behind. */
  inspect?(key: string, options: PutOptions): Promise<ServiceReport | undefined>;
  /** Ends what calls under way still wait for, lets go of connections. Idempotent. */
  close(): Promise<void>;
}

/** Nothing of it is needed; `bop doctor` tells it. */
export interface ServiceReport {
  /** A put on condition of what is there: with the ETag as it was given, without its quotes, not. */
  readonly compareAndSwap: "yes" | "unquoted" | "no";
  /** A body that does not hash to what was announced is refused by the service itself. */
  readonly refusesDamage: boolean;
}

/** Every object whose key begins with the prefix, page by page. */
export async function* listAll(
  store: ObjectStore,
  prefix: string,
  options: ListOptions = {},
): AsyncIterable<ListedObject> {
  let after = options.after;
  do {
    const page = await store.list(prefix, { ...options, after });
    yield* page.objects;
    after = page.next;
  } while (after !== undefined);
}

/**
 * OBJECTS OF A BUCKET, READ IN PARTS AND CHECKED.
 *
 * (1) Nothing is given out that its checksum does not confirm, and that is not the object that was
 *     asked for: of this store, under this key.
 * (2) What does not is read again, since it may have been damaged on the way. If it stays so it is
 *     BOP_SINK_CORRUPT, naming the object; a format of a later version is BOP_FORMAT.
 * (3) That an object is not there is an answer, unless its caller knows that it must be.
 * (4) Every request is counted, so that tests can hold how few there are.
 */
import { StorageError } from "../../base/errors.ts";
import {
  type BucketKey,
  type ByteRange,
  bucketKey,
  type ListedObject,
  listAll,
  type ObjectStore,
  type StoredObject,
} from "../../sink/index.ts";
import { type MoreBytes, OBJECT_TAIL_BYTES } from "../format/object-frame.ts";
import {
  type BadBytes,
  decodeObjectHeader,
  identityProblem,
  type NewerFormat,
  OBJECT_HEADER_BYTES,
  type ObjectHeader,
} from "../format/object-header.ts";

/** Names an object of numbers. */
export interface ObjectRef {
  readonly kind: "wal" | "manifest";
  readonly epoch: number;
  readonly number: number;
}

/** An object, and what is held of it. */
export interface ObjectPart {
  readonly ref: ObjectRef;
  readonly objectBytes: number;
  /** The last bytes of the object; may be none. */
  readonly bytes: Uint8Array;
}

/** The end of an object, taken apart, and the bytes of it that were read for that. */
export interface ReadTail<Tables> extends ObjectPart {
  readonly tables: Tables;
}

export interface ReadCounts {
  /** Objects that were asked for, wholly or in part. */
  readonly gets: number;
  readonly lists: number;
  /** What came of objects. */
  readonly bytes: number;
}

export interface ObjectReaderOptions {
  readonly store: ObjectStore;
  readonly signal?: AbortSignal | undefined;
}

type Refusal = BadBytes | NewerFormat;
type Decode<Tables> = (bytes: Uint8Array, objectBytes: number) => Tables | MoreBytes | Refusal;

/** See (2). */
const ATTEMPTS = 3;

export class ObjectReader {
  readonly #store: ObjectStore;
  readonly #signal: AbortSignal | undefined;
  readonly #storeId: Uint8Array;
  #gets = 0;
  #lists = 0;
  #bytes = 0;

  constructor(storeId: Uint8Array, { store, signal }: ObjectReaderOptions) {
    this.#storeId = storeId;
    this.#store = store;
    this.#signal = signal;
  }

  get location(): string {
    return this.#store.location;
  }

  get counts(): ReadCounts {
    return { gets: this.#gets, lists: this.#lists, bytes: this.#bytes };
  }

  /** Keys that begin with a prefix, in order, as far as the service knows of them. */
  async *list(prefix: string): AsyncGenerator<ListedObject> {
    const pages = 1000;
    let count = 0;
    for await (const object of listAll(this.#store, prefix, { signal: this.#signal })) {
      if (count % pages === 0) this.#lists += 1;
      count += 1;
      yield object;
    }
    if (count === 0) this.#lists += 1;
  }

  /** Whether there is an object under a key. */
  async has(key: BucketKey): Promise<boolean> {
    this.#gets += 1;
    return (await this.#store.head(bucketKey(key), { signal: this.#signal })) !== undefined;
  }

  /** Undefined if it is not there. */
  async header(ref: ObjectRef): Promise<ObjectHeader | undefined> {
    return this.#checked(ref, async (key) => {
      const found = await this.#get(key, { offset: 0, bytes: OBJECT_HEADER_BYTES });
      if (found === undefined) return undefined;
      const answer = decodeObjectHeader(found.bytes);
      return answer.type === "header" ? answer.header : answer;
    });
  }

  /** Undefined if it is not there. */
  async tail<Tables extends { readonly type: string; readonly header: ObjectHeader }>(
    ref: ObjectRef,
    decode: Decode<Tables>,
  ): Promise<ReadTail<Tables> | undefined> {
    let lastBytes = OBJECT_TAIL_BYTES;
    let read: ObjectPart | undefined;
    const tables = await this.#checked<Tables>(ref, async (key) => {
      for (;;) {
        const found = await this.#get(key, { lastBytes });
        if (found === undefined) return undefined;
        const { bytes, info } = found;
        const answer = decode(bytes, info.sizeBytes);
        read = { ref, objectBytes: info.sizeBytes, bytes };
        if (!isMore(answer)) return answer;
        if (answer.tailBytes <= bytes.length) return cutShort;
        lastBytes = answer.tailBytes;
      }
    });
    return tables === undefined || read === undefined ? undefined : { ...read, tables };
  }

  /** The whole object, for a decoder of its end; its bytes are all of it. */
  async whole<Tables extends { readonly type: string; readonly header: ObjectHeader }>(
    ref: ObjectRef,
    decode: Decode<Tables>,
  ): Promise<ReadTail<Tables> | undefined> {
    let bytes = new Uint8Array(0);
    const tables = await this.#checked<Tables>(ref, async (key) => {
      const found = await this.#get(key);
      if (found === undefined) return undefined;
      bytes = new Uint8Array(found.bytes);
      const answer = decode(bytes, bytes.length);
      return isMore(answer) ? cutShort : answer;
    });
    return tables && { ref, tables, objectBytes: bytes.length, bytes };
  }

  /**
   * A part of an object whose end has been read, as `decode` understands it: undefined from it means
   * that the part is damaged.
   */
  async part<T>(
    { ref, objectBytes, bytes }: ObjectPart,
    range: { readonly offset: number; readonly bytes: number },
    decode: (part: Uint8Array) => T | undefined,
  ): Promise<T> {
    const heldFrom = objectBytes - bytes.length;
    const from = range.offset - heldFrom;
    if (from >= 0) {
      const value = decode(bytes.subarray(from, from + range.bytes));
      if (value !== undefined) return value;
    }
    const read = { offset: range.offset, bytes: range.bytes };
    const found = await this.#attempts<T>(bucketKey(ref), async (key) => {
      const object = range.bytes === 0 ? undefined : await this.#get(key, read);
      if (object === undefined && range.bytes > 0) return undefined;
      const value = decode(object?.bytes ?? new Uint8Array(0));
      return value === undefined ? { refused: damagedPart } : { value };
    });
    if (found === undefined) throw this.missing(ref);
    return found;
  }

  missing(ref: ObjectRef): StorageError {
    return this.corrupt(ref, "it is not there, and others that are need it");
  }

  corrupt(ref: ObjectRef, why: string): StorageError {
    return this.corruptAt(bucketKey(ref), why);
  }

  /** Of a key, or of what begins with it. */
  corruptAt(key: string, why: string): StorageError {
    const { location: store } = this.#store;
    const details = { store, key, why };
    return new StorageError("BOP_SINK_CORRUPT", `${key} in ${store}: ${why}`, { details });
  }

  /** What an attempt makes of the object, if it is the one that was asked for. See (1), (2). */
  #checked<T extends object>(
    ref: ObjectRef,
    attempt: (key: string) => Promise<T | Refusal | undefined>,
  ): Promise<T | undefined> {
    return this.#attempts<T>(bucketKey(ref), async (key) => {
      const answer = await attempt(key);
      if (answer === undefined) return undefined;
      if (isRefusal(answer)) return { refused: answer };
      const header = "header" in answer ? (answer.header as ObjectHeader) : answer;
      const why = this.#foreign(header as ObjectHeader, ref);
      return why === undefined ? { value: answer } : { refused: { type: "bad", why } };
    });
  }

  /** Why an object is not the one under this key. */
  #foreign(header: ObjectHeader, ref: ObjectRef): string | undefined {
    const isLog = header.kind === "log" || header.kind === "index";
    const isOfLog = header.kind === "fence" ? header.of === "wal" : isLog;
    if (isOfLog !== (ref.kind === "wal")) return `it is a ${header.kind} of the other kind`;
    return identityProblem(header, { storeId: this.#storeId, ...ref });
  }

  async #attempts<T>(
    key: string,
    attempt: (key: string) => Promise<Attempted<T> | undefined>,
  ): Promise<T | undefined> {
    for (let attempts = 1; ; attempts += 1) {
      const answer = await attempt(key);
      if (answer === undefined) return undefined;
      if ("value" in answer) return answer.value;
      const { refused } = answer;
      if (refused.type === "newer") throw this.#newer(key, refused);
      if (attempts >= ATTEMPTS) throw this.corruptAt(key, refused.why);
    }
  }

  async #get(key: string, range?: ByteRange): Promise<StoredObject | undefined> {
    this.#gets += 1;
    const found = await this.#store.get(key, { range, signal: this.#signal });
    this.#bytes += found?.bytes.length ?? 0;
    return found;
  }

  #newer(key: string, { found, supported }: NewerFormat): StorageError {
    const file = `${key} in ${this.#store.location}`;
    const message = `${file} has ${found}; ${supported} is read`;
    return new StorageError("BOP_FORMAT", message, { details: { file, found, supported } });
  }
}

type Attempted<T> = { readonly value: T } | { readonly refused: Refusal };

const cutShort: BadBytes = { type: "bad", why: "it is shorter than it says" };
const damagedPart: BadBytes = { type: "bad", why: "checksum of a part" };

function isMore(answer: { readonly type: string }): answer is MoreBytes {
  return answer.type === "more";
}

function isRefusal(answer: object): answer is Refusal {
  return "type" in answer && (answer.type === "bad" || answer.type === "newer");
}

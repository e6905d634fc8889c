/**
 * A BUCKET OF ONE STORE: numbered objects of one writer at a time, over any object store.
 *
 * (1) A numbered object is created, never replaced: of all who try a number one wins, and the others
 *     are told whether data or a fence is there. Its size tells which (FENCE_BYTES).
 * (2) What is read is checked: the header's checksum, and that it is the object that was asked for.
 *     A part of an object is not covered by its SHA-256, so damage on the way shows only here; it is
 *     read again before anybody is told.
 * (3) `store.json` is created once. A bucket of another store is never written to.
 */
import type { Random } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import {
  bucketKey,
  type ObjectStore,
  type PutOutcome,
  type StoredObject,
} from "../../sink/index.ts";
import {
  type BucketIdentity,
  decodeBucketIdentity,
  encodeBucketIdentity,
  encodeEpochClaim,
} from "../format/identity.ts";
import { decodeLogTables, type LogTables } from "../format/log-object.ts";
import { decodeObjectTail, FENCE_BYTES, OBJECT_TAIL_BYTES } from "../format/object-frame.ts";
import {
  decodeObjectHeader,
  type HeaderAnswer,
  identityProblem,
  NONCE_BYTES,
  OBJECT_HEADER_BYTES,
  type ObjectHeader,
} from "../format/object-header.ts";
import type { Seen } from "./ending-core.ts";

export interface NumberedPlace {
  readonly kind: "manifest" | "wal";
  readonly epoch: number;
  readonly number: number;
}

export interface Creation {
  readonly body: Uint8Array;
  readonly putId: string;
  readonly signal?: AbortSignal | undefined;
}

/** "data" and "fence": somebody else was first. */
export type Created = "created" | "data" | "fence";

interface Signalled {
  readonly signal?: AbortSignal | undefined;
}

interface Dice extends Signalled {
  readonly random: Random;
  /** For people. Milliseconds since 1970. */
  readonly wallMs: number;
}

const READS_MAX = 4;

/** Of a body under a key, and never used for another. */
export function newPutId(random: Random): string {
  return Buffer.from(random.bytes(16)).toString("hex");
}

/** Whose bucket it is; undefined if nobody's yet. */
export async function readBucketIdentity(
  store: ObjectStore,
  options: Signalled = {},
): Promise<BucketIdentity | undefined> {
  const key = bucketKey({ kind: "store" });
  const found = await store.get(key, options);
  if (found === undefined) return undefined;
  const answer = decodeBucketIdentity(found.bytes);
  if (answer.type === "identity") return answer.identity;
  throw unreadable({ store }, { key, ...answer });
}

export class Bucket {
  readonly store: ObjectStore;
  /** 16 bytes. */
  readonly storeId: Uint8Array;

  /** Of the store with this id. Speaks to nobody yet. */
  constructor(store: ObjectStore, storeId: Uint8Array) {
    this.store = store;
    this.storeId = storeId;
  }

  /** Makes it ours if it is nobody's. BOP_SINK_FOREIGN if it is another store's. */
  async identify({ random, wallMs, signal }: Dice): Promise<void> {
    let identity = await readBucketIdentity(this.store, { signal });
    if (identity === undefined) {
      const body = encodeBucketIdentity({ storeId: this.storeId, createdAtMs: wallMs });
      const key = bucketKey({ kind: "store" });
      const put = { putId: newPutId(random), signal };
      const { type } = await this.store.putIfAbsent(key, body, put);
      if (type === "created") return;
      identity = await readBucketIdentity(this.store, { signal });
      if (identity === undefined) throw unseen(this.store, key);
    }
    if (Buffer.compare(identity.storeId, this.storeId) === 0) return;
    const { location } = this.store;
    const [found, expected] = [hex(identity.storeId), hex(this.storeId)];
    const message = `${location} is the bucket of store ${found}; this one is ${expected}`;
    throw new StorageError("BOP_SINK_FOREIGN", message, {
      details: { location, found, expected },
    });
  }

  /** A hint: see ending-core.ts. */
  async hasClaim(epoch: number, options: Signalled = {}): Promise<boolean> {
    return (await this.store.head(bucketKey({ kind: "epoch", epoch }), options)) !== undefined;
  }

  /** True if the epoch is ours. */
  async claim(epoch: number, { random, wallMs, signal }: Dice): Promise<boolean> {
    const nonce = random.bytes(NONCE_BYTES);
    const body = encodeEpochClaim({ storeId: this.storeId, epoch, claimedAtMs: wallMs, nonce });
    const key = bucketKey({ kind: "epoch", epoch });
    const put = { putId: newPutId(random), signal };
    return (await this.store.putIfAbsent(key, body, put)).type === "created";
  }

  /** A hint: see ending-core.ts. */
  async see(place: NumberedPlace, options: Signalled = {}): Promise<Seen> {
    const info = await this.store.head(bucketKey(place), options);
    return info === undefined ? "absent" : standing(info.sizeBytes);
  }

  /** Rejects with what the store said while the outcome is not known: then repeat it as it was. */
  async create(place: NumberedPlace, { body, putId, signal }: Creation): Promise<Created> {
    const options = { putId, signal };
    const outcome: PutOutcome = await this.store.putIfAbsent(bucketKey(place), body, options);
    return outcome.type === "created" ? "created" : standing(outcome.info.sizeBytes);
  }

  /** Of an object that is known to be there. */
  async header(place: NumberedPlace, { signal }: Signalled = {}): Promise<ObjectHeader> {
    const key = bucketKey(place);
    const range = { offset: 0, bytes: OBJECT_HEADER_BYTES };
    for (let reads = 1; ; reads++) {
      const found = await this.store.get(key, { range, signal });
      const answer = found && this.#decode(found.bytes, place);
      if (answer?.type === "header") return answer.header;
      if (reads < READS_MAX && answer?.type !== "newer") continue;
      throw answer === undefined ? unseen(this.store, key) : unreadable(this, { key, ...answer });
    }
  }

  /** Undefined if there is nothing under that number. `isThere`: there must be. */
  async tables(
    { isThere, ...place }: NumberedPlace & { readonly kind: "wal"; readonly isThere: boolean },
    { signal }: Signalled = {},
  ): Promise<LogTables | "fence" | "index" | undefined> {
    const key = bucketKey(place);
    let lastBytes = OBJECT_TAIL_BYTES;
    for (let reads = 1; ; reads++) {
      const found = await this.store.get(key, { range: { lastBytes }, signal });
      if (found === undefined && isThere) throw unseen(this.store, key);
      if (found === undefined) return undefined;
      const answer = this.#decodeTables(found, place);
      if (typeof answer === "string" || answer.type === "log") return answer;
      if (answer.type === "more") lastBytes = answer.tailBytes;
      else if (reads >= READS_MAX || answer.type === "newer") {
        throw unreadable(this, { key, ...answer });
      }
    }
  }

  #decode(bytes: Uint8Array, place: NumberedPlace): HeaderAnswer {
    const answer = decodeObjectHeader(bytes);
    if (answer.type !== "header") return answer;
    const why = this.#problem(answer.header, place);
    return why === undefined ? answer : { type: "bad", why };
  }

  #decodeTables({ bytes, info }: StoredObject, place: NumberedPlace) {
    const answer = decodeObjectTail(bytes, info.sizeBytes);
    if (answer.type !== "tail") return answer;
    const { header } = answer.tail;
    const why = this.#problem(header, place);
    if (why !== undefined) return { type: "bad", why } as const;
    if (header.kind === "fence" || header.kind === "index") return header.kind;
    return decodeLogTables(bytes, info.sizeBytes);
  }

  #problem(header: ObjectHeader, { kind, ...identity }: NumberedPlace): string | undefined {
    const why = identityProblem(header, { storeId: this.storeId, ...identity });
    if (why !== undefined) return why;
    return sequenceOf(header) === kind ? undefined : `a ${header.kind} among ${kind}`;
  }
}

function sequenceOf(header: ObjectHeader): NumberedPlace["kind"] {
  if (header.kind === "fence") return header.of;
  return header.kind === "log" || header.kind === "index" ? "wal" : "manifest";
}

const standing = (sizeBytes: number): "data" | "fence" =>
  sizeBytes === FENCE_BYTES ? "fence" : "data";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function unseen({ location }: ObjectStore, key: string): StorageError {
  const details = { store: location, operation: "get", key, retryAfterMs: undefined };
  const message = `${key} in ${location} is there, and cannot be read yet`;
  return new StorageError("BOP_SINK_UNAVAILABLE", message, { details });
}

type Unreadable =
  | { readonly type: "newer"; readonly found: string; readonly supported: string }
  | { readonly type: "bad"; readonly why: string };

function unreadable(
  { store }: { readonly store: ObjectStore },
  answer: Unreadable & { readonly key: string },
): StorageError {
  const { location } = store;
  const { key } = answer;
  if (answer.type === "newer") {
    const { found, supported } = answer;
    const message = `${key} in ${location} is of ${found}; this version reads ${supported}`;
    return new StorageError("BOP_FORMAT", message, {
      details: { file: `${location}/${key}`, found, supported },
    });
  }
  const { why } = answer;
  const details = { store: location, key, why };
  return new StorageError("BOP_SINK_CORRUPT", `${key} in ${location}: ${why}`, { details });
}

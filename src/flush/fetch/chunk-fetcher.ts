/**
 * CHUNKS BACK FROM THE BUCKET, in parts, for whoever reads what this disk does not have. It works as
 * soon as the manifest is open: before an epoch is claimed, and when another writer has the bucket.
 *
 * (1) Exactly the bytes that were asked for, or a rejection. What they hold is checked by whoever
 *     reads them: every record has its checksum, and of a whole object the sink checks the SHA-256.
 * (2) Rows are believed of the bucket that they were written for, and of no other: chunks of the same
 *     store in two buckets may have the same name and different pages.
 * (3) A call ends within half a minute, and a little more for many bytes, whatever the bucket does:
 *     somebody's statement waits for it.
 * (4) So many at a time; the others wait in the order in which they came.
 * (5) Nothing may go from this disk before whoever ships says so (`attach`), nor after it has lost the
 *     bucket: its successor lets go of objects as it thinks fit.
 */
import type { Clock } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import type { ChunkId } from "../../base/units.ts";
import type { KeyValueOperation } from "../../manifest/index.ts";
import {
  bucketKey,
  CallSignal,
  type ObjectStore,
  Permits,
  PREFIXES,
  parseKey,
} from "../../sink/index.ts";
import { readBucketIdentity } from "../lineage/bucket.ts";
import { bucketName } from "../ship/bucket-name.ts";
import { type RemotePlace, RemotePlaces, type RemoteRows } from "./remote-places.ts";

export interface ChunkFetcherOptions {
  /** Repeats its calls by itself. */
  readonly store: ObjectStore;
  readonly clock: Clock;
  /** Of the manifest when it was opened; later ones come by `learn`. */
  readonly opened: RemoteRows;
}

/** Who ships, once there is somebody. */
export interface ChunkKeeper {
  /** Of this process; undefined before it has claimed one. */
  readonly epoch: number | undefined;
  isSafe(chunk: ChunkId): boolean;
}

interface WantedBytes {
  readonly offset: number;
  readonly bytes: number;
}

const FETCH_MS_MAX = 30_000;
/** A line that is slower than this counts as one that does not answer. */
const BYTES_PER_MS_MIN = 256;
const AT_ONCE = 16;
/** Of what a row says is there, before it is believed to be gone. */
const READS_MAX = 4;
const AGAIN_MS = 50;

export class ChunkFetcher {
  readonly #options: ChunkFetcherOptions;
  readonly #places: RemotePlaces;
  readonly #permits = new Permits(AT_ONCE);
  #keeper: ChunkKeeper | undefined;
  /** See (2): the bucket that was found to be there. */
  #found: string | undefined;

  constructor(options: ChunkFetcherOptions) {
    this.#options = options;
    this.#places = new RemotePlaces(options.opened, options.store.location);
  }

  /** A commit of the manifest has taken place. */
  learn(rows: Iterable<KeyValueOperation>): void {
    this.#places.learn(rows);
  }

  /** From now on somebody ships. */
  attach(keeper: ChunkKeeper): void {
    this.#keeper = keeper;
  }

  /** Undefined if the bucket does not have it. */
  find(chunk: ChunkId): RemotePlace | undefined {
    return this.#places.find(chunk);
  }

  /** A state, or the log, may name it there. */
  isNamed(chunk: ChunkId): boolean {
    return this.#places.isNamed(chunk);
  }

  /** Its file may go from this disk. See (5). */
  isSafe(chunk: ChunkId): boolean {
    return this.#keeper?.isSafe(chunk) ?? false;
  }

  /**
   * Rejects with BOP_SINK_CORRUPT for what is missing or not as long as it was, with other BOP_SINK_…
   * for a bucket that does not answer or is another one, and with the signal's reason.
   */
  async fetch(chunk: ChunkId, range: WantedBytes, signal?: AbortSignal): Promise<Uint8Array> {
    const call = new CallSignal([signal]);
    const { clock } = this.#options;
    const limitMs = FETCH_MS_MAX + range.bytes / BYTES_PER_MS_MIN;
    const timer = clock.deadline(limitMs, () => call.abort(this.#late(chunk, limitMs)));
    try {
      const get = () => this.#fetch(chunk, range, call.signal);
      return await this.#permits.during(get, call.signal);
    } finally {
      timer.dispose();
      call.dispose();
    }
  }

  async #fetch(chunk: ChunkId, range: WantedBytes, signal: AbortSignal): Promise<Uint8Array> {
    for (let reads = 1; ; reads++) {
      const place = this.#places.find(chunk);
      if (place === undefined) throw this.#unusable(`chunk ${chunk}`, "no row says where it lies");
      await this.#assertKnown(signal);
      const key = bucketKey({ kind: "chunk", id: chunk, epoch: place.epoch });
      const bytes = await this.#get(key, { ...place, range, signal });
      if (bytes !== undefined) return bytes;
      if (reads >= READS_MAX) throw await this.#missing(chunk, place);
      await this.#options.clock.sleep(AGAIN_MS * reads, signal);
    }
  }

  /** Undefined if there is no such object. See (1). */
  async #get(
    key: string,
    { range, fileBytes, signal }: RemotePlace & { range: WantedBytes; signal: AbortSignal },
  ): Promise<Uint8Array | undefined> {
    const { store } = this.#options;
    const isWhole = range.offset === 0 && range.bytes === fileBytes;
    const found = await store.get(key, isWhole ? { signal } : { range, signal });
    if (found === undefined) return undefined;
    const { info, bytes } = found;
    if (info.sizeBytes !== fileBytes) {
      throw this.#unusable(key, `it has ${info.sizeBytes} bytes, and should have ${fileBytes}`);
    }
    if (bytes.length === range.bytes) return bytes;
    throw this.#unusable(key, `${bytes.length} bytes came of ${range.bytes} at ${range.offset}`);
  }

  /** See (2). */
  async #assertKnown(signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    const expected = this.#places.bucket;
    if (expected === undefined || this.#found === expected) return;
    const identity = await readBucketIdentity(store, { signal });
    if (identity === undefined) throw this.#unusable("store.json", "there is no store any more");
    const found = bucketName(identity);
    if (found !== expected) throw foreignBucket(store, { found, expected });
    this.#found = found;
  }

  async #missing(chunk: ChunkId, { epoch }: RemotePlace): Promise<StorageError> {
    const key = bucketKey({ kind: "chunk", id: chunk, epoch });
    const byEpoch = await this.#newerWriter().catch(() => undefined);
    const why =
      byEpoch === undefined
        ? "the object is missing"
        : `the object is missing: writer ${byEpoch} has the bucket now, and removes what it does ` +
          "not need. Restore this store from there";
    return this.#unusable(key, why);
  }

  /** Who has claimed the bucket after this process. */
  async #newerWriter(): Promise<number | undefined> {
    const own = this.#keeper?.epoch;
    if (own === undefined) return undefined;
    const after = bucketKey({ kind: "epoch", epoch: own });
    const { objects } = await this.#options.store.list(PREFIXES.epoch, { after, limit: 1 });
    const claim = parseKey(objects[0]?.key ?? "");
    return claim?.kind === "epoch" ? claim.epoch : undefined;
  }

  #unusable(key: string, why: string): StorageError {
    const { location } = this.#options.store;
    const details = { store: location, key, why };
    const message = `${key} in ${location}: ${why}`;
    return new StorageError("BOP_SINK_CORRUPT", message, { details, retryable: false });
  }

  #late(chunk: ChunkId, limitMs: number): StorageError {
    const { location: store } = this.#options.store;
    const key = `chunk ${chunk}`;
    const details = { store, operation: "get", key, retryAfterMs: undefined };
    const message = `${store} did not give ${key} within ${Math.round(limitMs)} ms`;
    return new StorageError("BOP_SINK_UNAVAILABLE", message, { details });
  }
}

/** What lies on this disk only in part is in another bucket. */
export function foreignBucket(
  { location }: ObjectStore,
  { found, expected }: { readonly found: string; readonly expected: string },
): StorageError<"BOP_SINK_FOREIGN"> {
  const message =
    `${location} is bucket ${found}; chunks of this store that are not on this disk ` +
    `are in bucket ${expected}`;
  return new StorageError("BOP_SINK_FOREIGN", message, { details: { location, found, expected } });
}

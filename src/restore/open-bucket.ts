/**
 * A BUCKET OPENED FOR READING: nothing is claimed in it and nothing written to it, so that whoever
 * ships there is not disturbed.
 */
import type { Env } from "../base/env.ts";
import { StorageError } from "../base/errors.ts";
import { BucketReader } from "../flush/index.ts";
import {
  CountedStore,
  type ObjectStore,
  openObjectStore,
  Retrier,
  RetryingStore,
} from "../sink/index.ts";
import type { ReadableBucket } from "./bucket.ts";

export interface BucketToRead {
  readonly bucket: ReadableBucket;
  readonly objects: CountedStore;
  /** A store that was given stays open. */
  close(): Promise<void>;
}

export interface OpenBucketOptions {
  readonly env: Env;
  readonly signal?: AbortSignal | undefined;
}

/** Throws BOP_NO_RESTORE_POINT if no store was ever shipped there, and what the sink throws. */
export async function openBucket(
  from: string | ObjectStore,
  { env, signal }: OpenBucketOptions,
): Promise<BucketToRead> {
  const { clock, random } = env;
  const opened = typeof from === "string" ? await openObjectStore(from, env) : from;
  const retrier = new Retrier({ clock, random }, { what: opened.location });
  const objects = new CountedStore(new RetryingStore(opened, retrier), { knowsObjects: true });
  const close = async () => (opened === from ? retrier.close() : objects.close());
  try {
    const bucket = await BucketReader.open(objects, { signal });
    if (bucket === undefined) throw empty(opened.location);
    return { bucket, objects, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function empty(location: string): StorageError {
  const details = { wanted: "anything", oldest: undefined, newest: undefined };
  const message = `${location} holds no store: nothing was ever shipped there`;
  return new StorageError("BOP_NO_RESTORE_POINT", message, { details });
}

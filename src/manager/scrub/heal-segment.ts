/**
 * A SEGMENT OF THE LOG PUT BACK while the store is open, made of what was shipped.
 *
 * (1) Only log that this process, or one before it, has shipped to this bucket is taken.
 * (2) It is written beside the old file, synced, and takes its place by a rename: a crash leaves the one
 *     or the other. It is as long as the old one: segments are used again, whole.
 */
import type { Env } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import { BucketArchive, bucketName, readBucketIdentity } from "../../flush/index.ts";
import type { ObjectStore } from "../../sink/index.ts";
import type { EndedLogSegment } from "../../write/index.ts";

export interface SegmentHealing {
  readonly env: Pick<Env, "storage">;
  /** Of the store. */
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly bucket: ObjectStore;
  /** The bucket has the log up to here. */
  readonly shippedLsn: number;
}

/** False if the bucket does not have all of it. Rejects with what the disk says. */
export async function healSegment(
  segment: EndedLogSegment,
  { env, directory, storeId, bucket: store, shippedLsn }: SegmentHealing,
): Promise<boolean> {
  const { storage } = env;
  const { path } = segment;
  const identity = await readBucketIdentity(store).catch(() => undefined);
  if (identity === undefined) return false;
  const shipped = { bucket: bucketName(identity), shippedLsn };
  const bytes = await new BucketArchive({ store, storeId, shipped }).fetch(segment);
  if (bytes === undefined) return false;
  const besides = `${directory}/tmp/${segment.sequence}.segment`;
  try {
    const before = await storage.stat(path);
    await storage.unlink(besides).catch(() => undefined); // Of a try that was cut off.
    const file = await storage.open(besides, "create");
    try {
      await file.preallocate(Math.max(bytes.length, before?.bytes ?? 0));
      await file.write(bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await storage.rename(besides, path);
    await storage.syncDirectory(`${directory}/wal`);
  } catch (cause) {
    throw ioError("restoring", path, cause);
  }
  return true;
}

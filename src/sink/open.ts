/**
 * A STORE OF OBJECTS FROM ITS URL. The AWS SDK is loaded only for those who name a bucket: it takes
 * longer to load than a store takes to open.
 */
import type { Env } from "../base/env.ts";
import { FileSystemStore } from "./folder/file-system-store.ts";
import { parseLocation } from "./location.ts";
import type { ObjectStore } from "./object-store.ts";

/** Throws a TypeError or a RangeError for a URL that names no sink. */
export async function openObjectStore(url: string, env: Env): Promise<ObjectStore> {
  const location = parseLocation(url);
  if (location.kind === "folder") {
    return FileSystemStore.open({ env, directory: location.directory });
  }
  const { S3Store } = await import("./s3/s3-store.ts");
  return S3Store.open(location, env);
}

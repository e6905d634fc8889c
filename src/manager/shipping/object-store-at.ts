/** A STORE OF OBJECTS FOR PROGRAMS: what `sink` and `from` take as a URL, to be wrapped or looked at. */
import type { Env } from "../../base/env.ts";
import { systemEnv } from "../../io/index.ts";
import { type ObjectStore, openObjectStore as open } from "../../sink/index.ts";

/**
 * Opens a folder (`file:///backup`) or a bucket (`s3://bucket/prefix?region=…`). Close it. Throws a
 * TypeError or a RangeError for a URL that names no sink.
 */
export function openObjectStore(url: string, env?: Env): Promise<ObjectStore> {
  return open(url, env ?? systemEnv({ scratchDirectory: "." }));
}

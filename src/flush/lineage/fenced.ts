/** WE HAVE BEEN REPLACED: something that is not ours stands under a number of our epoch. */
import { StorageError } from "../../base/errors.ts";
import type { Bucket, NumberedPlace } from "./bucket.ts";

/** What to throw, once it is known who put it there. */
export async function whoIsThere(
  bucket: Bucket,
  place: NumberedPlace,
  signal: AbortSignal | undefined,
): Promise<StorageError<"BOP_FENCED">> {
  const { kind, epoch, number } = place;
  const header = await bucket.header(place, { signal });
  const byEpoch = header.kind === "fence" ? header.byEpoch : epoch;
  const who = byEpoch === epoch ? "another process writes as it" : `writer ${byEpoch} took over`;
  const message = `writer ${epoch} of the bucket has been replaced: ${who} (${kind} ${number})`;
  return new StorageError("BOP_FENCED", message, { details: { epoch, byEpoch } });
}

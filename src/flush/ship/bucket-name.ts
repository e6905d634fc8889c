/** WHICH BUCKET IT IS, so that what a disk remembers of one is not taken for another's. */
import type { BucketIdentity } from "../format/identity.ts";

export function bucketName({ storeId, createdAtMs }: BucketIdentity): string {
  return `${Buffer.from(storeId).toString("hex")}-${createdAtMs}`;
}

/** CHUNKS OF RECORD LOGS, which lie where those of pages lie: on this disk, in the bucket, or on both. */
import { chunkPath, type Residency } from "../../page-store/index.ts";
import type { StoredChunks } from "../../record-log/index.ts";

export interface LogChunksGround {
  readonly storeId: Uint8Array;
  readonly directory: string;
  readonly residency: Residency;
}

export function logChunks({ storeId, directory, residency }: LogChunksGround): StoredChunks {
  const { patience } = residency;
  return {
    storeId,
    path: (chunk) => chunkPath(directory, chunk),
    open: (chunk) => residency.open(chunk),
    damaged: (chunk, range, why) => residency.damaged(chunk, range, why),
    isInBucket: (chunk) => residency.isInBucket(chunk),
    rests: (chunk) => residency.rests(chunk),
    spare: () => {
      const waiting = residency.hasRemote ? patience.begin() : undefined;
      return {
        open: (chunk) => {
          return residency.open(chunk, { hold: true, ...(waiting && { signal: waiting.signal }) });
        },
        distrust: (chunk, why) => void residency.distrust(chunk, why),
        rest: () => patience.rest(),
        end: () => waiting?.end(),
      };
    },
  };
}

/**
 * A COPY OF A SEGMENT THAT IS HISTORY, looked through before anybody relies on it.
 *
 * (1) What the device gave back wrong while it was copied must not become what the history has: the
 *     copy counts only if header and batches are whole up to where the segment ends.
 */
import type { Storage } from "../../base/env.ts";
import { BLOCK_BYTES, batchBytes, segmentItems } from "../../wal/index.ts";
import { copyFile } from "../segments/segment-file.ts";
import type { HistorySegment } from "./history-segments.ts";

export interface WantedCopy {
  readonly from: string;
  readonly to: string;
  readonly segment: HistorySegment;
}

/** Throws if there is no copy that counts; then nothing lies there. */
export async function copyHistory(storage: Storage, wanted: WantedCopy): Promise<void> {
  const { from, to, segment } = wanted;
  const { fileBytes: bytes } = segment;
  await copyFile(storage, { from, to, bytes });
  try {
    const file = await storage.open(to, "read");
    const whole = new Uint8Array(bytes);
    const count = await file.read(whole, 0).finally(() => file.close());
    if (count < bytes || !isWhole(whole, segment)) throw new Error(`${from} is damaged`);
  } catch (cause) {
    await storage.unlink(to).catch(() => undefined);
    throw cause;
  }
}

/** See (1). */
function isWhole(bytes: Uint8Array, { sequence, firstLsn, endLsn }: HistorySegment): boolean {
  const view = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  let endBytes = 0;
  for (const item of segmentItems({ sizeBytes: bytes.length, view }, {})) {
    if (item.type === "header") {
      const { header } = item;
      if (header.sequence !== sequence || header.firstLsn !== firstLsn) return false;
      endBytes = BLOCK_BYTES;
    }
    if (item.type === "batch") {
      const { header, offset } = item;
      if (offset !== endBytes) return false;
      endBytes += batchBytes(header.payloadBytes);
    }
  }
  return endBytes === BLOCK_BYTES + endLsn - firstLsn;
}

/**
 * A SEGMENT THAT WAS USED, as its header and the one behind it tell of it, and how far what lies in it
 * is whole.
 *
 * (1) It ends where it was cut, or where the next one begins: what lies behind is not of the log.
 * (2) Batches that are whole and in order from its front are all that can be relied on of one that may
 *     be damaged.
 */
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  readPayload,
  type SegmentHeader,
} from "../../wal/index.ts";
import { SegmentReader } from "../segments/segment-reader.ts";
import type { CheckOptions } from "./check-options.ts";

export interface UsedSegment {
  readonly sequence: number;
  readonly path: string;
  readonly header: SegmentHeader;
}

/** Where a segment ends: see (1). Undefined for the newest. */
export function endOf(used: readonly UsedSegment[], index: number): number | undefined {
  return used[index]?.header.cutLsn ?? used[index + 1]?.header.firstLsn;
}

/** Where the batches of a segment end that are whole and in order; at `upToLsn` at the latest. */
export async function validEnd(
  segment: UsedSegment,
  options: ReadOptions & { readonly upToLsn?: number | undefined },
): Promise<number> {
  return (await lastBatchOf(segment, options)).endLsn;
}

type ReadOptions = Pick<CheckOptions, "env" | "storeId">;

/** The last of those batches; where it was cut, nothing behind the cut. */
export async function lastBatchOf(
  { path, sequence, header }: UsedSegment,
  { env, storeId, upToLsn }: ReadOptions & { readonly upToLsn?: number | undefined },
): Promise<{ readonly startLsn: number; readonly endLsn: number }> {
  const boundLsn = Math.min(
    header.cutLsn ?? Number.POSITIVE_INFINITY,
    upToLsn ?? Number.POSITIVE_INFINITY,
  );
  const reader = await SegmentReader.open(env.storage, { path, sequence, storeId });
  try {
    let startLsn = header.firstLsn;
    let endLsn = startLsn;
    while (endLsn < boundLsn) {
      const at = BLOCK_BYTES + endLsn - header.firstLsn;
      const batch = await reader.headerAt(at);
      if (batch === undefined || batch.startLsn !== endLsn) break;
      const bytes = await reader.bytesAt(at, BATCH_HEADER.sizeBytes + batch.payloadBytes);
      if (readPayload(bytes, batch) === undefined) break;
      startLsn = endLsn;
      endLsn += batchBytes(batch.payloadBytes);
    }
    return { startLsn: header.cutLsn === endLsn ? endLsn : startLsn, endLsn };
  } finally {
    await reader.close();
  }
}

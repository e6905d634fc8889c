/**
 * WHICH SEGMENTS A MANIFEST MUST NAME that is made again, judged by what lies there: those that may hold
 * log above the checkpoint, after a power cut as well.
 *
 *     … older │ begins at or below the checkpoint, and is anchored │ … newest │ reserved
 *             └──────────────────── registered ────────────────────────────────────────┘
 *
 * (1) The header of the newest segment may be in the page cache only (walk.ts (6)); then the log is in
 *     the ones before it, which are registered still. If none is anchored all of them are.
 * (2) What is registered must be there ever after: names are synced first.
 * (3) What is kept as history is none of these.
 */
import type { Env } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import { type Lsn, type SegmentSequence, segmentSequence } from "../../base/units.ts";
import { BLOCK_BYTES, batchBytes, segmentFileName } from "../../wal/index.ts";
import { SegmentReader } from "../segments/segment-reader.ts";
import { lookAt, sequencesFound } from "./survey.ts";

export interface LeftSegments {
  readonly env: Env;
  /** Where the segments lie. */
  readonly directory: string;
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  readonly checkpointLsn: Lsn;
  /** Those that are kept as history. */
  readonly history: ReadonlySet<SegmentSequence>;
}

interface Left {
  readonly sequence: SegmentSequence;
  readonly path: string;
  /** Undefined: its header is damaged. */
  readonly firstLsn: number | undefined;
}

/**
 * In order, the reserved sequence last. Rejects with BOP_IO; with BOP_CORRUPT for files that are no
 * segments of this store, and BOP_FORMAT for those of a newer version.
 */
export async function segmentsToRegister(left: LeftSegments): Promise<SegmentSequence[]> {
  const { env, directory, checkpointLsn } = left;
  await env.storage.syncDirectory(directory).catch((cause: unknown) => {
    throw ioError("sync", directory, cause);
  });
  const sequences = await sequencesFound(left);
  const used = await usedOf(left, sequences);
  let first = used.length - 1;
  for (; first > 0; first -= 1) {
    const { firstLsn, ...place } = used[first] as Left;
    if (firstLsn === undefined || firstLsn > checkpointLsn) continue;
    if (await isAnchored(left, { ...place, firstLsn })) break;
  }
  const needed = used.slice(Math.max(0, first)).map(({ sequence }) => sequence);
  return [...needed, segmentSequence(Math.max(0, ...sequences) + 1)];
}

async function usedOf(left: LeftSegments, sequences: Iterable<number>): Promise<Left[]> {
  const used: Left[] = [];
  for (const number of sequences) {
    const sequence = segmentSequence(number);
    if (left.history.has(sequence)) continue;
    const path = `${left.directory}/${segmentFileName(sequence)}`;
    const look = await lookAt(left, { path, sequence });
    if (look === "damaged") used.push({ sequence, path, firstLsn: undefined });
    if (typeof look !== "object" || look.sequence !== sequence) continue;
    used.push({ sequence, path, firstLsn: look.firstLsn });
  }
  return used;
}

/** A batch follows the header that is no copy. */
async function isAnchored(
  { env, storeId }: LeftSegments,
  { path, sequence, firstLsn }: Left & { readonly firstLsn: number },
): Promise<boolean> {
  const reader = await SegmentReader.open(env.storage, { path, storeId, sequence });
  try {
    let offset = BLOCK_BYTES;
    while (true) {
      const header = await reader.headerAt(offset);
      if (header?.startLsn !== firstLsn + offset - BLOCK_BYTES) return false;
      if (!header.copied) return true;
      offset += batchBytes(header.payloadBytes);
    }
  } finally {
    await reader.close();
  }
}

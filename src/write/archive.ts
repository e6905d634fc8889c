/**
 * COPIES OF SEGMENTS THAT LIE ELSEWHERE, as far as recovery is concerned: a sealed segment that is
 * damaged or missing is put back from its copy.
 *
 * (1) A copy is believed only if its header is of this store and this segment, and every batch up
 *     to where the next segment begins is valid. A copy that is not is as good as none.
 * (2) It is written beside the damaged file, synced, and takes its place by a rename: a crash leaves
 *     the one or the other.
 */
import { ioError } from "../base/errors.ts";
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  decodeSegmentHeader,
  readBatchHeader,
  readPayload,
  type SegmentHeader,
} from "../wal/index.ts";
import type { CheckOptions } from "./recover.ts";

export interface SegmentArchive {
  /** The file of a sealed segment, up to its last batch at least; undefined if there is no copy. */
  fetch(wanted: WantedSegment): Promise<Uint8Array | undefined>;
}

export interface WantedSegment {
  readonly sequence: number;
  /** Where it should begin and end; undefined if nothing is left that says so. */
  readonly firstLsn?: number;
  readonly endLsn?: number;
}

interface Wanted extends WantedSegment {
  readonly path: string;
}

/** The header of the segment that was put back; undefined if there is no good copy. */
export async function heal(
  options: CheckOptions,
  wanted: Wanted,
): Promise<SegmentHeader | undefined> {
  const { archive, env, directory, storeId } = options;
  const bytes = await archive?.fetch(wanted);
  const header = bytes && headerOfCopy(bytes, { ...wanted, storeId });
  if (bytes === undefined || header === undefined) return undefined;
  const { storage } = env;
  const besides = `${wanted.path}.copy`;
  try {
    await storage.unlink(besides).catch(() => undefined); // Of a crash.
    const file = await storage.open(besides, "create");
    await file.write(bytes, 0);
    await file.sync();
    await file.close();
    await storage.rename(besides, wanted.path);
    await storage.syncDirectory(directory);
  } catch (cause) {
    throw ioError("restoring", wanted.path, cause);
  }
  return header;
}

/** See (1). */
function headerOfCopy(
  bytes: Uint8Array,
  wanted: Wanted & { readonly storeId: Uint8Array },
): SegmentHeader | undefined {
  const decoded = decodeSegmentHeader(bytes.subarray(0, BLOCK_BYTES));
  if (decoded.type !== "header") return undefined;
  const { header } = decoded;
  if (header.sequence !== wanted.sequence) return undefined;
  if (Buffer.compare(header.storeId, wanted.storeId) !== 0) return undefined;
  if (wanted.firstLsn !== undefined && header.firstLsn !== wanted.firstLsn) return undefined;
  let at = BLOCK_BYTES;
  const end = wanted.endLsn === undefined ? at : at + wanted.endLsn - header.firstLsn;
  while (at < end) {
    const batch = readBatchHeader(bytes.subarray(at, at + BATCH_HEADER.sizeBytes), wanted);
    if (batch === undefined || batch.startLsn !== header.firstLsn + at - BLOCK_BYTES) {
      return undefined;
    }
    if (readPayload(bytes.subarray(at), batch) === undefined) return undefined;
    at += batchBytes(batch.payloadBytes);
  }
  return at === end ? header : undefined;
}

/**
 * COPIES OF SEGMENTS THAT LIE ELSEWHERE, as far as recovery is concerned: a sealed segment that is
 * damaged or missing is put back from its copy.
 *
 * (1) A copy is believed only if its header is of this store and this segment, and every batch from
 *     where it should begin to where the next segment begins is valid. A copy that is not is as good
 *     as none.
 * (2) It is written beside the damaged file, synced, and takes its place by a rename: a crash leaves
 *     the one or the other. What a failure leaves half made is removed.
 */
import { present } from "../../base/assert.ts";
import type { Storage } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  decodeSegmentHeader,
  encodeSegmentHeader,
  readBatchHeader,
  readPayload,
  type SegmentHeader,
} from "../../wal/index.ts";

export interface SegmentArchive {
  /** The file of a sealed segment, up to its last batch at least; undefined if there is no copy. */
  fetch(wanted: WantedSegment): Promise<Uint8Array | undefined>;
}

export interface WantedSegment {
  readonly sequence: number;
  /** Where it should begin and end; undefined if nothing is left that says so. */
  readonly firstLsn?: number;
  readonly endLsn?: number;
  /** It is as good if it begins here. */
  readonly orFirstLsn?: number;
  /** Without `firstLsn`: it should begin with the batch in which this lies, or before. */
  readonly holdsLsn?: number;
}

interface Wanted extends WantedSegment {
  readonly path: string;
}

export interface HealOptions {
  readonly archive?: SegmentArchive | undefined;
  readonly env: { readonly storage: Storage };
  /** Where the segments lie. */
  readonly directory: string;
  readonly storeId: Uint8Array;
}

/** The header of the segment that was put back; undefined if there is no good copy. */
export async function heal(
  options: HealOptions,
  wanted: Wanted,
): Promise<SegmentHeader | undefined> {
  const { archive, storeId } = options;
  const bytes = await archive?.fetch(wanted);
  const header = bytes && headerOfCopy(bytes, { ...wanted, storeId });
  if (bytes === undefined || header === undefined) return undefined;
  await putInPlace(options, { path: wanted.path, bytes });
  return header;
}

/** Puts a segment that holds nothing where one is missing. */
export async function emptySegment(
  options: HealOptions,
  wanted: {
    readonly path: string;
    readonly sequence: number;
    readonly firstLsn: number;
    readonly createdMs: number;
  },
): Promise<SegmentHeader> {
  const { path, sequence, firstLsn, createdMs } = wanted;
  const { storeId } = options;
  const fields = { storeId, sequence, firstLsn, durableLsn: firstLsn, createdMs };
  const bytes = encodeSegmentHeader(fields);
  await putInPlace(options, { path, bytes });
  return present(headerOfCopy(bytes, { ...fields, path }), "what was made now is a header");
}

/** See (2). */
async function putInPlace(
  { env, directory }: HealOptions,
  { path, bytes }: { readonly path: string; readonly bytes: Uint8Array },
): Promise<void> {
  const { storage } = env;
  const besides = `${path}.copy`;
  try {
    await storage.unlink(besides).catch(() => undefined); // Of a crash.
    await makeFile(storage, { path: besides, bytes });
    await storage.rename(besides, path);
    await storage.syncDirectory(directory);
  } catch (cause) {
    await storage.unlink(besides).catch(() => undefined);
    throw ioError("restoring", path, cause);
  }
}

/** Durable but for its directory entry. */
async function makeFile(
  storage: Storage,
  { path, bytes }: { readonly path: string; readonly bytes: Uint8Array },
): Promise<void> {
  const file = await storage.open(path, "create");
  try {
    await file.write(bytes, 0);
    await file.sync();
  } catch (cause) {
    await file.close().catch(() => undefined);
    throw cause;
  }
  await file.close();
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
  const { firstLsn, orFirstLsn = firstLsn } = wanted;
  const begins = [firstLsn, orFirstLsn];
  if (firstLsn !== undefined && !begins.includes(header.firstLsn)) return undefined;
  if (wanted.holdsLsn !== undefined && header.firstLsn > wanted.holdsLsn) return undefined;
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

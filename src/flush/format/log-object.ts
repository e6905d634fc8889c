/**
 * LOG OBJECT: a range of the log, as whole batches. Its body is their payloads (frames, without
 * headers and padding: both can be made again), one behind the other; its tables are
 *
 *   1   an entry for each batch, in order of LSN
 *   2   the directory of streams: the index of a segment (wal/segment-index.ts) without its padding,
 *       with the object's number as sequence and its `endLsn`
 *   3   an entry for each chunk that a commit here names by a spill frame
 *
 * A batch. Little-endian.
 *
 *   offset  size  field         meaning
 *        0     8  startLsn      of the batch: where its header lies in the log
 *        8     8  wallMs        when it was issued, milliseconds since 1970
 *       16     4  payloadBytes  length of its frames
 *       20     4  payloadCrc    CRC-32 of them
 *       24     4  offset        where they begin, in bytes from the object's beginning
 *
 * A chunk that a transaction spilled:
 *
 *   offset  size  field  meaning
 *        0     8  chunk  its id
 *        8     8  epoch  of its key in the bucket
 *
 * (1) Batches lie without gaps: each begins where the one before ends, padding to the block counted,
 *     the first at the object's `firstLsn`, the last ends at its `endLsn`. A batch without frames is
 *     in the table too, since its LSNs are.
 * (2) A commit belongs to the object that its commit frame lies in. It may begin before it.
 * (3) A chunk that is named here is in the bucket before the object is.
 */
import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";
import { layout, readU64, writeU64 } from "../../base/layout.ts";
import {
  batchBytes,
  decodeSegmentIndex,
  type SegmentIndex,
  type SegmentIndexBuilder,
  segmentIndexBytes,
} from "../../wal/index.ts";
import { decodeObjectTail, type MoreBytes, type ObjectTail, objectSteps } from "./object-frame.ts";
import {
  type BadBytes,
  bad,
  type LogHeader,
  type NewerFormat,
  OBJECT_HEADER_BYTES,
  type ObjectIdentity,
} from "./object-header.ts";
import { atOnce, type Steps } from "./steps.ts";

export const BATCH_ENTRY = layout(28, [
  ["startLsn", "u64", "of the batch: where its header lies in the log"],
  ["wallMs", "u64", "when it was issued, milliseconds since 1970"],
  ["payloadBytes", "u32", "length of its frames"],
  ["payloadCrc", "u32", "CRC-32 of them"],
  ["offset", "u32", "where they begin, in bytes from the object's beginning"],
]);

export const SPILLED_ENTRY = layout(16, [
  ["chunk", "u64", "its id"],
  ["epoch", "u64", "of its key in the bucket"],
]);

/** A batch as it is shipped. */
export interface ShippedBatch {
  readonly startLsn: number;
  readonly wallMs: number;
  /** Its frames; may be empty. */
  readonly payload: Uint8Array;
}

export interface SpilledChunk {
  readonly chunk: number;
  readonly epoch: number;
}

export interface LogObject extends ObjectIdentity {
  /** What lay between the log object before and this one is lost. */
  readonly gap: boolean;
  /** At least one, without gaps. */
  readonly batches: readonly ShippedBatch[];
  /** Holds every commit whose commit frame lies in these batches. */
  readonly streams: SegmentIndexBuilder;
  readonly spilled: readonly SpilledChunk[];
}

export interface BatchEntry {
  readonly startLsn: number;
  readonly wallMs: number;
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  readonly offset: number;
}

export interface LogTables {
  readonly type: "log";
  readonly header: LogHeader;
  readonly batches: readonly BatchEntry[];
  readonly streams: SegmentIndex;
  readonly spilled: readonly SpilledChunk[];
}

export function encodeLogObject(log: LogObject): Uint8Array {
  return atOnce(logObjectSteps(log));
}

/** The same, in steps. */
export function* logObjectSteps(log: LogObject): Steps<Uint8Array> {
  const { storeId, epoch, number, gap, batches, streams, spilled } = log;
  const [first, last] = [batches[0], batches.at(-1)];
  assert(first !== undefined && last !== undefined, "a log object has a batch");
  const endLsn = last.startLsn + batchBytes(last.payload.length);
  const header: LogHeader = {
    kind: "log",
    ...{ storeId, epoch, number, gap },
    ...{ firstLsn: first.startLsn, endLsn },
    ...{ firstWallMs: first.wallMs, lastWallMs: last.wallMs },
    batchCount: batches.length,
  };
  const directory = streams.encode({ storeId, sequence: number, endLsn });
  const length = segmentIndexBytes(directory, { storeId, sequence: number, endLsn });
  assert(length !== undefined, "a directory that was just written is one");
  const body = batches.map(({ payload }) => payload);
  yield;
  const table = yield* batchTable(batches);
  const tables = [table, directory.subarray(0, length), spilledTable(spilled)] as const;
  return yield* objectSteps(header, body, tables);
}

/** Takes the last bytes of the object, or all of them. Keeps views of them. */
export function decodeLogTables(
  bytes: Uint8Array,
  objectBytes: number,
): LogTables | MoreBytes | NewerFormat | BadBytes {
  const answer = decodeObjectTail(bytes, objectBytes);
  if (answer.type !== "tail") return answer;
  const { tail } = answer;
  const { header } = tail;
  if (header.kind !== "log") return bad(`it is no log object: ${header.kind}`);
  const [batchBytes, directory, spilledBytes] = tail.tables;
  const batches = readBatches(batchBytes, { ...tail, header });
  if (typeof batches === "string") return bad(batches);
  const { storeId, number: sequence, endLsn } = header;
  const segment = { storeId, sequence, endLsn };
  const isWhole = segmentIndexBytes(directory, segment) === directory.length;
  const streams = isWhole ? decodeSegmentIndex(directory, segment) : undefined;
  if (streams === undefined) return bad("directory of streams");
  const spilled = readSpilled(spilledBytes);
  if (spilled === undefined) return bad("table of spilled chunks");
  return { type: "log", header, batches, streams, spilled };
}

/** The frames of a batch, from bytes that begin with them; undefined if they are not as written. */
export function readShippedBatch(
  bytes: Uint8Array,
  { payloadBytes, payloadCrc }: BatchEntry,
): Uint8Array | undefined {
  if (bytes.length < payloadBytes) return undefined;
  const payload = bytes.subarray(0, payloadBytes);
  return crc32(payload) === payloadCrc ? payload : undefined;
}

/** Where a batch ends in the log. */
export const endOfBatch = ({ startLsn, payloadBytes }: BatchEntry): number =>
  startLsn + batchBytes(payloadBytes);

function* batchTable(batches: readonly ShippedBatch[]): Steps<Uint8Array> {
  const { offset, sizeBytes } = BATCH_ENTRY;
  const bytes = new Uint8Array(batches.length * sizeBytes);
  const view = new DataView(bytes.buffer);
  let [at, payloadAt] = [0, OBJECT_HEADER_BYTES];
  let endLsn = batches[0]?.startLsn;
  let wallMs = 0;
  for (const batch of batches) {
    const { startLsn, payload } = batch;
    assert(startLsn === endLsn, () => `a batch at ${startLsn} does not follow ${endLsn}`);
    assert(batch.wallMs >= wallMs, "the times of batches never fall");
    writeU64(view, at + offset.startLsn, startLsn);
    writeU64(view, at + offset.wallMs, batch.wallMs);
    view.setUint32(at + offset.payloadBytes, payload.length, true);
    view.setUint32(at + offset.payloadCrc, crc32(payload), true);
    view.setUint32(at + offset.offset, payloadAt, true);
    at += sizeBytes;
    payloadAt += payload.length;
    endLsn = startLsn + batchBytes(payload.length);
    wallMs = batch.wallMs;
    yield;
  }
  return bytes;
}

/** The batches, if they are as (1) says; or why they are not. */
function readBatches(
  bytes: Uint8Array,
  { header, bodyEnd }: ObjectTail & { readonly header: LogHeader },
): BatchEntry[] | string {
  const { offset, sizeBytes } = BATCH_ENTRY;
  if (bytes.length !== header.batchCount * sizeBytes) return "length of the table of batches";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: BatchEntry[] = [];
  let [lsn, payloadAt, wallMs] = [header.firstLsn, OBJECT_HEADER_BYTES, header.firstWallMs];
  for (let at = 0; at < bytes.length; at += sizeBytes) {
    const entry = {
      startLsn: readU64(view, at + offset.startLsn) ?? -1,
      wallMs: readU64(view, at + offset.wallMs) ?? -1,
      payloadBytes: view.getUint32(at + offset.payloadBytes, true),
      payloadCrc: view.getUint32(at + offset.payloadCrc, true),
      offset: view.getUint32(at + offset.offset, true),
    };
    const follows = entry.startLsn === lsn && entry.offset === payloadAt;
    if (!follows || entry.wallMs < wallMs) return `batch ${entries.length} is out of place`;
    entries.push(entry);
    lsn = endOfBatch(entry);
    payloadAt += entry.payloadBytes;
    wallMs = entry.wallMs;
  }
  const isWhole = lsn === header.endLsn && payloadAt === bodyEnd && wallMs === header.lastWallMs;
  return isWhole && entries[0]?.wallMs === header.firstWallMs ? entries : "end of the batches";
}

function spilledTable(spilled: readonly SpilledChunk[]): Uint8Array {
  const { offset, sizeBytes } = SPILLED_ENTRY;
  const bytes = new Uint8Array(spilled.length * sizeBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, { chunk, epoch }] of spilled.entries()) {
    writeU64(view, index * sizeBytes + offset.chunk, chunk);
    writeU64(view, index * sizeBytes + offset.epoch, epoch);
  }
  return bytes;
}

function readSpilled(bytes: Uint8Array): SpilledChunk[] | undefined {
  const { offset, sizeBytes } = SPILLED_ENTRY;
  if (bytes.length % sizeBytes !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const spilled: SpilledChunk[] = [];
  for (let at = 0; at < bytes.length; at += sizeBytes) {
    const chunk = readU64(view, at + offset.chunk);
    const epoch = readU64(view, at + offset.epoch);
    if (chunk === undefined || epoch === undefined) return undefined;
    spilled.push({ chunk, epoch });
  }
  return spilled;
}

/**
 * WHAT A HEADER SAYS, by the kind of its object: the 84 bytes that an object header keeps for that.
 * Little-endian.
 *
 * Fields of a log object, and of an index object (which speaks of several log objects):
 *
 *   offset  size  field        meaning
 *        0     8  firstLsn     where the log that it holds begins: the end of the log object before
 *        8     8  endLsn       where it ends
 *       16     8  firstWallMs  time of its first batch, milliseconds since 1970
 *       24     8  lastWallMs   time of its last batch
 *       32     8  firstNumber  index: number of the first log object that it speaks of; log: 0
 *       40     4  count        log: batches; index: log objects
 *       44    40  reserved     zero, and the reader insists
 *
 * Fields of a part of a base, and of a batch of changes:
 *
 *   offset  size  field          meaning
 *        0     8  generation     of the manifest whose rows these are
 *        8     8  checkpointLsn  the log is needed from here on
 *       16     8  maxLsn         no row of the state names a higher LSN; of a base: its checkpoint
 *       24     8  wallMs         when these rows were read, milliseconds since 1970
 *       32     8  baseNumber     number, in the same epoch, of the first part of the base
 *       40     8  fencedBelow    every epoch below this one was fenced when it was written
 *       48     8  walEpoch       epoch of the newest log object when it was put; 0: there was none
 *       56     8  walNumber      number of that log object
 *       64     8  walEndLsn      where the log in the bucket ended then
 *       72     4  part           base: which part it is, from 0; batch: 0
 *       76     4  rowCount       rows and removals in it
 *       80     4  reserved       zero, and the reader insists
 *
 * Fields of a fence:
 *
 *   offset  size  field     meaning
 *        0     8  byEpoch   epoch that ended this one
 *        8     8  wallMs    when, by its clock, milliseconds since 1970
 *       16    16  nonce     random: of the one who put it
 *       32    52  reserved  zero, and the reader insists
 *
 * (1) What no writer of ours puts there is refused: an end before its beginning, times that fall, an
 *     index of what comes behind it, a part of a base under a number that is not its own, a fence by
 *     an epoch that is not later.
 */
import { assert } from "../../base/assert.ts";
import { type Layout, layout, readU64, writeU64 } from "../../base/layout.ts";

export const LOG_FIELDS = layout(84, [
  ["firstLsn", "u64", "where the log that it holds begins: the end of the log object before"],
  ["endLsn", "u64", "where it ends"],
  ["firstWallMs", "u64", "time of its first batch, milliseconds since 1970"],
  ["lastWallMs", "u64", "time of its last batch"],
  ["firstNumber", "u64", "index: number of the first log object that it speaks of; log: 0"],
  ["count", "u32", "log: batches; index: log objects"],
  ["reserved", "zero[40]", "zero, and the reader insists"],
]);

export const MANIFEST_FIELDS = layout(84, [
  ["generation", "u64", "of the manifest whose rows these are"],
  ["checkpointLsn", "u64", "the log is needed from here on"],
  ["maxLsn", "u64", "no row of the state names a higher LSN; of a base: its checkpoint"],
  ["wallMs", "u64", "when these rows were read, milliseconds since 1970"],
  ["baseNumber", "u64", "number, in the same epoch, of the first part of the base"],
  ["fencedBelow", "u64", "every epoch below this one was fenced when it was written"],
  ["walEpoch", "u64", "epoch of the newest log object when it was put; 0: there was none"],
  ["walNumber", "u64", "number of that log object"],
  ["walEndLsn", "u64", "where the log in the bucket ended then"],
  ["part", "u32", "base: which part it is, from 0; batch: 0"],
  ["rowCount", "u32", "rows and removals in it"],
  ["reserved", "zero[4]", "zero, and the reader insists"],
]);

export const FENCE_FIELDS = layout(84, [
  ["byEpoch", "u64", "epoch that ended this one"],
  ["wallMs", "u64", "when, by its clock, milliseconds since 1970"],
  ["nonce", "bytes[16]", "random: of the one who put it"],
  ["reserved", "zero[52]", "zero, and the reader insists"],
]);

export const NONCE_BYTES = 16;
const FIELDS_BYTES = LOG_FIELDS.sizeBytes;
const FLAGGED = 1;

/** Persistent. */
const KINDS = { log: 1, index: 2, walFence: 3, base: 4, batch: 5, manifestFence: 6 } as const;

/** Which object it is. */
export interface ObjectIdentity {
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  readonly epoch: number;
  readonly number: number;
}

interface LogMarks {
  readonly firstLsn: number;
  readonly endLsn: number;
  readonly firstWallMs: number;
  readonly lastWallMs: number;
}

export interface LogHeader extends ObjectIdentity, LogMarks {
  readonly kind: "log";
  /** The log object before ends below `firstLsn`: what lay between is lost. */
  readonly gap: boolean;
  readonly batchCount: number;
}

export interface IndexHeader extends ObjectIdentity, LogMarks {
  readonly kind: "index";
  readonly firstNumber: number;
  readonly objectCount: number;
}

/** What a manifest object says of the rows that it holds. */
export interface ManifestMarks {
  readonly generation: number;
  readonly checkpointLsn: number;
  readonly maxLsn: number;
  readonly wallMs: number;
  readonly baseNumber: number;
  readonly fencedBelow: number;
  /** The newest log object when this was put; 0 if there was none. */
  readonly walEpoch: number;
  readonly walNumber: number;
  /** Where the log in the bucket ended then. */
  readonly walEndLsn: number;
}

export interface ManifestHeader extends ObjectIdentity, ManifestMarks {
  readonly kind: "base" | "batch";
  /** Of a base; a batch has 0. */
  readonly part: number;
  /** With this batch the base before it is whole: from here on there are states. */
  readonly whole: boolean;
  readonly rowCount: number;
}

export interface FenceHeader extends ObjectIdentity {
  readonly kind: "fence";
  /** Whose numbers it ends. */
  readonly of: "wal" | "manifest";
  readonly byEpoch: number;
  readonly wallMs: number;
  /** 16 bytes. */
  readonly nonce: Uint8Array;
}

export type ObjectHeader = LogHeader | IndexHeader | ManifestHeader | FenceHeader;

/** The number of a kind on disk. */
export function kindNumber(header: ObjectHeader): number {
  if (header.kind !== "fence") return KINDS[header.kind];
  return header.of === "wal" ? KINDS.walFence : KINDS.manifestFence;
}

export function flagsOf(header: ObjectHeader): number {
  if (header.kind === "log") return header.gap ? FLAGGED : 0;
  return header.kind === "batch" && header.whole ? FLAGGED : 0;
}

type Numbers<L> = L extends Layout<infer Name> ? Partial<Record<Name, number>> : never;

/** Fields of eight bytes and of four, so that they are written and read in one place. */
const LOG_LONG = ["firstLsn", "endLsn", "firstWallMs", "lastWallMs", "firstNumber"] as const;
const MANIFEST_LONG = [
  "generation",
  "checkpointLsn",
  "maxLsn",
  "wallMs",
  "baseNumber",
  "fencedBelow",
  "walEpoch",
  "walNumber",
  "walEndLsn",
] as const;

export function encodeFields(header: ObjectHeader): Uint8Array {
  const bytes = new Uint8Array(FIELDS_BYTES);
  const view = new DataView(bytes.buffer);
  switch (header.kind) {
    case "log":
    case "index": {
      const isLog = header.kind === "log";
      const marks: Numbers<typeof LOG_FIELDS> = isLog ? { ...header, firstNumber: 0 } : header;
      for (const name of LOG_LONG) writeU64(view, LOG_FIELDS.offset[name], marks[name] ?? 0);
      const count = isLog ? header.batchCount : header.objectCount;
      view.setUint32(LOG_FIELDS.offset.count, count, true);
      return bytes;
    }
    case "base":
    case "batch": {
      const { offset } = MANIFEST_FIELDS;
      for (const name of MANIFEST_LONG) writeU64(view, offset[name], header[name]);
      view.setUint32(offset.part, header.part, true);
      view.setUint32(offset.rowCount, header.rowCount, true);
      return bytes;
    }
    case "fence": {
      const { offset } = FENCE_FIELDS;
      assert(header.nonce.length === NONCE_BYTES, "a nonce has 16 bytes");
      writeU64(view, offset.byEpoch, header.byEpoch);
      writeU64(view, offset.wallMs, header.wallMs);
      bytes.set(header.nonce, offset.nonce);
      return bytes;
    }
  }
}

export interface RawFields {
  readonly kind: number;
  readonly flags: number;
  readonly fields: Uint8Array;
}

/** Undefined if a field is none that a writer of ours puts there. */
export function decodeFields(
  identity: ObjectIdentity,
  { kind, flags, fields }: RawFields,
): ObjectHeader | undefined {
  const isFlag = flags === FLAGGED;
  const canFlag = kind === KINDS.log || kind === KINDS.batch;
  if (flags !== 0 && !(isFlag && canFlag)) return undefined;
  switch (kind) {
    case KINDS.log:
    case KINDS.index:
      return logHeader(identity, { kind, flags, fields });
    case KINDS.base:
    case KINDS.batch:
      return manifestHeader(identity, { kind, flags, fields });
    case KINDS.walFence:
    case KINDS.manifestFence:
      return fenceHeader(identity, { kind, flags, fields });
    default:
      return undefined;
  }
}

function logHeader(identity: ObjectIdentity, raw: RawFields): ObjectHeader | undefined {
  const { offset } = LOG_FIELDS;
  const numbers = readLongs(raw.fields, offset, LOG_LONG);
  if (numbers === undefined || !isZero(raw.fields, offset.reserved)) return undefined;
  const { firstNumber, ...marks } = numbers;
  const count = viewOf(raw.fields).getUint32(offset.count, true);
  if (marks.endLsn <= marks.firstLsn || count === 0) return undefined;
  if (marks.lastWallMs < marks.firstWallMs) return undefined;
  if (raw.kind === KINDS.index) {
    const isBefore = firstNumber + count <= identity.number;
    return isBefore
      ? { kind: "index", ...identity, ...marks, firstNumber, objectCount: count }
      : undefined;
  }
  if (firstNumber !== 0) return undefined;
  return { kind: "log", ...identity, ...marks, gap: raw.flags === FLAGGED, batchCount: count };
}

function manifestHeader(identity: ObjectIdentity, raw: RawFields): ObjectHeader | undefined {
  const { offset } = MANIFEST_FIELDS;
  const marks = readLongs(raw.fields, offset, MANIFEST_LONG);
  if (marks === undefined || !isZero(raw.fields, offset.reserved)) return undefined;
  const view = viewOf(raw.fields);
  const part = view.getUint32(offset.part, true);
  const rowCount = view.getUint32(offset.rowCount, true);
  const kind = raw.kind === KINDS.base ? "base" : "batch";
  // Parts of a base are numbered as they follow each other; a batch comes behind them.
  const isInPlace =
    kind === "base"
      ? marks.baseNumber + part === identity.number
      : part === 0 && marks.baseNumber < identity.number;
  if (!isInPlace || marks.checkpointLsn > marks.maxLsn) return undefined;
  return { kind, ...identity, ...marks, part, whole: raw.flags === FLAGGED, rowCount };
}

function fenceHeader(identity: ObjectIdentity, raw: RawFields): ObjectHeader | undefined {
  const { offset } = FENCE_FIELDS;
  const marks = readLongs(raw.fields, offset, ["byEpoch", "wallMs"] as const);
  if (marks === undefined || !isZero(raw.fields, offset.reserved)) return undefined;
  if (marks.byEpoch <= identity.epoch) return undefined;
  const of = raw.kind === KINDS.walFence ? "wal" : "manifest";
  const nonce = raw.fields.slice(offset.nonce, offset.nonce + NONCE_BYTES);
  return { kind: "fence", ...identity, of, ...marks, nonce };
}

function readLongs<Name extends string>(
  fields: Uint8Array,
  offset: Readonly<Record<Name, number>>,
  names: readonly Name[],
): Record<Name, number> | undefined {
  const view = viewOf(fields);
  const numbers: Partial<Record<Name, number>> = {};
  for (const name of names) {
    const value = readU64(view, offset[name]);
    if (value === undefined) return undefined;
    numbers[name] = value;
  }
  return numbers as Record<Name, number>;
}

/** From an offset of the fields to their end. */
function isZero(fields: Uint8Array, from: number): boolean {
  return fields.subarray(from, FIELDS_BYTES).every((byte) => byte === 0);
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

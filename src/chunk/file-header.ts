/**
 * FILE HEADER: the first bytes of everything that holds pages or records: segments of the log, page
 * chunks, record chunks. Little-endian.
 *
 *   offset  size  field            meaning
 *        0     4  magic            "BOPC"
 *        4     2  version          of the whole file's format; 1
 *        6     1  kind             1: segment of the log; 2: page chunk; 3: record chunk; 4: see (4)
 *        7     1  codec            how items are stored; 0: as they are; 1: deflate, see (5)
 *        8     4  pageBytes        segment: the block; chunk: of its pages, 0 if they differ
 *       12     4  bodyOffset       where the first item begins, in bytes from the file's beginning
 *       16    16  storeId          store that the file belongs to
 *       32     8  epoch            of the store's owner when the file was begun, for fencing
 *       40     8  sequence         segment: of its use; chunk: its id. Names the file
 *       48     8  generation       of the manifest that was current when the file was begun
 *       56     8  firstLsn         segment: of its first batch; chunk: of its oldest item
 *       64     8  lastLsn          chunk: of its newest item; segment: 0, its successor tells
 *       72     8  durableLsn       known to be durable when the file was begun; 0 if not recorded
 *       80     8  createdMs        when the file was begun, milliseconds since 1970; 0 if not told
 *       88     4  itemCount        chunk: its items, so entries of its directory; segment: 0
 *       92     4  streamCount      streams that have items in it; 0 if not counted
 *       96     8  directoryOffset  where the directory begins; segment: 0, see there
 *      104     4  directoryBytes   length of the directory; segment: 0
 *      108    16  reserved         zero, and the reader insists
 *      124     4  checksum         CRC-32 of the bytes before this field
 *
 * (1) Magic and checksum come before meaning: a field is believed only when they agree, and the
 *     version is looked at next, since a later version may mean other things by all the rest.
 * (2) Kind and version are persistent: a number is never changed and never used again.
 * (3) A file that says one kind is never read as another, whatever its name is.
 * (4) Kind 4 is a page chunk that one transaction wrote before it committed. The same as kind 2 where
 *     the manifest, or a commit in the log, names it; if neither does, its commit never took place.
 * (5) Only a page chunk of kind 2 has a codec other than 0, and each of its records says for itself
 *     whether it was made smaller (page-record.ts). A codec that is not known is a later version's.
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { layout, readU64, writeU64 } from "../base/layout.ts";

export const FILE_HEADER = layout(128, [
  ["magic", "bytes[4]", '"BOPC"'],
  ["version", "u16", "of the whole file's format; 1"],
  ["kind", "u8", "1: segment of the log; 2: page chunk; 3: record chunk; 4: see (4)"],
  ["codec", "u8", "how items are stored; 0: as they are; 1: deflate, see (5)"],
  ["pageBytes", "u32", "segment: the block; chunk: of its pages, 0 if they differ"],
  ["bodyOffset", "u32", "where the first item begins, in bytes from the file's beginning"],
  ["storeId", "bytes[16]", "store that the file belongs to"],
  ["epoch", "u64", "of the store's owner when the file was begun, for fencing"],
  ["sequence", "u64", "segment: of its use; chunk: its id. Names the file"],
  ["generation", "u64", "of the manifest that was current when the file was begun"],
  ["firstLsn", "u64", "segment: of its first batch; chunk: of its oldest item"],
  ["lastLsn", "u64", "chunk: of its newest item; segment: 0, its successor tells"],
  ["durableLsn", "u64", "known to be durable when the file was begun; 0 if not recorded"],
  ["createdMs", "u64", "when the file was begun, milliseconds since 1970; 0 if not told"],
  ["itemCount", "u32", "chunk: its items, so entries of its directory; segment: 0"],
  ["streamCount", "u32", "streams that have items in it; 0 if not counted"],
  ["directoryOffset", "u64", "where the directory begins; segment: 0, see there"],
  ["directoryBytes", "u32", "length of the directory; segment: 0"],
  ["reserved", "zero[16]", "zero, and the reader insists"],
  ["checksum", "u32", "CRC-32 of the bytes before this field"],
]);

const MAGIC = Buffer.from("BOPC");
export const FILE_VERSION = 1;
export const STORE_ID_BYTES = 16;

/** Persistent. */
const KINDS = { segment: 1, pages: 2, records: 3, spill: 4 } as const;
export type FileKind = keyof typeof KINDS;

/** Persistent. */
const CODECS = { none: 0, deflate: 1 } as const;
export type ImageCodec = keyof typeof CODECS;
const CODEC_NEWEST = Math.max(...Object.values(CODECS));

/** The fields that are u64 on disk, so that they are written and read in one place. */
const LONG_FIELDS = [
  "epoch",
  "sequence",
  "generation",
  "firstLsn",
  "lastLsn",
  "durableLsn",
  "createdMs",
  "directoryOffset",
] as const;

const SHORT_FIELDS = [
  "pageBytes",
  "bodyOffset",
  "itemCount",
  "streamCount",
  "directoryBytes",
] as const;

type NumberField = (typeof LONG_FIELDS)[number] | (typeof SHORT_FIELDS)[number];

export interface FileHeader extends Readonly<Record<NumberField, number>> {
  readonly kind: FileKind;
  readonly codec: ImageCodec;
  /** 16 bytes. */
  readonly storeId: Uint8Array;
}

/** Numbers that are not given are 0; the codec is "none". */
export type FileHeaderFields = Pick<FileHeader, "kind" | "storeId"> &
  Partial<Pick<FileHeader, "codec">> &
  Partial<Readonly<Record<NumberField, number>>>;

/** Bytes from a disk may be anything, so that they are not a header is an answer. */
export type FileHeaderAnswer =
  | { readonly type: "header"; readonly header: FileHeader }
  | { readonly type: "newer"; readonly found: string; readonly supported: string }
  | { readonly type: "zero" }
  | { readonly type: "bad"; readonly why: string };

/** The 128 bytes with which a file begins. */
export function encodeFileHeader(header: FileHeaderFields): Uint8Array {
  const { offset, sizeBytes } = FILE_HEADER;
  assert(header.storeId.length === STORE_ID_BYTES, "the id of a store has 16 bytes");
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, offset.magic);
  view.setUint16(offset.version, FILE_VERSION, true);
  view.setUint8(offset.kind, KINDS[header.kind]);
  view.setUint8(offset.codec, CODECS[header.codec ?? "none"]);
  bytes.set(header.storeId, offset.storeId);
  for (const field of LONG_FIELDS) writeU64(view, offset[field], header[field] ?? 0);
  for (const field of SHORT_FIELDS) view.setUint32(offset[field], header[field] ?? 0, true);
  view.setUint32(offset.checksum, crc32(bytes.subarray(0, offset.checksum)), true);
  return bytes;
}

/** Reads the header at the beginning of `bytes`, of whatever kind the file is. */
export function decodeFileHeader(bytes: Uint8Array): FileHeaderAnswer {
  const { offset, sizeBytes } = FILE_HEADER;
  if (bytes.length < sizeBytes) return bad("shorter than a header");
  const head = bytes.subarray(0, sizeBytes);
  if (head.every((byte) => byte === 0)) return { type: "zero" };
  if (!MAGIC.equals(head.subarray(offset.magic, offset.version))) return bad("no magic");
  const view = new DataView(head.buffer, head.byteOffset, sizeBytes);
  if (view.getUint32(offset.checksum, true) !== crc32(head.subarray(0, offset.checksum))) {
    return bad("checksum of the header");
  }
  const version = view.getUint16(offset.version, true);
  if (version > FILE_VERSION) {
    return { type: "newer", found: `version ${version}`, supported: `version ${FILE_VERSION}` };
  }
  const kind = kindOf(view.getUint8(offset.kind));
  const codecByte = view.getUint8(offset.codec);
  if (codecByte > CODEC_NEWEST) {
    return { type: "newer", found: `codec ${codecByte}`, supported: `codec ${CODEC_NEWEST}` };
  }
  const codec = codecOf(codecByte);
  if (version !== FILE_VERSION || kind === undefined || (codec !== "none" && kind !== "pages")) {
    return bad(`version ${version}, kind ${view.getUint8(offset.kind)}, codec ${codecByte}`);
  }
  if (head.subarray(offset.reserved, offset.checksum).some((byte) => byte !== 0)) {
    return bad("reserved bytes are not zero");
  }
  const numbers = decodeNumbers(view);
  if (numbers === undefined) return bad("a number beyond 2^53");
  const storeId = head.slice(offset.storeId, offset.storeId + STORE_ID_BYTES);
  return { type: "header", header: { kind, codec, storeId, ...numbers } };
}

function decodeNumbers(view: DataView): Record<NumberField, number> | undefined {
  const { offset } = FILE_HEADER;
  const numbers: Partial<Record<NumberField, number>> = {};
  for (const field of LONG_FIELDS) {
    const value = readU64(view, offset[field]);
    if (value === undefined) return undefined;
    numbers[field] = value;
  }
  for (const field of SHORT_FIELDS) numbers[field] = view.getUint32(offset[field], true);
  return numbers as Record<NumberField, number>;
}

function kindOf(value: number): FileKind | undefined {
  return (Object.keys(KINDS) as FileKind[]).find((kind) => KINDS[kind] === value);
}

function codecOf(value: number): ImageCodec {
  return value === CODECS.deflate ? "deflate" : "none";
}

function bad(why: string): FileHeaderAnswer {
  return { type: "bad", why };
}

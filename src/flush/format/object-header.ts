/**
 * OBJECT HEADER: the first bytes of every numbered object in a bucket (`wal/…`, `manifest/…`), and
 * once more within its trailer (object-frame.ts). Little-endian.
 *
 *   offset  size  field    meaning
 *        0     4  magic    "BOPO"
 *        4     2  version  of the whole object's format; 1
 *        6     1  kind     1: log; 2: index; 3: its fence; 4: base; 5: batch; 6: fence of manifests
 *        7     1  flags    log: 1 after a lost window; batch: 1 makes the base whole; else 0
 *        8    16  storeId  store that the object belongs to
 *       24     8  epoch    of the writer whose numbers these are: of the key
 *       32     8  number   of the key
 *       40    84  fields   of the kind: see header-fields.ts
 *      124     4  crc      CRC-32 of the bytes before this field
 *
 * (1) Magic and checksum come before meaning, the version next: as in a file header.
 * (2) Store, epoch and number are in the header: an object under another key is refused.
 * (3) Kind and version are persistent: a number is never changed and never used again. Kinds of the
 *     log and of manifests differ, so that neither passes for the other.
 */
import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";
import { layout, readU64, writeU64 } from "../../base/layout.ts";
import {
  decodeFields,
  encodeFields,
  flagsOf,
  kindNumber,
  type ObjectHeader,
  type ObjectIdentity,
} from "./header-fields.ts";

export {
  type FenceHeader,
  type IndexHeader,
  type LogHeader,
  type ManifestHeader,
  type ManifestMarks,
  NONCE_BYTES,
  type ObjectHeader,
  type ObjectIdentity,
} from "./header-fields.ts";

export const OBJECT_HEADER = layout(128, [
  ["magic", "bytes[4]", '"BOPO"'],
  ["version", "u16", "of the whole object's format; 1"],
  ["kind", "u8", "1: log; 2: index; 3: its fence; 4: base; 5: batch; 6: fence of manifests"],
  ["flags", "u8", "log: 1 after a lost window; batch: 1 makes the base whole; else 0"],
  ["storeId", "bytes[16]", "store that the object belongs to"],
  ["epoch", "u64", "of the writer whose numbers these are: of the key"],
  ["number", "u64", "of the key"],
  ["fields", "bytes[84]", "of the kind: see header-fields.ts"],
  ["crc", "u32", "CRC-32 of the bytes before this field"],
]);

/** What to read of an object to know what it is. */
export const OBJECT_HEADER_BYTES = OBJECT_HEADER.sizeBytes;

const MAGIC = Buffer.from("BOPO", "latin1");
const VERSION = 1;
const STORE_ID_BYTES = 16;

export interface BadBytes {
  readonly type: "bad";
  readonly why: string;
}

export interface NewerFormat {
  readonly type: "newer";
  readonly found: string;
  readonly supported: string;
}

/** Bytes from a bucket may be anything, so that they are no header is an answer. */
export type HeaderAnswer =
  | { readonly type: "header"; readonly header: ObjectHeader }
  | NewerFormat
  | BadBytes;

export function encodeObjectHeader(header: ObjectHeader): Uint8Array {
  const { offset, sizeBytes } = OBJECT_HEADER;
  assert(header.storeId.length === STORE_ID_BYTES, "the id of a store has 16 bytes");
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, offset.magic);
  view.setUint16(offset.version, VERSION, true);
  view.setUint8(offset.kind, kindNumber(header));
  view.setUint8(offset.flags, flagsOf(header));
  bytes.set(header.storeId, offset.storeId);
  writeU64(view, offset.epoch, header.epoch);
  writeU64(view, offset.number, header.number);
  bytes.set(encodeFields(header), offset.fields);
  view.setUint32(offset.crc, crc32(bytes.subarray(0, offset.crc)), true);
  assert(decodeObjectHeader(bytes).type === "header", "a header that no reader would take");
  return bytes;
}

/** Reads the header at the beginning of `bytes`, of whatever kind the object is. */
export function decodeObjectHeader(bytes: Uint8Array): HeaderAnswer {
  const { offset, sizeBytes } = OBJECT_HEADER;
  if (bytes.length < sizeBytes) return bad("shorter than a header");
  const head = bytes.subarray(0, sizeBytes);
  if (!MAGIC.equals(head.subarray(0, MAGIC.length))) return bad("no magic");
  const view = new DataView(head.buffer, head.byteOffset, sizeBytes);
  if (view.getUint32(offset.crc, true) !== crc32(head.subarray(0, offset.crc))) {
    return bad("checksum of the header");
  }
  const version = view.getUint16(offset.version, true);
  if (version > VERSION) {
    return { type: "newer", found: `version ${version}`, supported: `version ${VERSION}` };
  }
  const [kind, flags] = [view.getUint8(offset.kind), view.getUint8(offset.flags)];
  const epoch = readU64(view, offset.epoch);
  const number = readU64(view, offset.number);
  if (version < 1 || epoch === undefined || number === undefined) return bad("a field of it");
  const storeId = head.slice(offset.storeId, offset.storeId + STORE_ID_BYTES);
  const identity = { storeId, epoch, number };
  const header = decodeFields(identity, { kind, flags, fields: head.subarray(offset.fields) });
  if (header === undefined) return bad(`a field of kind ${kind}, flags ${flags}`);
  return { type: "header", header };
}

/** Why it is not the object that was asked for; undefined if it is. */
export function identityProblem(found: ObjectIdentity, wanted: ObjectIdentity): string | undefined {
  if (Buffer.compare(found.storeId, wanted.storeId) !== 0) return "it belongs to another store";
  if (found.epoch === wanted.epoch && found.number === wanted.number) return undefined;
  return `it is object ${found.number} of epoch ${found.epoch}`;
}

export const bad = (why: string): BadBytes => ({ type: "bad", why });

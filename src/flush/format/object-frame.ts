/**
 * A NUMBERED OBJECT AS A WHOLE: what it holds lies between a header and a trailer of fixed size.
 *
 * The trailer. Little-endian.
 *
 *   offset  size  field        meaning
 *        0   128  header       the object's first bytes once more
 *      128     8  objectBytes  length of the whole object
 *      136     4  table1Bytes  length of the first table; it begins where the body ends
 *      140     4  table1Crc    CRC-32 of it
 *      144     4  table2Bytes  length of the second, which follows
 *      148     4  table2Crc    CRC-32 of it
 *      152     4  table3Bytes  length of the third, which ends where the trailer begins
 *      156     4  table3Crc    CRC-32 of it
 *      160     8  reserved     zero, and the reader insists
 *      168     4  magic        "BOPT"
 *      172     4  crc          CRC-32 of the bytes before this field
 *
 * As a whole:
 *
 *   object = header  body  table1  table2  table3  trailer
 *
 * (1) The end of an object tells everything: one read of its last bytes gives the header and the
 *     tables, and each table has the checksums of the parts of the body that it names. So a part
 *     that is read alone is checked as well as the whole is.
 * (2) An object is read from its end or from its beginning; both say which object it is.
 * (3) Only a fence has no table and no body: it is the one object of FENCE_BYTES, so that a list of
 *     keys and sizes shows where there may be one.
 */
import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";
import { layout, readU64, writeU64 } from "../../base/layout.ts";
import { MIB } from "../../base/units.ts";
import {
  type BadBytes,
  bad,
  decodeObjectHeader,
  encodeObjectHeader,
  type NewerFormat,
  OBJECT_HEADER_BYTES,
  type ObjectHeader,
} from "./object-header.ts";
import { atOnce, type Steps } from "./steps.ts";

export const OBJECT_TRAILER = layout(176, [
  ["header", "bytes[128]", "the object's first bytes once more"],
  ["objectBytes", "u64", "length of the whole object"],
  ["table1Bytes", "u32", "length of the first table; it begins where the body ends"],
  ["table1Crc", "u32", "CRC-32 of it"],
  ["table2Bytes", "u32", "length of the second, which follows"],
  ["table2Crc", "u32", "CRC-32 of it"],
  ["table3Bytes", "u32", "length of the third, which ends where the trailer begins"],
  ["table3Crc", "u32", "CRC-32 of it"],
  ["reserved", "zero[8]", "zero, and the reader insists"],
  ["magic", "bytes[4]", '"BOPT"'],
  ["crc", "u32", "CRC-32 of the bytes before this field"],
]);

/** The length of every fence, and of nothing else. */
export const FENCE_BYTES = OBJECT_HEADER_BYTES + OBJECT_TRAILER.sizeBytes;
/** A last part of this size holds the tables of most objects. */
export const OBJECT_TAIL_BYTES = 64 * 1024;

const MAGIC = Buffer.from("BOPT", "latin1");
/** Places within an object are u32. */
const OBJECT_BYTES_MAX = 2 ** 32 - 1;
/** Copied in one step. */
const STEP_BYTES = MIB;
const TABLES = [
  [OBJECT_TRAILER.offset.table1Bytes, OBJECT_TRAILER.offset.table1Crc],
  [OBJECT_TRAILER.offset.table2Bytes, OBJECT_TRAILER.offset.table2Crc],
  [OBJECT_TRAILER.offset.table3Bytes, OBJECT_TRAILER.offset.table3Crc],
] as const;

type Three<T> = readonly [T, T, T];
const NO_TABLES: Three<Uint8Array> = [new Uint8Array(0), new Uint8Array(0), new Uint8Array(0)];

export interface ObjectTail {
  readonly header: ObjectHeader;
  readonly objectBytes: number;
  /** Where the body ends, in bytes from the object's beginning. */
  readonly bodyEnd: number;
  /** Checked. */
  readonly tables: Three<Uint8Array>;
}

/** The tail that was given is too short: so many of the last bytes are needed. */
export interface MoreBytes {
  readonly type: "more";
  readonly tailBytes: number;
}

export type TailAnswer =
  | { readonly type: "tail"; readonly tail: ObjectTail }
  | MoreBytes
  | NewerFormat
  | BadBytes;

/** The whole object. */
export function encodeObject(
  header: ObjectHeader,
  body: readonly Uint8Array[] = [],
  tables: Three<Uint8Array> = NO_TABLES,
): Uint8Array {
  return atOnce(objectSteps(header, body, tables));
}

/** The same, in steps. */
export function* objectSteps(
  header: ObjectHeader,
  body: readonly Uint8Array[],
  tables: Three<Uint8Array>,
): Steps<Uint8Array> {
  const head = encodeObjectHeader(header);
  const { sizeBytes, offset } = OBJECT_TRAILER;
  const parts = [head, ...body, ...tables];
  const trailerAt = parts.reduce((sum, { length }) => sum + length, 0);
  const objectBytes = trailerAt + sizeBytes;
  assert(objectBytes <= OBJECT_BYTES_MAX, () => `an object of ${objectBytes} bytes`);
  const bytes = new Uint8Array(objectBytes);
  let at = 0;
  for (const part of parts) {
    for (let from = 0; from < part.length; from += STEP_BYTES) {
      bytes.set(part.subarray(from, from + STEP_BYTES), at + from);
      yield;
    }
    at += part.length;
  }
  bytes.set(head, trailerAt + offset.header);
  const trailer = bytes.subarray(trailerAt);
  const view = new DataView(bytes.buffer, trailerAt);
  writeU64(view, offset.objectBytes, objectBytes);
  for (const [index, table] of tables.entries()) {
    const [bytesAt, crcAt] = TABLES[index] as (typeof TABLES)[number];
    view.setUint32(bytesAt, table.length, true);
    view.setUint32(crcAt, crc32(table), true);
  }
  trailer.set(MAGIC, offset.magic);
  view.setUint32(offset.crc, crc32(trailer.subarray(0, offset.crc)), true);
  return bytes;
}

/** What the last bytes of an object of `objectBytes` say, or all of them. Keeps views of them. */
export function decodeObjectTail(bytes: Uint8Array, objectBytes: number): TailAnswer {
  const { sizeBytes, offset } = OBJECT_TRAILER;
  if (objectBytes < FENCE_BYTES) return bad("too short for an object");
  if (bytes.length < sizeBytes) return { type: "more", tailBytes: sizeBytes };
  const trailer = bytes.subarray(bytes.length - sizeBytes);
  const view = new DataView(trailer.buffer, trailer.byteOffset, sizeBytes);
  if (!MAGIC.equals(trailer.subarray(offset.magic, offset.crc))) return bad("no trailer");
  if (view.getUint32(offset.crc, true) !== crc32(trailer.subarray(0, offset.crc))) {
    return bad("checksum of the trailer");
  }
  const answer = decodeObjectHeader(trailer);
  if (answer.type !== "header") return answer;
  if (readU64(view, offset.objectBytes) !== objectBytes) return bad("length of the object");
  if (trailer.subarray(offset.reserved, offset.magic).some((byte) => byte !== 0)) {
    return bad("reserved bytes are not zero");
  }
  const tableBytes = TABLES.reduce((sum, [bytesAt]) => sum + view.getUint32(bytesAt, true), 0);
  if (tableBytes > objectBytes - FENCE_BYTES) return bad("lengths of the tables");
  const tailBytes = tableBytes + sizeBytes;
  if (bytes.length < tailBytes) return { type: "more", tailBytes };
  let at = bytes.length - tailBytes;
  const tables: Uint8Array[] = [];
  for (const [index, [bytesAt, crcAt]] of TABLES.entries()) {
    const table = bytes.subarray(at, at + view.getUint32(bytesAt, true));
    if (crc32(table) !== view.getUint32(crcAt, true)) return bad(`checksum of table ${index + 1}`);
    tables.push(table);
    at += table.length;
  }
  const { header } = answer;
  const isEmpty = objectBytes === FENCE_BYTES;
  if ((header.kind === "fence") !== isEmpty) return bad(`${header.kind} of ${objectBytes} bytes`);
  const bodyEnd = objectBytes - tailBytes;
  const [table1, table2, table3] = tables as [Uint8Array, Uint8Array, Uint8Array];
  return { type: "tail", tail: { header, objectBytes, bodyEnd, tables: [table1, table2, table3] } };
}

/** The object that ends an epoch's numbers. */
export function encodeFence(fence: Omit<Extract<ObjectHeader, { kind: "fence" }>, "kind">) {
  return encodeObject({ kind: "fence", ...fence });
}

/**
 * THE MIRROR OF THE MANIFEST, as it lies in `<directory>/manifest.mirror`: all rows as they were at
 * some moment (the base), then every change of them since, so that the manifest can be made again
 * when it is lost. Little-endian.
 *
 *   file   := header entry*
 *   entry  := entry header, payload
 *
 *   header
 *   offset  size  field    meaning
 *        0     4  magic    "BOPM"
 *        4     2  version  of the format: 1
 *        6     2  zero     zero
 *        8    16  nonce    random for each file: in the seed of every checksum
 *       24     4  crc      crc32 of the bytes before
 *
 *   entry header
 *   offset  size  field   meaning
 *        0     4  length  bytes of the payload
 *        4     1  kind    1 rows, 2 whole, 3 closed, 4 padding
 *        5     3  zero    zero
 *        8     4  crc     crc32 of the fields before and the payload; seed: crc32 of nonce, offset
 *
 *   rows    puts and removals, in order: kind u8 (1 put, 2 remove), key length u16, key, and for a
 *           put value length u32, value
 *   whole   nothing: the base is complete with the entries before
 *   closed  crc32 of the state's value without its last four bytes u32, bytes of the base u64
 *   padding zeros, and says nothing: what was synced ends with a block, for which see (6)
 *
 * (1) The rows of a base are read while the manifest changes. Each is of some moment between the
 *     beginning of the base and `whole`, and what changed meanwhile is among the entries: applied in
 *     order, they give one moment at `whole`, and none before. Behind it a commit may be several
 *     entries; the row of the marks (STATE_KEY) comes last in it, and with that the rows give one moment
 *     again. Rows that no marks follow are of a commit that was cut off: they are a torn tail, too.
 * (2) The first invalid entry ends the mirror: it is a torn tail. What was lost there is younger than
 *     the last superblock, and the log still holds it.
 * (3) The offset is in the seed: an entry that lies in another place, or in a file of before, is
 *     invalid.
 * (4) `closed` is the last entry of a mirror to which nothing is missing. If the manifest still has
 *     that state, the mirror can be added to; if not, a new base is needed.
 * (5) The decoder takes any bytes and throws nothing.
 * (6) What is synced ends with a block of 4096 bytes. A write that a power cut tears may take the block
 *     that it lies in, with all that was there: so it never shares one with what was synced.
 */
import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";
import { layout, writeU64 } from "../../base/layout.ts";
import { ByteReader, ByteWriter, Malformed } from "../rows/bytes.ts";
import type { KeyValueOperation } from "../stores/key-value.ts";

export const MIRROR_HEADER = layout(28, [
  ["magic", "bytes[4]", '"BOPM"'],
  ["version", "u16", "of the format: 1"],
  ["zero", "zero[2]", "zero"],
  ["nonce", "bytes[16]", "random for each file: in the seed of every checksum"],
  ["crc", "u32", "crc32 of the bytes before"],
]);

export const MIRROR_ENTRY = layout(12, [
  ["length", "u32", "bytes of the payload"],
  ["kind", "u8", "1 rows, 2 whole, 3 closed, 4 padding"],
  ["zero", "zero[3]", "zero"],
  ["crc", "u32", "crc32 of the fields before and the payload; seed: crc32 of nonce, offset"],
]);

export const MIRROR_NONCE_BYTES = 16;
/** Payloads are cut at this size; one row may be larger. */
export const MIRROR_PAYLOAD_BYTES = 256 * 1024;

const MAGIC = Buffer.from("BOPM", "latin1");
const VERSION = 1;
const KINDS = { rows: 1, whole: 2, closed: 3, padding: 4 } as const;
const PUT = 1;
const REMOVE = 2;
const CLOSED_BYTES = 12;
/** See (6). */
export const MIRROR_BLOCK_BYTES = 4096;
/** Of a `closed` entry, header included. */
export const MIRROR_CLOSED_BYTES = MIRROR_ENTRY.sizeBytes + CLOSED_BYTES;

export type MirrorEntry =
  | { readonly kind: "rows"; readonly operations: readonly KeyValueOperation[] }
  | { readonly kind: "whole" }
  | { readonly kind: "closed"; readonly stateCrc: number; readonly baseBytes: number }
  | { readonly kind: "padding"; readonly bytes: number };

/** Where an entry lies: what its checksum is seeded with. */
export interface MirrorPlace {
  readonly nonce: Uint8Array;
  readonly offset: number;
}

export function encodeMirrorHeader(nonce: Uint8Array): Uint8Array {
  assert(nonce.length === MIRROR_NONCE_BYTES, "a nonce of 16 bytes");
  const bytes = new Uint8Array(MIRROR_HEADER.sizeBytes);
  const view = new DataView(bytes.buffer);
  const { offset } = MIRROR_HEADER;
  bytes.set(MAGIC, offset.magic);
  view.setUint16(offset.version, VERSION, true);
  bytes.set(nonce, offset.nonce);
  view.setUint32(offset.crc, crc32(bytes.subarray(0, offset.crc)), true);
  return bytes;
}

/** The nonce; a number if the file is of that newer version; undefined if it is no mirror. */
export function decodeMirrorHeader(bytes: Uint8Array): Uint8Array | number | undefined {
  const { offset, sizeBytes } = MIRROR_HEADER;
  if (bytes.length < sizeBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) return undefined;
  if (crc32(bytes.subarray(0, offset.crc)) !== view.getUint32(offset.crc, true)) return undefined;
  const version = view.getUint16(offset.version, true);
  if (version > VERSION) return version;
  return version < 1 ? undefined : bytes.slice(offset.nonce, offset.nonce + MIRROR_NONCE_BYTES);
}

export function encodeMirrorEntry(entry: MirrorEntry, place: MirrorPlace): Uint8Array {
  const payload = payloadOf(entry);
  const { offset, sizeBytes } = MIRROR_ENTRY;
  const bytes = new Uint8Array(sizeBytes + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(offset.length, payload.length, true);
  view.setUint8(offset.kind, KINDS[entry.kind]);
  bytes.set(payload, sizeBytes);
  view.setUint32(offset.crc, checksum(bytes, place), true);
  return bytes;
}

/** The payload bytes that follow an entry's header; undefined if there is no such header. */
export function mirrorPayloadBytes(header: Uint8Array): number | undefined {
  if (header.length < MIRROR_ENTRY.sizeBytes) return undefined;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  return view.getUint32(MIRROR_ENTRY.offset.length, true);
}

/** Header and payload, whole. Undefined for bytes that are no entry of this place: see (2). */
export function decodeMirrorEntry(bytes: Uint8Array, place: MirrorPlace): MirrorEntry | undefined {
  const { offset, sizeBytes } = MIRROR_ENTRY;
  if (mirrorPayloadBytes(bytes) !== bytes.length - sizeBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (checksum(bytes, place) !== view.getUint32(offset.crc, true)) return undefined;
  try {
    return parse(view.getUint8(offset.kind), new ByteReader(bytes.subarray(sizeBytes)));
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

function payloadOf(entry: MirrorEntry): Uint8Array {
  if (entry.kind === "padding") return new Uint8Array(entry.bytes);
  const into = new ByteWriter();
  if (entry.kind === "closed") into.u32(entry.stateCrc).u64(entry.baseBytes);
  if (entry.kind !== "rows") return into.finish();
  for (const { key, value } of entry.operations) {
    into.u8(value === undefined ? REMOVE : PUT);
    into.u16(key.length).raw(key);
    if (value !== undefined) into.u32(value.length).raw(value);
  }
  return into.finish();
}

function parse(kind: number, from: ByteReader): MirrorEntry | undefined {
  if (kind === KINDS.whole) {
    from.end();
    return { kind: "whole" };
  }
  if (kind === KINDS.closed) {
    const entry = { kind: "closed", stateCrc: from.u32(), baseBytes: from.u64() } as const;
    from.end();
    return entry;
  }
  if (kind === KINDS.padding) {
    const zeros = from.raw(from.remaining);
    return zeros.every((byte) => byte === 0) ? { kind: "padding", bytes: zeros.length } : undefined;
  }
  if (kind !== KINDS.rows) return undefined;
  const operations: KeyValueOperation[] = [];
  while (from.remaining > 0) {
    const what = from.u8();
    const key = from.raw(from.u16());
    if (what === PUT) operations.push({ key, value: from.raw(from.u32()) });
    else if (what === REMOVE) operations.push({ key });
    else throw new Malformed(`operation ${what}`);
  }
  return { kind: "rows", operations };
}

function checksum(bytes: Uint8Array, { nonce, offset: at }: MirrorPlace): number {
  const { offset, sizeBytes } = MIRROR_ENTRY;
  const place = new Uint8Array(8);
  writeU64(new DataView(place.buffer), 0, at);
  const seed = crc32(place, crc32(nonce));
  return crc32(bytes.subarray(sizeBytes), crc32(bytes.subarray(0, offset.crc), seed));
}

/**
 * CHUNK HEADER: the first bytes of a chunk. Little-endian.
 *
 *   offset  size  field            meaning
 *        0     4  magic            "BOPC"
 *        4     2  version          of the whole file's format; 1
 *        6     1  kind             1: pages
 *        7     1  codec            how images are stored; 0: as they are
 *        8     8  chunk            id of this chunk; names its file
 *       16     8  generation       of the manifest that was current when the chunk was written
 *       24    16  storeId          store that the chunk belongs to
 *       40     8  firstLsn         oldest version of a page in it
 *       48     8  lastLsn          newest version of a page in it
 *       56     4  pageCount        pages in it, so records and directory entries
 *       60     4  directoryOffset  where the directory begins, in bytes from the file's beginning
 *       64    60  reserved         zero, and the reader insists
 *      124     4  checksum         CRC-32 of the bytes before this field
 *
 *   chunk = header, record × pageCount, entry × pageCount, footer
 *
 * (1) Magic and checksum come before meaning: a field is believed only when they agree, and the
 *     version is looked at next, since a later version may mean other things by all the rest.
 * (2) A chunk is written once, under a temporary name, and never changed.
 */
import { crc32 } from "node:zlib";
import { layout, readU64, writeU64 } from "../base/layout.ts";
import type { ChunkId, Lsn } from "../base/units.ts";
import { chunkId, lsn } from "../base/units.ts";

export const HEADER = layout(128, [
  ["magic", "bytes[4]", '"BOPC"'],
  ["version", "u16", "of the whole file's format; 1"],
  ["kind", "u8", "1: pages"],
  ["codec", "u8", "how images are stored; 0: as they are"],
  ["chunk", "u64", "id of this chunk; names its file"],
  ["generation", "u64", "of the manifest that was current when the chunk was written"],
  ["storeId", "bytes[16]", "store that the chunk belongs to"],
  ["firstLsn", "u64", "oldest version of a page in it"],
  ["lastLsn", "u64", "newest version of a page in it"],
  ["pageCount", "u32", "pages in it, so records and directory entries"],
  ["directoryOffset", "u32", "where the directory begins, in bytes from the file's beginning"],
  ["reserved", "zero[60]", "zero, and the reader insists"],
  ["checksum", "u32", "CRC-32 of the bytes before this field"],
]);

const MAGIC = Buffer.from("BOPC");
const VERSION = 1;
const KIND_PAGES = 1;
const CODEC_PLAIN = 0;
export const STORE_ID_BYTES = 16;

export interface ChunkHeader {
  readonly chunk: ChunkId;
  readonly generation: number;
  readonly storeId: Uint8Array;
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly pageCount: number;
  readonly directoryOffset: number;
}

/** Bytes from a disk may be anything, so that they are not a header is an answer. */
export type HeaderAnswer =
  | { readonly type: "header"; readonly header: ChunkHeader }
  | { readonly type: "newer"; readonly found: string; readonly supported: string }
  | { readonly type: "bad"; readonly why: string };

export function encodeHeader(header: ChunkHeader): Uint8Array {
  const { offset, sizeBytes } = HEADER;
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, offset.magic);
  view.setUint16(offset.version, VERSION, true);
  view.setUint8(offset.kind, KIND_PAGES);
  view.setUint8(offset.codec, CODEC_PLAIN);
  writeU64(view, offset.chunk, header.chunk);
  writeU64(view, offset.generation, header.generation);
  bytes.set(header.storeId, offset.storeId);
  writeU64(view, offset.firstLsn, header.firstLsn);
  writeU64(view, offset.lastLsn, header.lastLsn);
  view.setUint32(offset.pageCount, header.pageCount, true);
  view.setUint32(offset.directoryOffset, header.directoryOffset, true);
  view.setUint32(offset.checksum, crc32(bytes.subarray(0, offset.checksum)), true);
  return bytes;
}

/** Reads the header at the beginning of `bytes`. */
export function decodeHeader(bytes: Uint8Array): HeaderAnswer {
  const { offset, sizeBytes } = HEADER;
  if (bytes.length < sizeBytes) return bad("shorter than a header");
  if (!MAGIC.equals(bytes.subarray(offset.magic, offset.version))) return bad("no magic");
  const view = new DataView(bytes.buffer, bytes.byteOffset, sizeBytes);
  if (view.getUint32(offset.checksum, true) !== crc32(bytes.subarray(0, offset.checksum))) {
    return bad("checksum of the header");
  }
  const version = view.getUint16(offset.version, true);
  if (version > VERSION) {
    return { type: "newer", found: `version ${version}`, supported: `version ${VERSION}` };
  }
  const kind = view.getUint8(offset.kind);
  const codec = view.getUint8(offset.codec);
  if (version !== VERSION || kind !== KIND_PAGES || codec !== CODEC_PLAIN) {
    return bad(`version ${version}, kind ${kind}, codec ${codec}`);
  }
  if (bytes.subarray(offset.reserved, offset.checksum).some((byte) => byte !== 0)) {
    return bad("reserved bytes are not zero");
  }
  const id = readU64(view, offset.chunk);
  const generation = readU64(view, offset.generation);
  const first = readU64(view, offset.firstLsn);
  const last = readU64(view, offset.lastLsn);
  if (id === undefined || generation === undefined || first === undefined || last === undefined) {
    return bad("a number beyond 2^53");
  }
  return {
    type: "header",
    header: {
      chunk: chunkId(id),
      generation,
      storeId: bytes.slice(offset.storeId, offset.storeId + STORE_ID_BYTES),
      firstLsn: lsn(first),
      lastLsn: lsn(last),
      pageCount: view.getUint32(offset.pageCount, true),
      directoryOffset: view.getUint32(offset.directoryOffset, true),
    },
  };
}

function bad(why: string): HeaderAnswer {
  return { type: "bad", why };
}

/**
 * AN OBJECT AS A FILE: its body, and behind it a trailer that services keep as metadata. One file,
 * so that both appear under their name in one step. Little-endian.
 *
 *   offset  size  field      meaning
 *        0    16  putId      which put created it
 *       16    32  sha256     of the body
 *       48     8  sizeBytes  length of the body, which begins at offset 0 of the file
 *       56     4  version    of this trailer; 1
 *       60     4  crc        CRC-32 of the fields before this one
 *       64     8  magic      "BOPOBJCT"
 *
 * (1) The trailer ends the file. A file that does not end in one is no object: it was not put here,
 *     or it was cut.
 * (2) The body lies at the beginning, so that ranges of the object are ranges of the file, and so
 *     that whoever opens it by other means finds what he looks for.
 */
import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";
import { layout, readU64, writeU64 } from "../../base/layout.ts";

export const OBJECT_TRAILER = layout(72, [
  ["putId", "bytes[16]", "which put created it"],
  ["sha256", "bytes[32]", "of the body"],
  ["sizeBytes", "u64", "length of the body, which begins at offset 0 of the file"],
  ["version", "u32", "of this trailer; 1"],
  ["crc", "u32", "CRC-32 of the fields before this one"],
  ["magic", "bytes[8]", '"BOPOBJCT"'],
]);

const VERSION = 1;
const MAGIC = Buffer.from("BOPOBJCT", "latin1");

export interface ObjectTrailer {
  /** 32 hexadecimal digits. */
  readonly putId: string;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

export type DecodedTrailer =
  | { readonly type: "trailer"; readonly trailer: ObjectTrailer }
  | { readonly type: "bad"; readonly why: string };

export function encodeTrailer({ putId, sha256, sizeBytes }: ObjectTrailer): Uint8Array {
  const { offset } = OBJECT_TRAILER;
  const into = Buffer.alloc(OBJECT_TRAILER.sizeBytes);
  assert(putId.length === 32 && sha256.length === 64, "a trailer has digits of fixed width");
  into.write(putId, offset.putId, "hex");
  into.write(sha256, offset.sha256, "hex");
  const view = new DataView(into.buffer, into.byteOffset, into.length);
  writeU64(view, offset.sizeBytes, sizeBytes);
  view.setUint32(offset.version, VERSION, true);
  view.setUint32(offset.crc, crc32(into.subarray(0, offset.crc)), true);
  into.set(MAGIC, offset.magic);
  return into;
}

/** `from` is the end of a file of `fileBytes`: the trailer's length, or the whole of less. */
export function decodeTrailer(from: Uint8Array, fileBytes: number): DecodedTrailer {
  const { offset, sizeBytes: length } = OBJECT_TRAILER;
  if (from.length !== length) return bad("it is too short");
  const bytes = Buffer.from(from.buffer, from.byteOffset, from.length);
  if (!bytes.subarray(offset.magic).equals(MAGIC)) return bad("it does not end in a trailer");
  const view = new DataView(from.buffer, from.byteOffset, from.length);
  if (view.getUint32(offset.crc, true) !== crc32(bytes.subarray(0, offset.crc))) {
    return bad("the checksum of its trailer does not match");
  }
  const version = view.getUint32(offset.version, true);
  if (version !== VERSION) return bad(`its trailer is of version ${version}, unknown here`);
  const sizeBytes = readU64(view, offset.sizeBytes);
  if (sizeBytes === undefined || sizeBytes !== fileBytes - length) {
    return bad(`its trailer says ${sizeBytes} bytes, and there are ${fileBytes - length}`);
  }
  const putId = bytes.toString("hex", offset.putId, offset.sha256);
  const sha256 = bytes.toString("hex", offset.sha256, offset.sizeBytes);
  return { type: "trailer", trailer: { putId, sha256, sizeBytes } };
}

function bad(why: string): DecodedTrailer {
  return { type: "bad", why };
}

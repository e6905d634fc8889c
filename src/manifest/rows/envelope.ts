/**
 * WHAT IS AROUND EVERY VALUE OF THE MANIFEST. LMDB has no checksums.
 *
 *   offset        size  field       meaning
 *        0           1  version     of the payload's own format
 *        1           n  payload     see tables/
 *    1 + n           8  generation  of the change that wrote it
 *    9 + n           4  crc         crc32 of all bytes before, seeded with the crc32 of the key
 *
 * (1) The key is in the checksum: a value that lies under another key is refused.
 * (2) The checksum comes before the meaning: a version is believed only when it agrees.
 * (3) A value has the version of its store's schema: older ones are gone with the migration.
 */
import { crc32 } from "node:zlib";
import { StorageError } from "../../base/errors.ts";
import { readU64, writeU64 } from "../../base/layout.ts";
import { ByteReader, Malformed } from "./bytes.ts";

const TAIL_BYTES = 12;

export interface Envelope {
  readonly key: Uint8Array;
  readonly version: number;
  readonly generation: number;
}

export function seal(payload: Uint8Array, { key, version, generation }: Envelope): Uint8Array {
  const sealed = new Uint8Array(1 + payload.length + TAIL_BYTES);
  const view = new DataView(sealed.buffer);
  sealed[0] = version;
  sealed.set(payload, 1);
  writeU64(view, 1 + payload.length, generation);
  const checked = sealed.subarray(0, sealed.length - 4);
  view.setUint32(sealed.length - 4, crc32(checked, crc32(key)), true);
  return sealed;
}

export interface Sealed {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** The directory of the manifest, for errors. */
  readonly file: string;
}

/**
 * Takes a value apart: `parse` gets a reader of the payload. Throws BOP_CORRUPT for bytes that are
 * not what was written, BOP_FORMAT for a version above `version`, and nothing else.
 */
export function unseal<T>(
  sealed: Sealed,
  { version, parse }: { version: number; parse: (payload: ByteReader) => T },
): T {
  const { value, file } = sealed;
  checkEnvelope(sealed);
  const found = value[0] as number;
  if (found > version) throw unknownVersion({ file, found, supported: version });
  if (found < version) throw corrupt(sealed, `version ${found} is not one of its schema`);
  const payload = new ByteReader(value.subarray(1, value.length - TAIL_BYTES));
  try {
    const parsed = parse(payload);
    payload.end();
    return parsed;
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause;
    throw corrupt(sealed, cause.message, cause);
  }
}

/** Throws BOP_CORRUPT unless the value is as it was written, whatever its payload means. */
export function checkEnvelope(sealed: Sealed): void {
  const { key, value } = sealed;
  if (value.length < 1 + TAIL_BYTES) throw corrupt(sealed, "it is too short");
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const crc = crc32(value.subarray(0, value.length - 4), crc32(key));
  if (crc !== view.getUint32(value.length - 4, true)) throw corrupt(sealed, "checksum");
  if (readU64(view, value.length - TAIL_BYTES) === undefined) throw corrupt(sealed, "generation");
}

export function unknownVersion(facts: {
  readonly file: string;
  readonly found: number;
  readonly supported: number;
}): StorageError {
  const { file, found, supported } = facts;
  return new StorageError("BOP_FORMAT", `${file} was written by a newer version of bop-storage`, {
    details: { file, found: `version ${found}`, supported: `version ${supported}` },
  });
}

export function corrupt({ key, file }: Sealed, why: string, cause?: unknown): StorageError {
  const name = Buffer.from(key).toString("hex");
  const message = `the manifest in ${file} is damaged: value of key ${name}: ${why}`;
  const details = { file, offset: 0, why: `key ${name}: ${why}` };
  return new StorageError("BOP_CORRUPT", message, { details, cause });
}

/**
 * THE GRAMMAR OF A KEY, narrower than any service or file system asks for: what fits it means the
 * same everywhere, and can neither leave a folder nor meet another key by case or by form.
 *
 *     key   =  name *( "/" name )          at most 512 bytes
 *     name  =  1*128( a-z / 0-9 / "-" / "_" / "." )      beginning and ending without "."
 *
 * (1) All of it is ASCII, so that the order of the bytes is the order of JavaScript's strings.
 * (2) A key that is the folder of another (`a` beside `a/b`) is never used: a file system has no
 *     place for both.
 */

const KEY_BYTES_MAX = 512;
const NAME = "(?!\\.)[a-z0-9._-]{1,128}(?<!\\.)";
const KEY = new RegExp(`^${NAME}(?:/${NAME})*$`);
const PREFIX = /^[a-z0-9._/-]*$/;
const HEX_128 = /^[0-9a-f]{32}$/;
const HEX_256 = /^[0-9a-f]{64}$/;
const LIST_MAX = 1000;

export function isKey(text: string): boolean {
  return text.length <= KEY_BYTES_MAX && KEY.test(text);
}

export function isPutId(text: string): boolean {
  return HEX_128.test(text);
}

export function isSha256(text: string): boolean {
  return HEX_256.test(text);
}

export function assertKey(key: string): void {
  if (!isKey(key)) throw new TypeError(`${JSON.stringify(key)} is not a key of an object`);
}

export function assertPut(
  key: string,
  { putId, sha256 }: { readonly putId: string; readonly sha256?: string | undefined },
): void {
  assertKey(key);
  if (!isPutId(putId)) throw new TypeError(`${JSON.stringify(putId)} is not a put id`);
  if (sha256 !== undefined && !isSha256(sha256)) {
    throw new TypeError(`${JSON.stringify(sha256)} is not a SHA-256 in hexadecimal digits`);
  }
}

/** What a list asks for, with the default filled in. */
export function listed(
  prefix: string,
  {
    after,
    limit = LIST_MAX,
  }: { readonly after?: string | undefined; readonly limit?: number | undefined },
): { readonly prefix: string; readonly after: string; readonly limit: number } {
  // `after` may be what somebody else put there: it is only compared with.
  if (!PREFIX.test(prefix)) throw new TypeError(`${JSON.stringify(prefix)} begins no key`);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIST_MAX) {
    throw new RangeError(`limit is ${limit}; want 1 to ${LIST_MAX}`);
  }
  return { prefix, after: after ?? "", limit };
}

/** The part of an object of this size that a range asks for. */
export function slice(
  range: { readonly offset: number; readonly bytes: number } | { readonly lastBytes: number },
  sizeBytes: number,
): { readonly from: number; readonly to: number } {
  if ("lastBytes" in range)
    return { from: Math.max(0, sizeBytes - range.lastBytes), to: sizeBytes };
  const from = Math.min(range.offset, sizeBytes);
  return { from, to: Math.min(sizeBytes, from + range.bytes) };
}

export function assertRange(
  range: { readonly offset: number; readonly bytes: number } | { readonly lastBytes: number },
): void {
  const asked = "lastBytes" in range ? [range.lastBytes] : [range.bytes, range.offset + 1];
  for (const one of asked) {
    if (!Number.isSafeInteger(one) || one < 1) {
      throw new RangeError(`${JSON.stringify(range)} is not a range of bytes`);
    }
  }
}

/**
 * WHAT AN OBJECT SAYS OF ITSELF, as the metadata that services keep beside its body.
 *
 *     bop-put-id    32 hexadecimal digits    which put created it
 *     bop-sha256    64 hexadecimal digits    what its body hashes to
 *
 * (1) Names are told regardless of case, since services write them as they please.
 * (2) A value of another form is as good as none: the object is not ours.
 */
import { isPutId, isSha256 } from "./object-key.ts";

const PUT_ID = "bop-put-id";
const SHA_256 = "bop-sha256";

export interface ObjectMetadata {
  readonly putId: string | undefined;
  readonly sha256: string | undefined;
}

export function encodeMetadata({
  putId,
  sha256,
}: {
  readonly putId: string;
  readonly sha256: string;
}): Record<string, string> {
  return { [PUT_ID]: putId, [SHA_256]: sha256 };
}

export function decodeMetadata(
  metadata: Readonly<Record<string, string | undefined>> = {},
): ObjectMetadata {
  const found: { putId: string | undefined; sha256: string | undefined } = {
    putId: undefined,
    sha256: undefined,
  };
  for (const [name, value = ""] of Object.entries(metadata)) {
    if (name.toLowerCase() === PUT_ID && isPutId(value)) found.putId = value;
    if (name.toLowerCase() === SHA_256 && isSha256(value)) found.sha256 = value;
  }
  return found;
}

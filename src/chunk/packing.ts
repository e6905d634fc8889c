/**
 * PACKING: the image of a page made smaller for a chunk, and back. Pure.
 *
 * (1) Each page is packed on its own: reading one never needs another.
 * (2) A page that would not shrink by an eighth stays as it is: `stored` is then the image itself,
 *     and its length says so, for what is packed is always shorter.
 * (3) The checksum is of the image, so that what is served is what was given, whatever lies between.
 * (4) Any bytes give an answer: unpacking makes exactly the image, or says why not, and never more
 *     bytes than the image has.
 */
import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";

export interface PackedImage {
  readonly imageBytes: number;
  readonly imageCrc: number;
  /** What a chunk keeps. */
  readonly stored: Uint8Array;
}

/** See docs/decisions/0044-compression-of-pages.md: higher levels cost more than they save. */
const LEVEL = 1;
const SHRUNK_SHARE = 7 / 8;
/** With no room behind the image the inflater would ask for a second buffer to see its end. */
const SLACK_BYTES = 64;

export function packImage(image: Uint8Array): PackedImage {
  const packed = deflateRawSync(image, { level: LEVEL, chunkSize: image.length });
  const isWorthIt = packed.length <= image.length * SHRUNK_SHARE;
  const stored = isWorthIt ? packed : image;
  return { imageBytes: image.length, imageCrc: crc32(image), stored };
}

export function isPacked({ imageBytes, stored }: PackedImage): boolean {
  return stored.length < imageBytes;
}

/** The image; a string says why there is none. A view of `stored` if that is the image. */
export function unpackImage(packed: PackedImage): Uint8Array | string {
  const { imageBytes, imageCrc, stored } = packed;
  const image = isPacked(packed) ? inflate(stored, imageBytes) : stored;
  if (image?.length !== imageBytes) return "the page cannot be unpacked";
  return crc32(image) === imageCrc ? image : "checksum of the unpacked page";
}

function inflate(stored: Uint8Array, imageBytes: number): Uint8Array | undefined {
  try {
    const options = { chunkSize: imageBytes + SLACK_BYTES, maxOutputLength: imageBytes };
    return inflateRawSync(stored, options);
  } catch {
    return undefined; // Whatever it is that the bytes are not, they are no image.
  }
}

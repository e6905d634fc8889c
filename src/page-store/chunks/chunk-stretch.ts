/**
 * A STRETCH of a chunk, as it lies in the file: records of pages one behind the other, and whatever
 * lies between.
 *
 * (1) Where a record begins is known from its location; no record is looked for.
 */
import { type ImageCodec, imageOffset, recordImage } from "../../chunk/index.ts";
import { offsetOf } from "../maps/location.ts";

export interface Stretch {
  /** Shorter than was asked for if the file ends before. */
  readonly bytes: Uint8Array;
  /** Offset of its first byte in the file. */
  readonly offset: number;
  /** Of the chunk's checksums, and of its images. */
  readonly seed: number;
  readonly codec: ImageCodec;
}

export interface PageInStretch {
  readonly stream: number;
  readonly pageNumber: number;
  readonly location: number;
  readonly pageBytes: number;
}

/** The image of a page, a view unless it was packed; undefined if it is not there as it should be. */
export function imageInStretch(stretch: Stretch, page: PageInStretch): Uint8Array | undefined {
  const { stream, pageNumber, pageBytes } = page;
  const begin = offsetOf(page.location) - stretch.offset;
  const { seed, codec } = stretch;
  const record = stretch.bytes.subarray(begin, begin + imageOffset(codec) + pageBytes);
  const expected = { stream, pageNumber, imageBytes: pageBytes, seed, codec };
  const image = recordImage(record, expected);
  return typeof image === "string" ? undefined : image;
}

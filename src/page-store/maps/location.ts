/**
 * LOCATION: where the image of a page lies, as one number.
 *
 *   location = chunk id × 2^24 + offset of its record ÷ 8
 *
 * (1) 0 means nowhere: the header of a chunk takes the offsets that would make it.
 * (2) A location is written once and never means another page, since chunk ids are not reused.
 */
import { assert } from "../../base/assert.ts";
import { type ChunkId, chunkId } from "../../base/units.ts";

export const NOWHERE = 0;

const OFFSET_STEP_BYTES = 8;
const OFFSETS_PER_CHUNK = 2 ** 24;

export function locationOf(chunk: ChunkId, offset: number): number {
  assert(offset > 0 && offset % OFFSET_STEP_BYTES === 0, () => `${offset} is no record's offset`);
  assert(offset / OFFSET_STEP_BYTES < OFFSETS_PER_CHUNK, () => `offset ${offset} is too large`);
  const location = chunk * OFFSETS_PER_CHUNK + offset / OFFSET_STEP_BYTES;
  assert(Number.isSafeInteger(location), () => `chunk ${chunk} is beyond the numbers there are`);
  return location;
}

export function chunkOf(location: number): ChunkId {
  return chunkId(Math.floor(location / OFFSETS_PER_CHUNK));
}

export function offsetOf(location: number): number {
  return (location % OFFSETS_PER_CHUNK) * OFFSET_STEP_BYTES;
}

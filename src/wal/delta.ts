/**
 * PAGE DELTAS: the changed ranges of a page, and a sum that tells whether they were put on the base
 * they were made for.
 *
 *   ranges = range*            as many as fill the length that the frame states
 *   range  = skip:varint length:varint bytes[length]     skip counts from the end of the one before
 *
 * (1) Encoding gives up as soon as the ranges take more than half a page: a full image is then
 *     hardly longer, and ends the chain.
 * (2) Putting ranges on any page but the base they were made for is BOP_CORRUPT, never a guess.
 * (3) Nothing is allocated but two small views: this runs for every page of every commit.
 * (4) The sum is linear: the sum over all words of word × coefficient, modulo 2^32. So the sum of
 *     the new image is that of its base and what the changed words add, and only they are looked at.
 *
 * The bytes of a delta are covered by the checksum of their batch. The sum is there for (2) only,
 * so it need not resist what a disk does. Any single changed word changes it, for the coefficients,
 * the powers of an odd number, are odd.
 */
import { type FrameBuffer, FrameReader, putSlice, putVarint } from "./bytes.ts";
import type { Place } from "./corrupt.ts";

/** What `encodeRanges` returns when it gave up. */
export const GAVE_UP = -1;
/** What `encodeRanges` returns when there is nothing to log. */
export const UNCHANGED = -2;

/** Words are compared in groups of 16 bytes; a changed group is then looked at byte by byte. */
const GROUP_BYTES = 16;
/** A range costs two or three bytes, so equal bytes fewer than this are copied along. */
const JOIN_BYTES = 4;
const RANGE_OVERHEAD_BYTES = 6;
/** Of more groups than two in a row hardly a byte is as it was: only the ends are looked at. */
const LONG_RUN_BYTES = 2 * GROUP_BYTES;

const LARGEST_PAGE_BYTES = 65536;
const WORDS_PER_GROUP = GROUP_BYTES / 4;
const coefficients = new Int32Array(LARGEST_PAGE_BYTES / 4);
for (let i = 0, power = 1; i < coefficients.length; i++, power = Math.imul(power, 0x9e3779b1)) {
  coefficients[i] = power;
}

/** Shared by all calls, which is safe since none of them yields. */
const alignedBase = new Int32Array(LARGEST_PAGE_BYTES / 4);
const alignedImage = new Int32Array(LARGEST_PAGE_BYTES / 4);
/** What `compare` found: the first words of the groups that differ, and what they add to the sum. */
const changed = new Int32Array(LARGEST_PAGE_BYTES / GROUP_BYTES);
let addedSum = 0;
const slice = { start: 0, end: 0 };

/**
 * Appends the ranges in which `image` differs from `base`, both of one length and a multiple of 16
 * bytes. Returns what to add to the sum of `base` for that of `image`, modulo 2^32; or GAVE_UP or
 * UNCHANGED, and then the buffer is as it was.
 */
export function encodeRanges(into: FrameBuffer, base: Uint8Array, image: Uint8Array): number {
  const groups = compare(words(base, alignedBase), words(image, alignedImage));
  if (groups === 0) return UNCHANGED;
  const start = into.at;
  const limit = start + (image.length >>> 1);
  let rangeEnd = 0;
  for (let i = 0; i < groups; ) {
    const runStart = (changed[i] as number) << 2;
    let runEnd = runStart + GROUP_BYTES;
    for (i += 1; i < groups && (changed[i] as number) << 2 === runEnd; i++) runEnd += GROUP_BYTES;
    slice.end = runStart;
    const long = runEnd - runStart > LONG_RUN_BYTES;
    while (long ? wholeRange(base, image, runEnd) : nextRange(base, image, runEnd)) {
      if (into.at + slice.end - slice.start + RANGE_OVERHEAD_BYTES > limit) {
        into.at = start;
        return GAVE_UP;
      }
      putVarint(into, slice.start - rangeEnd);
      putVarint(into, slice.end - slice.start);
      putSlice(into, image, slice);
      rangeEnd = slice.end;
    }
  }
  return addedSum >>> 0;
}

/** Nothing else is in this loop, for it takes nearly all of the time. */
function compare(before: Int32Array, after: Int32Array): number {
  const wordCount = after.length;
  let groups = 0;
  let sum = 0;
  for (let i = 0; i < wordCount; i += WORDS_PER_GROUP) {
    const d0 = ((after[i] as number) - (before[i] as number)) | 0;
    const d1 = ((after[i + 1] as number) - (before[i + 1] as number)) | 0;
    const d2 = ((after[i + 2] as number) - (before[i + 2] as number)) | 0;
    const d3 = ((after[i + 3] as number) - (before[i + 3] as number)) | 0;
    if ((d0 | d1 | d2 | d3) === 0) continue;
    changed[groups++] = i;
    sum = (sum + Math.imul(d0, coefficients[i] as number)) | 0;
    sum = (sum + Math.imul(d1, coefficients[i + 1] as number)) | 0;
    sum = (sum + Math.imul(d2, coefficients[i + 2] as number)) | 0;
    sum = (sum + Math.imul(d3, coefficients[i + 3] as number)) | 0;
  }
  addedSum = sum;
  return groups;
}

/** Moves `slice` to all that differs between its end and `runEnd`; false if it was there before. */
function wholeRange(base: Uint8Array, image: Uint8Array, runEnd: number): boolean {
  let start = slice.end;
  while (start < runEnd && base[start] === image[start]) start += 1;
  if (start === runEnd) return false;
  let end = runEnd;
  while (base[end - 1] === image[end - 1]) end -= 1;
  slice.start = start;
  slice.end = end;
  return true;
}

/** Moves `slice` to the first range between its end and `runEnd`; false if there is none. */
function nextRange(base: Uint8Array, image: Uint8Array, runEnd: number): boolean {
  let at = slice.end;
  while (at < runEnd && base[at] === image[at]) at += 1;
  if (at >= runEnd) return false;
  slice.start = at;
  let end = at + 1;
  for (at += 1; at < runEnd && at - end < JOIN_BYTES; at++) {
    if (base[at] !== image[at]) end = at + 1;
  }
  slice.end = end;
  return true;
}

/** Puts ranges on `page`, in place. */
export function applyRanges(page: Uint8Array, ranges: Uint8Array, place: Place): void {
  const reader = new FrameReader(ranges, place);
  let at = 0;
  while (!reader.done) {
    const start = at + reader.varint();
    const length = reader.varint();
    if (start + length > page.length) throw reader.corrupt("a range ends beyond its page");
    const from = reader.skip(length);
    page.set(ranges.subarray(from, from + length), start);
    at = start + length;
  }
}

/** The sum of a page: see (4). Takes half as long as a CRC-32 of it. */
export function pageSum(page: Uint8Array): number {
  const all = words(page, alignedImage);
  let sum = 0;
  for (let i = 0; i < all.length; i++) {
    sum = (sum + Math.imul(all[i] as number, coefficients[i] as number)) | 0;
  }
  return sum >>> 0;
}

/** Pages whose length the word loop cannot take are never logged as ranges. */
export const hasWholeGroups = (page: Uint8Array): boolean =>
  page.length % GROUP_BYTES === 0 && page.length <= LARGEST_PAGE_BYTES;

/** The page as 32-bit words: a view where the alignment allows it, a copy where not. */
function words(page: Uint8Array, copy: Int32Array): Int32Array {
  if ((page.byteOffset & 3) === 0) {
    return new Int32Array(page.buffer, page.byteOffset, page.length >>> 2);
  }
  new Uint8Array(copy.buffer).set(page);
  return copy.subarray(0, page.length >>> 2);
}

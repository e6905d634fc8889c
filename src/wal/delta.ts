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
 *
 * The bytes of a delta are covered by the checksum of their batch. The sum is there for (2) only,
 * so it need not resist what a disk does, and a multiplicative sum over the page's words, taken in
 * the loop that compares them, will do: any single changed word changes it, for the multipliers are
 * odd. It adds 270 ns to a comparison of 475 ns; CRC-32 of the page would add 1,100 to 1,480 ns.
 */
import { type FrameBuffer, FrameReader, putSlice, putVarint } from "./bytes.ts";
import type { Place } from "./corrupt.ts";

/** What `encodeRanges` returns when it gave up. */
export const GAVE_UP = -1;

/** Words are compared in groups of 16 bytes; a changed group is then looked at byte by byte. */
const GROUP_BYTES = 16;
/** A range costs two or three bytes, so equal bytes fewer than this are copied along. */
const JOIN_BYTES = 4;
const RANGE_OVERHEAD_BYTES = 6;

const LARGEST_PAGE_BYTES = 65536;
const WORDS_PER_GROUP = GROUP_BYTES / 4;
const MULTIPLIER_A = 0x9e3779b1 | 0;
const MULTIPLIER_B = 0x85ebca77 | 0;

/** Shared by all calls, which is safe since none of them yields. */
const alignedBase = new Int32Array(LARGEST_PAGE_BYTES / 4);
const alignedImage = new Int32Array(LARGEST_PAGE_BYTES / 4);
/** What `compare` found: the first words of the groups that differ, and the sum of the image. */
const changed = new Int32Array(LARGEST_PAGE_BYTES / GROUP_BYTES);
let changedSum = 0;
const slice = { start: 0, end: 0 };

/**
 * Appends the ranges in which `image` differs from `base`, both of one length and a multiple of 16
 * bytes. Returns the sum of `image`, or GAVE_UP, and then the buffer is as it was.
 */
export function encodeRanges(into: FrameBuffer, base: Uint8Array, image: Uint8Array): number {
  const groups = compare(words(base, alignedBase), words(image, alignedImage));
  const start = into.at;
  const limit = start + (image.length >>> 1);
  let rangeEnd = 0;
  for (let i = 0; i < groups; ) {
    const runStart = (changed[i] as number) << 2;
    let runEnd = runStart + GROUP_BYTES;
    for (i += 1; i < groups && (changed[i] as number) << 2 === runEnd; i++) runEnd += GROUP_BYTES;
    slice.end = runStart;
    while (nextRange(base, image, runEnd)) {
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
  return changedSum;
}

/** Nothing else is in this loop, for it takes nearly all of the time. */
function compare(before: Int32Array, after: Int32Array): number {
  const wordCount = after.length;
  let groups = 0;
  let a = 0;
  let b = 0;
  for (let i = 0; i < wordCount; i += WORDS_PER_GROUP) {
    const w0 = after[i] as number;
    const w1 = after[i + 1] as number;
    const w2 = after[i + 2] as number;
    const w3 = after[i + 3] as number;
    a = (Math.imul(a, MULTIPLIER_A) + w0 + Math.imul(w1, MULTIPLIER_B)) | 0;
    b = (Math.imul(b, MULTIPLIER_A) + w2 + Math.imul(w3, MULTIPLIER_B)) | 0;
    const differs =
      ((before[i] as number) ^ w0) |
      ((before[i + 1] as number) ^ w1) |
      ((before[i + 2] as number) ^ w2) |
      ((before[i + 3] as number) ^ w3);
    if (differs !== 0) changed[groups++] = i;
  }
  changedSum = combine(a, b);
  return groups;
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

/** The sum of a page, as `encodeRanges` takes it on the way. */
export function pageSum(page: Uint8Array): number {
  const after = words(page, alignedImage);
  const wordCount = page.length >>> 2;
  let a = 0;
  let b = 0;
  for (let i = 0; i < wordCount; i += 4) {
    a = (Math.imul(a, MULTIPLIER_A) + (after[i] as number)) | 0;
    a = (a + Math.imul(after[i + 1] as number, MULTIPLIER_B)) | 0;
    b = (Math.imul(b, MULTIPLIER_A) + (after[i + 2] as number)) | 0;
    b = (b + Math.imul(after[i + 3] as number, MULTIPLIER_B)) | 0;
  }
  return combine(a, b);
}

/** Pages whose length the word loop cannot take are never logged as ranges. */
export const hasWholeGroups = (page: Uint8Array): boolean =>
  page.length % GROUP_BYTES === 0 && page.length <= LARGEST_PAGE_BYTES;

function combine(a: number, b: number): number {
  return (a ^ ((b << 16) | (b >>> 16))) >>> 0;
}

/** The page as 32-bit words: a view where the alignment allows it, a copy where not. */
function words(page: Uint8Array, copy: Int32Array): Int32Array {
  if ((page.byteOffset & 3) === 0) {
    return new Int32Array(page.buffer, page.byteOffset, page.length >>> 2);
  }
  new Uint8Array(copy.buffer).set(page);
  return copy.subarray(0, page.length >>> 2);
}

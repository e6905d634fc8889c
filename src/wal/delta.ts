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
 * (3) Nothing is allocated: this runs for every page of every commit.
 * (4) The sum is linear: the sum over all words of word × coefficient, modulo 2^32. So the sum of
 *     the new image is that of its base and what the changed words add, and only they are looked at.
 *
 * The bytes of a delta are covered by the checksum of their batch. The sum is there for (2) only,
 * so it need not resist what a disk does. Any single changed word changes it, for the coefficients,
 * the powers of an odd number, are odd.
 */
import { type FrameBuffer, FrameReader, putSlice, putVarint } from "./bytes.ts";
import type { Place } from "./corrupt.ts";
import { addedSum, comparePages, differingGroups, sumOfPage } from "./page-compare.ts";

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

/** Shared by all calls, which is safe since none of them yields. */
const slice = { start: 0, end: 0 };

/**
 * Appends the ranges in which `image` differs from `base`, both of one length and a multiple of 16
 * bytes. Returns what to add to the sum of `base` for that of `image`, modulo 2^32; or GAVE_UP or
 * UNCHANGED, and then the buffer is as it was.
 */
export function encodeRanges(into: FrameBuffer, base: Uint8Array, image: Uint8Array): number {
  const groups = comparePages(base, image);
  if (groups === 0) return UNCHANGED;
  const start = into.at;
  const limit = start + (image.length >>> 1);
  let rangeEnd = 0;
  for (let i = 0; i < groups; ) {
    const runStart = differingGroups[i] as number;
    let runEnd = runStart + GROUP_BYTES;
    for (i += 1; i < groups && differingGroups[i] === runEnd; i++) runEnd += GROUP_BYTES;
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
  return addedSum();
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

/** The sum of a page of whole groups: see (4). */
export const pageSum = sumOfPage;

/** Pages whose length the word loop cannot take are never logged as ranges. */
export const hasWholeGroups = (page: Uint8Array): boolean =>
  page.length % GROUP_BYTES === 0 && page.length <= LARGEST_PAGE_BYTES;

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isStorageError } from "../base/errors.ts";
import { lsn } from "../base/units.ts";
import { FrameReader } from "./bytes.ts";
import { encodeRanges, GAVE_UP, pageSum, UNCHANGED } from "./delta.ts";
import { encodeDelta, encodePage } from "./frame.ts";
import { decodeFrame } from "./frame-decode.ts";

const BATCH_LSN = 1_000_000;
const PLACE = { file: "segment", offset: 0 };

function page(bytes: number, seed: number): Uint8Array {
  const image = new Uint8Array(bytes);
  let word = seed;
  for (let i = 0; i < bytes; i++) {
    word = (Math.imul(word, 1_103_515_245) + 12_345) | 0;
    image[i] = word >>> 16;
  }
  return image;
}

const buffer = (bytes = 200_000) => ({
  bytes: new Uint8Array(bytes),
  at: 0,
  startLsn: lsn(BATCH_LSN),
});

function decodeOne(into: { bytes: Uint8Array; at: number }) {
  const decoded = decodeFrame(new FrameReader(into.bytes.subarray(0, into.at), PLACE), BATCH_LSN);
  if (decoded.type !== "change") throw new Error("a commit frame was not encoded here");
  return decoded.change;
}

const changes = fc.record({
  pageBytes: fc.constantFrom(512, 1024, 4096, 65536),
  misaligned: fc.integer({ min: 0, max: 3 }),
  seed: fc.integer(),
  edits: fc.array(
    fc.record({ at: fc.nat(65535), bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
    { maxLength: 12 },
  ),
});

function edited(base: Uint8Array, edits: readonly { at: number; bytes: Uint8Array }[]): Uint8Array {
  const image = base.slice();
  for (const { at, bytes } of edits) {
    const start = at % base.length;
    image.set(bytes.subarray(0, base.length - start), start);
  }
  return image;
}

describe("page delta", () => {
  test("what is put on the base it was made for is the new image, whatever changed", () => {
    fc.assert(
      fc.property(changes, ({ pageBytes, misaligned, seed, edits }) => {
        const room = new Uint8Array(pageBytes + 4);
        const base = room.subarray(misaligned, misaligned + pageBytes);
        base.set(page(pageBytes, seed));
        const image = edited(base, edits);
        const into = buffer();
        const sum = encodeDelta(into, 7, { baseLsn: lsn(900), base, image });
        if (sum === UNCHANGED) {
          expect(into.at).toBe(0);
          expect(Buffer.from(base).equals(image)).toBe(true);
          return;
        }
        if (sum === GAVE_UP) {
          expect(into.at).toBe(0);
          encodePage(into, 7, image);
        }
        const frame = decodeOne(into);
        expect(frame).toMatchObject({ pageNumber: 7 });
        if (frame.kind === "delta") {
          expect(frame.baseLsn).toBe(900);
          expect(frame.sum).toBe(sum);
          const named = { baseLsn: lsn(900), base, baseSum: pageSum(base), image };
          expect(encodeDelta(buffer(), 7, named)).toBe(sum);
          expect(Buffer.from(frame.apply(base)).equals(image)).toBe(true);
        } else if (frame.kind === "page") {
          expect(Buffer.from(frame.image).equals(image)).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });

  test("a delta that is put on another page is corruption, never a guess", () => {
    const base = page(4096, 1);
    const image = edited(base, [{ at: 100, bytes: new Uint8Array(20) }]);
    const into = buffer();
    expect(encodeDelta(into, 2, { baseLsn: lsn(5), base, image })).toBe(pageSum(image));
    const frame = decodeOne(into);
    for (let at = 0; at < 4096; at += 7) {
      if (at >= 100 && at < 120) continue;
      const other = base.slice();
      other[at] = (other[at] ?? 0) ^ 0x80;
      const apply = () => (frame.kind === "delta" ? frame.apply(other) : undefined);
      expect(apply).toThrowError(/not of this base/);
    }
  });

  test("a small change of a 4 KiB page costs less than 40 bytes besides what changed", () => {
    const base = page(4096, 3);
    const image = base.slice();
    for (const at of [24, 100, 3000]) image.set([1, 2, 3, 4, 5, 6, 7, 8], at);
    const into = buffer();
    const change = { baseLsn: lsn(BATCH_LSN - 50_000_000 < 0 ? 0 : 1), base, image };
    expect(encodeDelta(into, 12_345, change)).toBe(pageSum(image));
    expect(into.at).toBeLessThan(3 * 8 + 40);
  });

  test("a page that changed by more than half is logged whole, and nothing of the try is left", () => {
    const base = page(4096, 4);
    const image = page(4096, 5);
    const into = buffer();
    expect(encodeDelta(into, 1, { baseLsn: lsn(5), base, image })).toBe(GAVE_UP);
    expect(into.at).toBe(0);
    expect(encodeRanges(into, base, image)).toBe(GAVE_UP);
  });

  test("pages of different sizes have no delta", () => {
    const change = { baseLsn: lsn(5), base: page(512, 1), image: page(1024, 1) };
    expect(encodeDelta(buffer(), 1, change)).toBe(GAVE_UP);
  });

  test("a page that is mostly zeros is logged by what is not zero", () => {
    const image = new Uint8Array(4096);
    image.set([9, 9, 9], 4000);
    const into = buffer();
    encodePage(into, 1, image);
    expect(into.at).toBeLessThan(20);
    const frame = decodeOne(into);
    expect(frame.kind === "page" && Buffer.from(frame.image).equals(image)).toBe(true);
  });

  test("what encoding adds to the base's sum makes the page's, and any one byte changes it", () => {
    const base = page(512, 6);
    const image = edited(base, [{ at: 40, bytes: new Uint8Array([1, 2, 3]) }]);
    const sum = (pageSum(base) + encodeRanges(buffer(), base, image)) >>> 0;
    expect(sum).toBe(pageSum(image));
    for (let at = 0; at < 512; at++) {
      const other = image.slice();
      other[at] = (other[at] ?? 0) ^ 1;
      expect(pageSum(other)).not.toBe(sum);
    }
  });

  test("bytes that are no frame are corruption with a place, whatever they are", () => {
    const base = page(512, 1);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 5 }),
        (bytes, kind) => {
          if (bytes.length > 0) bytes[0] = kind;
          const reader = new FrameReader(bytes, { file: "segment", offset: 4096 });
          try {
            while (!reader.done) {
              const decoded = decodeFrame(reader, BATCH_LSN + reader.at);
              if (decoded.type === "change" && decoded.change.kind === "delta") {
                decoded.change.apply(base);
              }
            }
          } catch (error) {
            if (!isStorageError(error, "BOP_CORRUPT")) throw error;
            expect(error.details.offset).toBeGreaterThanOrEqual(4096);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

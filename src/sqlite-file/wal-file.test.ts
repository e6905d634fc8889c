import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WAL_FILE_HEADER, WAL_FRAME_HEADER, WalFileScan } from "./wal-file.ts";

const GOLDEN = readFileSync("test/fixtures/sqlite-file/wal.sqlite-wal");
const FRAME_BYTES = WAL_FRAME_HEADER.sizeBytes + 512;

describe("wal file", () => {
  test("every frame of a file that SQLite wrote is taken, up to the last commit", () => {
    const scan = scanAll(GOLDEN);
    expect(scan?.pageCount).toBe(9);
    expect(scan?.committedEndAt).toBe(GOLDEN.length);
  });

  test("a file cut anywhere ends at the last whole commit before the cut", () => {
    const ends = commitEnds(GOLDEN);
    expect(ends.length).toBe(3);
    for (let bytes = WAL_FILE_HEADER.sizeBytes; bytes < GOLDEN.length; bytes += 7) {
      const scan = scanAll(GOLDEN.subarray(0, bytes));
      const before = ends.filter((end) => end <= bytes);
      expect(scan?.committedEndAt).toBe(before.at(-1) ?? WAL_FILE_HEADER.sizeBytes);
      expect(scan?.pageCount === undefined).toBe(before.length === 0);
    }
  });

  test("a flipped bit ends the file at the commit before it", () => {
    const ends = commitEnds(GOLDEN);
    fc.assert(
      fc.property(fc.nat(GOLDEN.length - 1), fc.nat(7), (at, bit) => {
        const bytes = Buffer.from(GOLDEN);
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
        const scan = scanAll(bytes);
        if (at < WAL_FILE_HEADER.sizeBytes) {
          expect(scan).toBeUndefined();
          return;
        }
        const intact = ends.filter((end) => end <= at).at(-1) ?? WAL_FILE_HEADER.sizeBytes;
        expect(scan?.committedEndAt).toBe(intact);
      }),
    );
  });

  test("frames left over from before a restart of the file do not count", () => {
    const [first = 0] = commitEnds(GOLDEN);
    const bytes = Buffer.from(GOLDEN);
    bytes.writeUInt32BE(0xdead, first + WAL_FRAME_HEADER.offset.frameSalt1);
    expect(scanAll(bytes)?.committedEndAt).toBe(first);
  });

  test("a file of a big-endian machine reads the same", () => {
    const scan = scanAll(asBigEndian(GOLDEN));
    expect(scan?.committedEndAt).toBe(GOLDEN.length);
    expect(scan?.images).toEqual(scanAll(GOLDEN)?.images);
  });

  test("random bytes are a file without frames", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        expect(scanAll(bytes)).toBeUndefined();
      }),
    );
  });
});

function scanAll(bytes: Uint8Array): WalFileScan | undefined {
  const scan = WalFileScan.open(bytes);
  if (scan === undefined) return undefined;
  for (let at = WAL_FILE_HEADER.sizeBytes; at + scan.frameBytes <= bytes.length; ) {
    if (!scan.take(bytes.subarray(at, at + scan.frameBytes))) break;
    at += scan.frameBytes;
  }
  return scan;
}

/** Offsets behind each commit frame, read without the code under test. */
function commitEnds(bytes: Buffer): number[] {
  const ends: number[] = [];
  for (let at = WAL_FILE_HEADER.sizeBytes; at < bytes.length; at += FRAME_BYTES) {
    if (bytes.readUInt32BE(at + 4) > 0) ends.push(at + FRAME_BYTES);
  }
  return ends;
}

/** The same file with the checksums that a big-endian machine would have written. */
function asBigEndian(golden: Buffer): Buffer {
  const bytes = Buffer.from(golden);
  bytes.writeUInt32BE(0x377f0683, 0);
  let sums = bigEndianSums([0, 0], bytes.subarray(0, 24));
  bytes.writeUInt32BE(sums[0], 24);
  bytes.writeUInt32BE(sums[1], 28);
  for (let at = WAL_FILE_HEADER.sizeBytes; at < bytes.length; at += FRAME_BYTES) {
    sums = bigEndianSums(sums, bytes.subarray(at, at + 8));
    sums = bigEndianSums(sums, bytes.subarray(at + 24, at + FRAME_BYTES));
    bytes.writeUInt32BE(sums[0], at + 16);
    bytes.writeUInt32BE(sums[1], at + 20);
  }
  return bytes;
}

function bigEndianSums(from: [number, number], bytes: Buffer): [number, number] {
  const MODULUS = 2n ** 32n;
  let [one, two] = from.map(BigInt) as [bigint, bigint];
  for (let at = 0; at < bytes.length; at += 8) {
    one = (one + BigInt(bytes.readUInt32BE(at)) + two) % MODULUS;
    two = (two + BigInt(bytes.readUInt32BE(at + 4)) + one) % MODULUS;
  }
  return [Number(one), Number(two)];
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeTrailer, encodeTrailer, OBJECT_TRAILER } from "./object-file.ts";

const TRAILER = {
  putId: "000102030405060708090a0b0c0d0e0f",
  sha256: "f0e1".repeat(16),
  sizeBytes: 0x123456789,
};
const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((all) => Buffer.from(all).toString("hex"));
const LENGTH = OBJECT_TRAILER.sizeBytes;

describe("the trailer of an object's file", () => {
  test("is these bytes, for ever", () => {
    expect(Buffer.from(encodeTrailer(TRAILER)).toString("hex")).toMatchInlineSnapshot(
      `"000102030405060708090a0b0c0d0e0ff0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e1f0e18967452301000000010000002f229528424f504f424a4354"`,
    );
  });

  test("is read back as it was written", () => {
    const trailers = fc.record({
      putId: hex(16),
      sha256: hex(32),
      sizeBytes: fc.nat({ max: Number.MAX_SAFE_INTEGER - LENGTH }),
    });
    fc.assert(
      fc.property(trailers, (trailer) => {
        const decoded = decodeTrailer(encodeTrailer(trailer), trailer.sizeBytes + LENGTH);
        expect(decoded).toEqual({ type: "trailer", trailer });
      }),
    );
  });

  test("with any bit flipped, or at the end of a file of another length, is refused", () => {
    const bytes = encodeTrailer(TRAILER);
    for (let bit = 0; bit < LENGTH * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeTrailer(flipped, TRAILER.sizeBytes + LENGTH).type, `bit ${bit}`).toBe("bad");
    }
    expect(decodeTrailer(bytes, TRAILER.sizeBytes + LENGTH + 1).type).toBe("bad");
  });

  test("of anything else is refused, and reading it never throws", () => {
    const any = fc.uint8Array({ minLength: 0, maxLength: LENGTH + 8 });
    fc.assert(fc.property(any, (bytes) => decodeTrailer(bytes, bytes.length).type === "bad"));
  });
});

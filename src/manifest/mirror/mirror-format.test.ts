import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeMirrorEntry,
  decodeMirrorHeader,
  encodeMirrorEntry,
  encodeMirrorHeader,
  MIRROR_CLOSED_BYTES,
  MIRROR_HEADER,
  type MirrorEntry,
} from "./mirror-format.ts";

const NONCE = Uint8Array.from({ length: 16 }, (_, index) => index);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytes = (...values: number[]) => Uint8Array.from(values);

const key = fc.uint8Array({ minLength: 1, maxLength: 20 });
const entries: fc.Arbitrary<MirrorEntry> = fc.oneof(
  fc.record({
    kind: fc.constant("rows" as const),
    operations: fc.array(
      fc.oneof(fc.record({ key }), fc.record({ key, value: fc.uint8Array({ maxLength: 60 }) })),
      { maxLength: 8 },
    ),
  }),
  fc.constant({ kind: "whole" as const }),
  fc.record({ kind: fc.constant("padding" as const), bytes: fc.nat({ max: 100 }) }),
  fc.record({
    kind: fc.constant("closed" as const),
    stateCrc: fc.nat(),
    baseBytes: fc.maxSafeNat(),
  }),
);

describe("the bytes of a mirror", () => {
  test("are these, for ever", () => {
    expect(hex(encodeMirrorHeader(NONCE))).toBe(
      "424f504d01000000000102030405060708090a0b0c0d0e0f9d067757",
    );
    const rows: MirrorEntry = {
      kind: "rows",
      operations: [{ key: bytes(2, 0), value: bytes(7, 8, 9) }, { key: bytes(3) }],
    };
    expect(hex(encodeMirrorEntry(rows, { nonce: NONCE, offset: 28 }))).toBe(
      "1000000001000000ae501b5b01020002000300000007080902010003",
    );
    const closed: MirrorEntry = { kind: "closed", stateCrc: 0xcafe, baseBytes: 4096 };
    expect(hex(encodeMirrorEntry(closed, { nonce: NONCE, offset: 50 }))).toBe(
      "0c00000003000000c6546bfafeca00000010000000000000",
    );
    const padding = encodeMirrorEntry({ kind: "padding", bytes: 4 }, { nonce: NONCE, offset: 50 });
    expect(hex(padding)).toBe("04000000040000004b234b6000000000");
    expect(MIRROR_CLOSED_BYTES).toBe(24);
  });

  test("an entry comes back as it was written, and only in its place", () => {
    fc.assert(
      fc.property(entries, fc.nat({ max: 1e9 }), (entry, offset) => {
        const written = encodeMirrorEntry(entry, { nonce: NONCE, offset });
        expect(decodeMirrorEntry(written, { nonce: NONCE, offset })).toEqual(entry);
        expect(decodeMirrorEntry(written, { nonce: NONCE, offset: offset + 1 })).toBeUndefined();
        const nonce = NONCE.toReversed();
        expect(decodeMirrorEntry(written, { nonce, offset })).toBeUndefined();
      }),
    );
  });

  // evidence: G4
  test("with any bit flipped an entry or a header is no entry and no header", () => {
    fc.assert(
      fc.property(entries, fc.nat(), (entry, flip) => {
        const place = { nonce: NONCE, offset: 28 };
        const written = encodeMirrorEntry(entry, place);
        const bit = flip % (8 * written.length);
        written[bit >> 3] = (written[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(decodeMirrorEntry(written, place)).toBeUndefined();
      }),
    );
    for (let bit = 0; bit < 8 * MIRROR_HEADER.sizeBytes; bit++) {
      const header = encodeMirrorHeader(NONCE);
      header[bit >> 3] = (header[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeMirrorHeader(header)).toBeUndefined();
    }
  });

  test("that are anything at all give an answer", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (random, keepLength) => {
        if (keepLength && random.length >= 12) {
          new DataView(random.buffer).setUint32(0, random.length - 12, true);
        }
        expect(decodeMirrorEntry(random, { nonce: NONCE, offset: 0 })).toBeUndefined();
        expect(decodeMirrorHeader(random)).toBeUndefined();
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMetadata, encodeMetadata } from "./metadata.ts";

const NOTHING = { putId: undefined, sha256: undefined };
const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((all) => Buffer.from(all).toString("hex"));

describe("metadata of an object", () => {
  test("is these two words, for ever", () => {
    const encoded = encodeMetadata({ putId: "0a".repeat(16), sha256: "f1".repeat(32) });
    expect(encoded).toEqual({ "bop-put-id": "0a".repeat(16), "bop-sha256": "f1".repeat(32) });
  });

  test("is read back as it was written, however a service writes the names", () => {
    fc.assert(
      fc.property(hex(16), hex(32), fc.boolean(), (putId, sha256, shouts) => {
        const encoded = Object.entries(encodeMetadata({ putId, sha256 }));
        const served = encoded.map(([name, value]) => [shouts ? name.toUpperCase() : name, value]);
        expect(decodeMetadata(Object.fromEntries(served))).toEqual({ putId, sha256 });
      }),
    );
  });

  test("of anything else is as good as none, and reading it never throws", () => {
    const names = fc.oneof(fc.string(), fc.constantFrom("bop-put-id", "bop-sha256", "__proto__"));
    const values = fc.oneof(fc.string(), hex(15), hex(17), hex(31), hex(33));
    fc.assert(
      fc.property(fc.dictionary(names, values), (served) => {
        expect(decodeMetadata(served)).toEqual(NOTHING);
      }),
    );
    expect(decodeMetadata(undefined)).toEqual(NOTHING);
  });
});

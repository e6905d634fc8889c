import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BucketKey, bucketKey, epochPrefix, PREFIXES, parseKey } from "./keys.ts";
import { isKey } from "./object-key.ts";

const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((all) => Buffer.from(all).toString("hex"));
const natural = fc.maxSafeNat();
const keys: fc.Arbitrary<BucketKey> = fc.oneof(
  fc.constant({ kind: "store" as const }),
  fc.record({ kind: fc.constant("epoch" as const), epoch: natural }),
  fc.record({ kind: fc.constantFrom("manifest", "wal"), epoch: natural, number: natural }),
  fc.record({ kind: fc.constant("chunk" as const), id: natural, epoch: natural }),
  fc.record({ kind: fc.constant("probe" as const), nonce: hex(16) }),
);

describe("keys of a bucket", () => {
  test("are these, for ever", () => {
    const nonce = "0123456789abcdef".repeat(2);
    const made = [
      { kind: "store" },
      { kind: "epoch", epoch: 7 },
      { kind: "manifest", epoch: 7, number: 12 },
      { kind: "wal", epoch: 7, number: Number.MAX_SAFE_INTEGER },
      { kind: "chunk", id: 0x1234abcd, epoch: 7 },
      { kind: "probe", nonce },
    ] as const;
    expect(made.map((key) => bucketKey(key))).toEqual([
      "store.json",
      "epoch/00000000000000000007",
      "manifest/00000000000000000007/00000000000000000012",
      "wal/00000000000000000007/00009007199254740991",
      "chunks/cd/000000001234abcd-00000000000000000007",
      `probe/${nonce}`,
    ]);
    expect(epochPrefix({ kind: "wal", epoch: 3 })).toBe("wal/00000000000000000003/");
  });

  test("are read back as they were made, and fit the grammar of every store", () => {
    fc.assert(
      fc.property(keys, (key) => {
        const text = bucketKey(key);
        expect(parseKey(text)).toEqual(key);
        expect(isKey(text)).toBe(true);
      }),
    );
  });

  test("sort as their numbers count", () => {
    fc.assert(
      fc.property(natural, natural, natural, (epoch, a, b) => {
        const [one, two] = [a, b].map((number) => bucketKey({ kind: "wal", epoch, number }));
        expect((one ?? "") < (two ?? "")).toBe(a < b);
      }),
    );
  });

  test("of any other form are nobody's, and reading them never throws", () => {
    const near = fc
      .tuple(keys, fc.nat(60), fc.string({ minLength: 0, maxLength: 2 }))
      .map(([key, at, text]) => {
        const made = bucketKey(key);
        return made.slice(0, at) + text + made.slice(at + 1);
      });
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ maxLength: 30 })), (text) => {
        const parsed = parseKey(text);
        if (parsed !== undefined) expect(bucketKey(parsed)).toBe(text);
      }),
      { numRuns: 1000 },
    );
    const others = [
      "epoch/7",
      "epoch/00009007199254740992",
      "wal/00000000000000000001/00000000000000000001/x",
      "chunks/00/000000001234abcd-00000000000000000007",
      "chunks/cd/000000001234ABCD-00000000000000000007",
      `probe/${"0".repeat(31)}`,
      `${PREFIXES.epoch}`,
    ];
    for (const text of others) expect(parseKey(text), text).toBeUndefined();
  });
});

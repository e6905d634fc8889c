import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { seeded } from "../io/index.ts";
import {
  decodeFileHeader,
  encodeFileHeader,
  FILE_HEADER,
  type FileHeader,
  type FileKind,
} from "./index.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => 100 + index);
const KINDS: readonly FileKind[] = ["segment", "pages", "records"];

const HEADER: FileHeader = {
  kind: "records",
  codec: "none",
  storeId: STORE_ID,
  pageBytes: 1,
  bodyOffset: 2,
  epoch: 3,
  sequence: 4,
  generation: 5,
  firstLsn: 6,
  lastLsn: 7,
  durableLsn: 8,
  createdMs: 9,
  itemCount: 10,
  streamCount: 11,
  directoryOffset: 2 ** 40 + 12,
  directoryBytes: 13,
};

/** The header with a byte changed and its checksum right again. */
function resealed(change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = encodeFileHeader(HEADER);
  change(bytes);
  const { checksum } = FILE_HEADER.offset;
  new DataView(bytes.buffer).setUint32(checksum, crc32(bytes.subarray(0, checksum)), true);
  return bytes;
}

describe("the header of a file", () => {
  test("has the table of the code in its comment, so that neither can drift", () => {
    const source = readFileSync(new URL("./file-header.ts", import.meta.url), "utf8");
    const rows = FILE_HEADER.table.split("\n").map((row) => ` *   ${row}`);
    expect(source).toContain(rows.join("\n"));
  });

  test("has these bytes, since files of this version must stay readable", () => {
    expect(Buffer.from(encodeFileHeader(HEADER)).toString("hex")).toMatchInlineSnapshot(
      `"424f50430100030001000000020000006465666768696a6b6c6d6e6f7071727303000000000000000400000000000000050000000000000006000000000000000700000000000000080000000000000009000000000000000a0000000b0000000c000000000100000d00000000000000000000000000000000000000271e5121"`,
    );
  });

  test("gives back what was written, for every kind and any numbers", () => {
    const random = seeded(1);
    for (let round = 0; round < 300; round += 1) {
      const long = () => random.below(2 ** 26) * 2 ** random.below(27);
      const short = () => random.below(2 ** 16) * 2 ** random.below(17);
      const header: FileHeader = {
        kind: KINDS[random.below(KINDS.length)] ?? "pages",
        codec: "none",
        storeId: random.bytes(16),
        pageBytes: short(),
        bodyOffset: short(),
        epoch: long(),
        sequence: long(),
        generation: long(),
        firstLsn: long(),
        lastLsn: long(),
        durableLsn: long(),
        createdMs: long(),
        itemCount: short(),
        streamCount: short(),
        directoryOffset: long(),
        directoryBytes: short(),
      };
      expect(decodeFileHeader(encodeFileHeader(header))).toEqual({ type: "header", header });
    }
  });

  test("with any bit flipped is refused, never misread", () => {
    const whole = encodeFileHeader(HEADER);
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const bytes = whole.slice();
      bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeFileHeader(bytes).type, `bit ${bit}`).toBe("bad");
    }
  });

  test("of a newer version is called newer, with what was found and what is read", () => {
    const bytes = resealed((header) => header.set([2, 1], FILE_HEADER.offset.version));
    expect(decodeFileHeader(bytes)).toEqual({
      type: "newer",
      found: "version 258",
      supported: "version 1",
    });
  });

  test("of a kind, codec or number that nobody writes is refused though its checksum is right", () => {
    const { offset } = FILE_HEADER;
    const cases: readonly [number, RegExp][] = [
      [offset.kind, /kind 255/],
      [offset.reserved, /reserved/],
      [offset.epoch + 7, /2\^53/],
      [offset.directoryOffset + 6, /2\^53/],
    ];
    for (const [at, why] of cases) {
      const answer = decodeFileHeader(resealed((header) => header.set([255], at)));
      expect(answer.type === "bad" ? answer.why : answer.type, `byte ${at}`).toMatch(why);
    }
  });

  test("with a codec of later versions is newer, and with one on what has no pages it is damage", () => {
    const withCodec = (codec: number, kind: number) =>
      decodeFileHeader(
        resealed((header) => {
          header.set([kind], FILE_HEADER.offset.kind);
          header.set([codec], FILE_HEADER.offset.codec);
        }),
      );
    expect(withCodec(2, 2)).toEqual({ type: "newer", found: "codec 2", supported: "codec 1" });
    expect(withCodec(1, 2)).toMatchObject({ type: "header", header: { codec: "deflate" } });
    for (const kind of [1, 3, 4]) expect(withCodec(1, kind).type, `kind ${kind}`).toBe("bad");
  });

  test("of zeros is told apart from damage, and one cut short is damage", () => {
    expect(decodeFileHeader(new Uint8Array(200))).toEqual({ type: "zero" });
    expect(decodeFileHeader(encodeFileHeader(HEADER).subarray(0, 127)).type).toBe("bad");
  });
});

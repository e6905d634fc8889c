import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { chunkId, lsn } from "../base/units.ts";
import { seeded } from "../io/index.ts";
import { decodeRecordChunk, FILE_HEADER, RecordChunkEncoder } from "./index.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => 100 + index);

interface Block {
  readonly stream: number;
  readonly firstIndex: bigint;
  readonly entryCount: number;
  readonly lsn: ReturnType<typeof lsn>;
  readonly body: Uint8Array;
}

const block = (stream: number, firstIndex: bigint, fill: number): Block => {
  const body = new Uint8Array(40).fill(fill);
  return { stream, firstIndex, entryCount: 3, lsn: lsn(1000 + fill), body };
};

function encode(blocks: readonly Block[]): Uint8Array {
  const encoder = new RecordChunkEncoder({ chunk: chunkId(7), generation: 3, storeId: STORE_ID });
  const parts = blocks.map((each) => encoder.add(each));
  const { header, end } = encoder.finish();
  return new Uint8Array(Buffer.concat([header, ...parts, end]));
}

const BLOCKS = [block(1, 5n, 1), block(9, 2n ** 63n, 2), block(1, 8n, 3)];

describe("a record chunk", () => {
  test("gives back every block that was put in, of many logs and any index", () => {
    const found = decodeRecordChunk(encode(BLOCKS));
    if (typeof found === "string") throw new Error(found);
    expect(found.blocks).toEqual(BLOCKS);
    expect(found.header).toMatchObject({ chunk: 7, storeId: STORE_ID, blockCount: 3 });
  });

  test("lies on the disk as it always did", () => {
    expect(createHash("sha256").update(encode(BLOCKS)).digest("hex")).toMatchInlineSnapshot(
      `"7faed713255eda6c73642cea16b36272c31a336a2658ec7aee57d404e2ca3017"`,
    );
  });

  test("with any byte changed is refused, never misread", () => {
    const whole = encode(BLOCKS);
    const random = seeded(9);
    for (let at = 0; at < whole.length; at++) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] ?? 0) ^ (1 + random.below(255));
      expect(typeof decodeRecordChunk(bytes), `byte ${at}`).toBe("string");
    }
  });

  test("cut short anywhere is refused, never read past its end", () => {
    const whole = encode(BLOCKS);
    for (let length = 0; length < whole.length; length++) {
      expect(typeof decodeRecordChunk(whole.subarray(0, length)), `${length} bytes`).toBe("string");
    }
  });

  test("whose blocks of one log go back is refused", () => {
    expect(decodeRecordChunk(encode([block(1, 8n, 1), block(1, 5n, 2)]))).toBe(
      "entries out of order",
    );
  });

  test("that is anything at all is refused without a crash, even with checksums that are right", () => {
    const whole = encode(BLOCKS);
    const random = seeded(11);
    for (let round = 0; round < 2000; round++) {
      const bytes = whole.slice();
      for (let change = 0; change <= random.below(6); change++) {
        bytes.set(random.bytes(4), 4 * random.below(Math.floor(bytes.length / 4)));
      }
      const view = new DataView(bytes.buffer);
      const { checksum } = FILE_HEADER.offset;
      bytes.set(whole.subarray(0, 8));
      view.setUint32(checksum, crc32(bytes.subarray(0, checksum)), true);
      view.setUint32(bytes.length - 4, crc32(bytes.subarray(bytes.length - 32, -4)), true);
      const answer = decodeRecordChunk(bytes);
      if (typeof answer !== "string") expect(answer.blocks).toEqual(BLOCKS);
    }
  });
});

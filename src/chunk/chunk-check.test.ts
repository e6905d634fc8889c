/** The check of a chunk in pieces, against the decoder that looks at all of it at once. */
import { describe, expect, test } from "vitest";
import { chunkId, lsn } from "../base/units.ts";
import { seeded } from "../io/index.ts";
import {
  ChunkEncoder,
  checkChunk,
  decodeChunk,
  decodeRecordChunk,
  type ImageCodec,
  RecordChunkEncoder,
} from "./index.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => 100 + index);
const EXPECTED = { storeId: STORE_ID, chunk: chunkId(7) };
const START = { ...EXPECTED, generation: 3 };

function pageChunk(codec: ImageCodec): Uint8Array {
  const encoder = new ChunkEncoder({ ...START, codec }, new Uint8Array(8192));
  for (let page = 1; page <= 6; page++) {
    const image = new Uint8Array(512).fill(page);
    encoder.add({ stream: 1 + (page % 2), pageNumber: page, lsn: lsn(1000 + page), image });
  }
  const body = encoder.pending().bytes.slice();
  encoder.drained();
  const { header, end } = encoder.finish();
  const whole = new Uint8Array(Buffer.concat([body, end]));
  whole.set(header, 0);
  return whole;
}

function recordChunk(): Uint8Array {
  const encoder = new RecordChunkEncoder(START);
  const parts = [1, 2, 3].map((fill) => {
    const body = new Uint8Array(40).fill(fill);
    return encoder.add({
      stream: fill,
      firstIndex: 5n,
      entryCount: 3,
      lsn: lsn(1000 + fill),
      body,
    });
  });
  const { header, end } = encoder.finish();
  return new Uint8Array(Buffer.concat([header, ...parts, end]));
}

function checked(bytes: Uint8Array, expected = EXPECTED) {
  const pieces = checkChunk(bytes, expected);
  for (let count = 0; ; count++) {
    const piece = pieces.next();
    if (piece.done === true) return { why: piece.value, pieces: count };
  }
}

describe.each([
  { name: "pages", bytes: pageChunk("none"), decode: decodeChunk, pieces: 6 },
  { name: "packed pages", bytes: pageChunk("deflate"), decode: decodeChunk, pieces: 6 },
  { name: "records", bytes: recordChunk(), decode: decodeRecordChunk, pieces: 3 },
])("a chunk of $name", ({ bytes, decode, pieces }) => {
  test("that is as it was written passes, a piece for each of its parts", () => {
    expect(checked(bytes)).toEqual({ why: undefined, pieces });
    expect(typeof decode(bytes)).toBe("object");
  });

  // evidence: G32
  test("with any byte changed, or cut short anywhere, does not pass", () => {
    const random = seeded(5);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 + random.below(255));
      expect(typeof checked(changed).why, `byte ${at}`).toBe("string");
      expect(typeof checked(bytes.subarray(0, at)).why, `cut at ${at}`).toBe("string");
    }
  });

  test("of another store, or in the place of another, does not pass", () => {
    const other = { ...EXPECTED, storeId: new Uint8Array(16) };
    expect(checked(bytes, other).why).toBe("it belongs to another store");
    expect(checked(bytes, { ...EXPECTED, chunk: chunkId(8) }).why).toMatch(/lies in its place/);
  });
});

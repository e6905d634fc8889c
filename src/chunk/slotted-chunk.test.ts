import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { chunkId, lsn } from "../base/units.ts";
import { seeded } from "../io/index.ts";
import { decodeChunk } from "./chunk-decoder.ts";
import { ChunkEncoder } from "./chunk-encoder.ts";
import { decodeHeader } from "./chunk-header.ts";
import { recordBytes } from "./page-record.ts";
import { SlottedChunk, slotOffset, slotsIn } from "./slotted-chunk.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index);
const START = { chunk: chunkId(9), generation: 3, storeId: STORE_ID };
const PAGE_BYTES = 512;
const SHAPE = { stream: 4, lsn: lsn(77), pageBytes: PAGE_BYTES, slotsMax: 6 };

/** The file of pages that are written in this order, some of them again. */
function fileOf(writes: readonly (readonly [page: number, image: Uint8Array])[]): Uint8Array {
  const chunk = new SlottedChunk(START, SHAPE);
  const file = new Uint8Array(slotOffset(SHAPE.slotsMax, PAGE_BYTES) + 1000);
  const slots = new Map<number, number>();
  for (const [page, image] of writes) {
    const slot = slots.get(page) ?? chunk.add(page);
    slots.set(page, slot);
    chunk.encode(file.subarray(slotOffset(slot, PAGE_BYTES)), slot, image);
  }
  const { header, end, endAt } = chunk.finish();
  file.set(header);
  file.set(end, endAt);
  return file.subarray(0, endAt + end.length);
}

const filled = (fill: number) => new Uint8Array(PAGE_BYTES).fill(fill);

describe("a slotted chunk", () => {
  test("is a page chunk like any other, with what was written last", () => {
    const whole = decodeChunk(
      fileOf([
        [5, filled(1)],
        [2, filled(2)],
        [5, filled(3)],
        [9, filled(4)],
      ]),
    );
    if (typeof whole === "string") return expect.unreachable(whole);
    const found = whole.entries.map((entry) => [entry.pageNumber, whole.image(entry)[0]]);
    expect(found).toEqual([
      [5, 3],
      [2, 2],
      [9, 4],
    ]);
    expect(whole.entries.every((entry) => entry.stream === 4 && entry.lsn === 77)).toBe(true);
  });

  test("differs from one that a checkpoint wrote in its header alone", () => {
    const pages = [[1, filled(7)] as const, [2, seeded(1).bytes(PAGE_BYTES)] as const];
    const slotted = fileOf(pages);
    const encoder = new ChunkEncoder(START, new Uint8Array(4096));
    for (const [pageNumber, image] of pages) {
      encoder.add({ stream: 4, pageNumber, lsn: lsn(77), image });
    }
    const { bytes } = encoder.pending();
    const records = bytes.slice(128);
    encoder.drained();
    const { end, endAt } = encoder.finish();
    expect(Buffer.compare(slotted.subarray(128, endAt), records)).toBe(0);
    expect(Buffer.compare(slotted.subarray(endAt), end)).toBe(0);
    const answer = decodeHeader(slotted);
    expect(answer).toMatchObject({ type: "header", header: { spilled: true, pageCount: 2 } });
  });

  test("has the bytes that it always had", () => {
    const bytes = fileOf([
      [1, filled(1)],
      [2, filled(2)],
    ]);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(
      "f5f94966e3ca6bf2a16c3e5cb70805da1089b84bab935417b168a349fb4b5b4e",
    );
    expect(bytes[6]).toBe(4);
  });

  test.each([512, 4096, 65_536])(
    "of pages of %i bytes fills its file and not more",
    (pageBytes) => {
      for (const bytesMax of [100_000, 1 << 20, 64 << 20]) {
        const slots = slotsIn(bytesMax, pageBytes);
        const bytes = (count: number) => slotOffset(count, pageBytes) + count * 32 + 32;
        expect(bytes(slots)).toBeLessThanOrEqual(bytesMax);
        expect(bytes(slots + 1)).toBeGreaterThan(bytesMax);
        expect(slotOffset(1, pageBytes) - slotOffset(0, pageBytes)).toBe(recordBytes(pageBytes));
      }
    },
  );
});

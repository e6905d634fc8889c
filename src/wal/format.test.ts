import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { LSN_ZERO, lsn, pageNumber, streamId } from "../base/units.ts";
import { BATCH_HEADER, readBatchHeader, readPayload } from "./batch.ts";
import { LogCore } from "./core.ts";
import { plainMemory } from "./memory.fixture.ts";
import {
  BLOCK_BYTES,
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER,
  segmentFileName,
  sequenceInName,
} from "./segment.ts";
import { moveSegment } from "./segment-state.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, i) => i);
const HEADER = { storeId: STORE_ID, sequence: 2, firstLsn: 8192, durableLsn: 8192, createdMs: 99 };

const source = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8");
const commented = (table: string) =>
  table
    .split("\n")
    .map((row) => ` *   ${row}`)
    .join("\n");

function batch(): Uint8Array {
  const start = { storeId: STORE_ID, lsn: lsn(8192), bufferBytes: 131072, wallMs: 0 };
  const log = new LogCore({ ...start, memory: plainMemory() });
  const base = new Uint8Array(512);
  const image = base.slice();
  image.set([0xaa, 0xbb], 100);
  log.begin(streamId(300));
  log.page(pageNumber(1), image);
  log.delta(pageNumber(2), { baseLsn: LSN_ZERO, base, image });
  log.seal({ pageCount: 2, pageBytes: 512 });
  return log.startWrite({ sequence: 2, wallMs: 1_700_000_000_000 }).bytes.slice();
}

const golden = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("formats of the log", () => {
  test("the tables in the comments are those of the code, so that neither can drift", () => {
    expect(source("./batch.ts")).toContain(commented(BATCH_HEADER.table));
    expect(source("../chunk/file-header.ts")).toContain(commented(SEGMENT_HEADER.table));
  });

  test("a batch has these bytes, since files of this version must stay readable", () => {
    const bytes = batch();
    const payloadBytes = readBatchHeader(bytes, HEADER)?.payloadBytes ?? 0;
    expect(bytes).toHaveLength(BLOCK_BYTES);
    expect(golden(bytes.subarray(0, BATCH_HEADER.sizeBytes))).toMatchInlineSnapshot(
      `"424f504201000000220000006ddd59b50200000000000000002000000000000000200000000000000068e5cf8b0100000595834c"`,
    );
    const end = BATCH_HEADER.sizeBytes + payloadBytes;
    expect(golden(bytes.subarray(BATCH_HEADER.sizeBytes, end))).toMatchInlineSnapshot(
      `"0201800404006402aabb0302be408af732db04006402aabb05ac0202180280040001"`,
    );
    expect(bytes.subarray(end).every((byte) => byte === 0)).toBe(true);
  });

  test("a segment header has these bytes, and comes back as it was written", () => {
    const block = encodeSegmentHeader(HEADER);
    expect(block).toHaveLength(BLOCK_BYTES);
    expect(golden(block.subarray(0, SEGMENT_HEADER.sizeBytes))).toMatchInlineSnapshot(
      `"424f5043010001000010000000100000000102030405060708090a0b0c0d0e0f00000000000000000200000000000000000000000000000000200000000000000000000000000000002000000000000063000000000000000000000000000000000000000000000000000000000000000000000000000000000000009d3336c3"`,
    );
    expect(decodeSegmentHeader(block)).toEqual({ type: "header", header: HEADER });
    const more = { ...HEADER, epoch: 3 };
    expect(decodeSegmentHeader(encodeSegmentHeader(more))).toEqual({
      type: "header",
      header: more,
    });
  });

  test("a batch of another store, segment or place does not pass", () => {
    const bytes = batch();
    const other = new Uint8Array(16);
    expect(readBatchHeader(bytes, { storeId: STORE_ID, sequence: 2 })).toBeDefined();
    expect(readBatchHeader(bytes, { storeId: other, sequence: 2 })).toBeUndefined();
    expect(readBatchHeader(bytes, { storeId: STORE_ID, sequence: 3 })).toBeUndefined();
    bytes[BATCH_HEADER.offset.startLsn + 1] = 0x30;
    expect(readBatchHeader(bytes, { storeId: STORE_ID, sequence: 2 })).toBeUndefined();
  });

  test("a flipped bit in header or frames of a batch never passes", () => {
    const whole = batch();
    const used = BATCH_HEADER.sizeBytes + (readBatchHeader(whole, HEADER)?.payloadBytes ?? 0);
    for (let bit = 0; bit < used * 8; bit++) {
      const bytes = whole.slice();
      bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      const header = readBatchHeader(bytes, HEADER);
      expect(header && readPayload(bytes, header)).toBeUndefined();
    }
  });

  test("a flipped bit in a segment header makes it damaged, zeros make it a spare", () => {
    const whole = encodeSegmentHeader(HEADER);
    for (let bit = 0; bit < SEGMENT_HEADER.sizeBytes * 8; bit++) {
      const block = whole.slice();
      block[bit >>> 3] = (block[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeSegmentHeader(block).type).toBe("damaged");
    }
    expect(decodeSegmentHeader(new Uint8Array(BLOCK_BYTES)).type).toBe("zero");
    expect(decodeSegmentHeader(new Uint8Array(10)).type).toBe("damaged");
  });

  test("a file is named by its sequence and by nothing else", () => {
    expect(segmentFileName(255)).toBe("00000000000000ff.wal");
    expect(sequenceInName("00000000000000ff.wal")).toBe(255);
    for (const name of ["ff.wal", "00000000000000FF.wal", "00000000000000ff.wal.tmp", "x"]) {
      expect(sequenceInName(name)).toBeUndefined();
    }
    expect(sequenceInName("ffffffffffffffff.wal")).toBeUndefined();
  });

  test("a poisoned segment takes no batches again, and a free one is not sealed", () => {
    const segment = { state: "free" as Parameters<typeof moveSegment>[1] };
    expect(() => moveSegment(segment, "sealed")).toThrowError(/no move/);
    moveSegment(segment, "active");
    moveSegment(segment, "poisoned");
    expect(() => moveSegment(segment, "active")).toThrowError(/no move/);
    moveSegment(segment, "retired");
  });
});

import { describe, expect, test } from "vitest";
import { BATCH_HEADER, batchBytes, stampBatch } from "./batch.ts";
import { encodeCommit, encodeEntry } from "./frame.ts";
import { framesOf, type SegmentItem, segmentItems } from "./inspect.ts";
import { BLOCK_BYTES, encodeSegmentHeader } from "./segment.ts";
import { SegmentIndexBuilder } from "./segment-index.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, i) => i);
const SEGMENT = { storeId: STORE_ID, sequence: 3 };
const FIRST_LSN = 40_960;

function payload(): Uint8Array {
  const into = { bytes: new Uint8Array(256), at: 0 };
  encodeEntry(into, Uint8Array.of(1, 2, 3));
  encodeCommit(into, { stream: 0, frameCount: 1, span: into.at, pageCount: 0, pageBytes: 0 });
  return into.bytes.slice(0, into.at);
}

/** A segment of three batches of a block each, and two blocks behind them. */
function segment(behind: Uint8Array = new Uint8Array(2 * BLOCK_BYTES)): Uint8Array {
  const marks = { firstLsn: FIRST_LSN, durableLsn: FIRST_LSN, createdMs: 1 };
  const frames = payload();
  const batches = [0, 1, 2].map((at) => {
    const bytes = new Uint8Array(batchBytes(frames.length));
    bytes.set(frames, BATCH_HEADER.sizeBytes);
    const startLsn = FIRST_LSN + at * BLOCK_BYTES;
    const stamp = { startLsn, durableLsn: startLsn, wallMs: 1, payloadBytes: frames.length };
    stampBatch(bytes, { ...SEGMENT, ...stamp, copied: false });
    return bytes;
  });
  const header = encodeSegmentHeader({ ...SEGMENT, ...marks });
  return new Uint8Array(Buffer.concat([header, ...batches, behind]));
}

function items(bytes: Uint8Array, hints = {}): SegmentItem[] {
  const view = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  return [...segmentItems({ sizeBytes: bytes.length, view }, hints)];
}

const told = (bytes: Uint8Array, hints = {}) =>
  items(bytes, hints).map((item) => ("offset" in item ? `${item.type} ${item.offset}` : item.type));

describe("a segment taken apart", () => {
  test("tells its header, its batches and the zeros behind them", () => {
    expect(told(segment())).toEqual([
      "header",
      "batch 4096",
      "batch 8192",
      "batch 12288",
      "rest 16384",
    ]);
    expect(items(segment()).at(-1)).toMatchObject({ bytes: 2 * BLOCK_BYTES, isZero: true });
  });

  test("a batch that is not valid is damage if one lies behind it, and torn if none does", () => {
    const middle = segment();
    middle[2 * BLOCK_BYTES + 60] = 255;
    expect(told(middle)).toEqual([
      "header",
      "batch 4096",
      "damage 8192",
      "batch 12288",
      "rest 16384",
    ]);
    const last = segment();
    last[3 * BLOCK_BYTES + 53] = 255;
    expect(told(last)).toEqual(["header", "batch 4096", "batch 8192", "torn 12288", "rest 12288"]);
  });

  test("a damaged header hides nothing from one who knows store and sequence", () => {
    const bytes = segment();
    bytes[20] = 255;
    expect(told(bytes)).toEqual(["no-header"]);
    expect(told(bytes, SEGMENT).slice(1)).toEqual(told(segment()).slice(1));
    expect(told(bytes, { ...SEGMENT, sequence: 4 })).toEqual(["no-header", "rest 4096"]);
  });

  test("the index of a sealed segment is told, and one of another end is no index", () => {
    const builder = new SegmentIndexBuilder(FIRST_LSN);
    builder.add({
      stream: 0,
      firstLsn: FIRST_LSN,
      lsn: FIRST_LSN + 90,
      pageCount: 0,
      pageBytes: 0,
    });
    const endLsn = FIRST_LSN + 3 * BLOCK_BYTES;
    const whole = segment(builder.encode({ ...SEGMENT, endLsn }));
    expect(items(whole).at(-2)).toMatchObject({ type: "index", index: { commits: 1 } });
    const foreign = segment(builder.encode({ ...SEGMENT, endLsn: endLsn + BLOCK_BYTES }));
    expect(items(foreign).at(-1)).toMatchObject({ type: "rest", isZero: false });
  });

  test("frames are listed with their LSNs up to the first that does not parse", () => {
    const { frames, problem } = framesOf(payload(), 1000);
    expect(problem).toBeUndefined();
    expect(frames).toMatchObject([
      { kind: "entry", lsn: 1000, facts: { payloadBytes: 3 } },
      { kind: "commit", lsn: 1005, facts: { stream: 0, frameCount: 1, span: 5 } },
    ]);
    const broken = framesOf(Uint8Array.of(...payload(), 99), 1000);
    expect(broken.frames).toHaveLength(2);
    expect(broken.problem).toMatchObject({
      at: payload().length,
      why: expect.stringMatching(/kind 99/),
    });
  });
});

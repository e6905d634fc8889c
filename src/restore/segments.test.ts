import { describe, expect, test } from "vitest";
import { BLOCK_BYTES, segmentItems } from "../wal/index.ts";
import { SegmentPlanner, type SegmentWrite } from "./segments.ts";

const storeId = new Uint8Array(16).fill(3);
const MIB = 2 ** 20;

function filesOf(writes: Iterable<SegmentWrite>): Map<number, Uint8Array> {
  const files = new Map<number, Uint8Array>();
  for (const { sequence, offset, bytes } of writes) {
    const file = files.get(sequence) ?? new Uint8Array(0);
    expect(offset).toBe(file.length);
    files.set(sequence, Buffer.concat([file, bytes]));
  }
  return files;
}

describe("segments of a log that goes on behind others", () => {
  test("hold batches without frames up to there, and end where the next one begins", () => {
    const segmentBytes = 2 * MIB;
    const planner = new SegmentPlanner({ storeId, segmentBytes }, 5 * BLOCK_BYTES);
    const batch = { startLsn: 5 * BLOCK_BYTES, wallMs: 7, payload: new Uint8Array(9000).fill(1) };
    const toLsn = 8 * BLOCK_BYTES + 4 * MIB;
    const files = filesOf([...planner.add(batch), ...planner.idle(toLsn, 9)]);
    expect(planner.endLsn).toBe(toLsn);
    expect([...files.keys()]).toEqual([1, 2, 3]);
    let endLsn = batch.startLsn;
    for (const [sequence, bytes] of files) {
      expect(bytes.length).toBeLessThanOrEqual(segmentBytes);
      const view = (offset: number, length: number) => bytes.subarray(offset, offset + length);
      const items = [
        ...segmentItems({ sizeBytes: bytes.length, view }, { storeId, sequence }),
      ].filter((item) => item.type === "batch");
      for (const { header, payload } of items) {
        expect(header.startLsn).toBe(endLsn);
        expect(payload.length).toBe(endLsn === batch.startLsn ? 9000 : 0);
        endLsn += payload.length === 0 ? BLOCK_BYTES : 3 * BLOCK_BYTES;
      }
    }
    expect(endLsn).toBe(toLsn);
    expect([...planner.idle(toLsn, 9)]).toEqual([]);
  });
});

import { describe, expect, test } from "vitest";
import { SegmentIndexBuilder } from "../../wal/index.ts";
import { inspectObject, isNumberedObject } from "./inspect-object.ts";
import { encodeLogObject } from "./log-object.ts";
import { encodeManifestObject } from "./manifest-object.ts";

const PLACE = { storeId: new Uint8Array(16).fill(1), epoch: 3, number: 9 };
const ascii = (text: string) => new Uint8Array(Buffer.from(text));

function logObject(): Uint8Array {
  const streams = new SegmentIndexBuilder(4096);
  const size = { pageCount: 1, pageBytes: 512 };
  streams.add({ stream: 2, firstLsn: 4148, lsn: 4154, ...size });
  const batches = [{ startLsn: 4096, wallMs: 5, payload: ascii("frames") }];
  const spilled = [{ chunk: 7, epoch: 2 }];
  return encodeLogObject({ ...PLACE, gap: false, batches, streams, spilled });
}

function manifestObject(): Uint8Array {
  const marks = { generation: 4, checkpointLsn: 1, maxLsn: 2, wallMs: 7, fencedBelow: 3 };
  const wal = { walEpoch: 3, walNumber: 2, walEndLsn: 2 };
  const rows = [{ key: ascii("a"), value: ascii("one") }, { key: ascii("c") }];
  const place = { ...PLACE, kind: "batch", baseNumber: 7, part: 0, whole: true } as const;
  return encodeManifestObject({ ...place, ...marks, ...wal, rows });
}

describe("an object taken apart", () => {
  test("tells what it is and what it holds", () => {
    expect(isNumberedObject(logObject())).toBe(true);
    const log = inspectObject(logObject());
    expect(log).toMatchObject({
      header: { kind: "log", firstLsn: 4096, endLsn: 8192 },
      facts: { streams: 1, commits: 1, spilledChunks: "7-2" },
      parts: [{ what: "batch", facts: { startLsn: 4096, payloadBytes: 6 } }],
      problems: [],
    });
    expect(inspectObject(manifestObject())).toMatchObject({
      header: { kind: "batch", generation: 4 },
      facts: { removals: 1 },
      parts: [{ what: "block", facts: { rows: 2, firstKey: "61" } }],
      problems: [],
    });
  });

  test("with any byte changed has a problem, and is still told as what it is", () => {
    for (const whole of [logObject(), manifestObject()]) {
      const { header } = inspectObject(whole);
      for (let at = 0; at < whole.length; at += 1) {
        const changed = whole.slice();
        changed[at] = (changed[at] ?? 0) ^ 64;
        const report = inspectObject(changed);
        expect(report.problems.length, `byte ${at}`).toBeGreaterThan(0);
        expect(report.header?.kind).toBe(header?.kind);
      }
    }
  });

  test("that was cut has a problem, wherever that was", () => {
    const whole = logObject();
    for (let length = 0; length < whole.length; length += 1) {
      expect(inspectObject(whole.subarray(0, length)).problems.length).toBeGreaterThan(0);
    }
  });
});

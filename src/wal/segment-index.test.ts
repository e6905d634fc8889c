import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { LSN_ZERO, lsn, streamId } from "../base/units.ts";
import { seeded } from "../io/index.ts";
import { BATCH_HEADER, readBatchHeader, readPayload } from "./batch.ts";
import { CommitScan } from "./commit-scan.ts";
import { type CommitPosition, CommitTrail } from "./commit-trail.ts";
import { LogCore } from "./core.ts";
import { plainMemory } from "./memory.fixture.ts";
import {
  decodeSegmentIndex,
  RunCursor,
  SEGMENT_INDEX,
  type SegmentIndex,
  SegmentIndexBuilder,
} from "./segment-index.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, i) => i);
const NEWEST = lsn(Number.MAX_SAFE_INTEGER);

function built(positions: readonly CommitPosition[], firstLsn = 0): SegmentIndexBuilder {
  const builder = new SegmentIndexBuilder(firstLsn);
  for (const position of positions) builder.add(position);
  return builder;
}

/** What an index says of where commits lie. */
function listed(index: SegmentIndex): [number, number, number][] {
  return index.runs
    .flatMap((run) => {
      const cursor = new RunCursor(run);
      const found: [number, number, number][] = [];
      while (cursor.next()) found.push([run.stream, cursor.firstLsn, cursor.lsn]);
      return found;
    })
    .sort(([, a], [, b]) => a - b);
}

const position = (stream: number, [firstLsn, lsn]: [number, number]): CommitPosition => {
  return { stream, firstLsn, lsn, pageCount: 3 + stream, pageBytes: 4096 };
};

/** A log of many streams as the core wrote it, with the trail that it left. */
function written(seed: number) {
  const random = seeded(seed);
  const trail = new CommitTrail();
  const start = { storeId: STORE_ID, lsn: LSN_ZERO, bufferBytes: 131072, wallMs: 0 };
  const core = new LogCore({ ...start, memory: plainMemory(), trail });
  const batches: Uint8Array[] = [];
  const drain = () => {
    while (core.nextWriteBytes > 0) {
      const job = core.startWrite({ sequence: 1, wallMs: 1 });
      batches.push(job.bytes.slice());
      core.finishWrite(job);
      core.finishSync(job);
    }
  };
  for (let n = 0; n < 150; n++) {
    core.begin(streamId(random.below(9)));
    for (let frames = random.below(4); frames > 0; frames--) {
      core.entry(random.bytes(random.chance(0.05) ? 100_000 : random.below(400)));
    }
    if (random.chance(0.1)) core.discard();
    else core.seal({ pageCount: random.below(100), pageBytes: 4096 });
    if (random.chance(0.2)) drain();
  }
  drain();
  return { trail, batches };
}

describe("the index of a segment", () => {
  test("the table in its comment is that of the code", () => {
    const text = readFileSync(new URL("./segment-index.ts", import.meta.url), "utf8");
    const commented = SEGMENT_INDEX.table.split("\n").map((line) => ` *   ${line}`);
    expect(text).toContain(commented.join("\n"));
  });

  test("has these bytes, since files of this version must stay readable", () => {
    const builder = built(
      [position(7, [90, 300]), position(2, [300, 400]), position(7, [400, 9e5])],
      100,
    );
    const bytes = builder.encode({ storeId: STORE_ID, sequence: 5, endLsn: 1e6 });
    expect(bytes).toHaveLength(4096);
    expect(Buffer.from(bytes.subarray(0, 84)).toString("hex")).toMatchInlineSnapshot(
      `"424f5049010000001c00000005eedf4405000000000000005a0000000000000040420f00000000000200000003000000f5f3a2280201058020b0813d03d2016405020a8020a08d060700d2016490f43600000000"`,
    );
  });

  test("gives back the commits of each stream, with the size of the database after the last", () => {
    const segment = { storeId: STORE_ID, sequence: 5, endLsn: 1_000_000 };
    const positions = [
      position(7, [90, 300]),
      position(2, [300, 400]),
      position(7, [400, 900_000]),
    ];
    const index = decodeSegmentIndex(built(positions, 100).encode(segment), segment);
    expect(
      index?.runs.map(({ stream, commits, pageCount, lastLsn }) => [
        stream,
        commits,
        pageCount,
        lastLsn,
      ]),
    ).toEqual([
      [2, 1, 5, 400],
      [7, 2, 10, 900_000],
    ]);
    expect(index && listed(index)).toEqual([
      [7, 90, 300],
      [2, 300, 400],
      [7, 400, 900_000],
    ]);
  });

  test("gathered while a log is written and found in its batches it is the same, to the last byte", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { trail, batches } = written(seed);
      const gathered = new SegmentIndexBuilder(0);
      const { count } = trail;
      while (trail.take(NEWEST, { limit: 7, to: (it) => gathered.add(it) }) > 0);
      expect(trail.count).toBe(0);
      const found = new SegmentIndexBuilder(0);
      let startLsn = 0;
      for (const bytes of batches) {
        const header = readBatchHeader(bytes, { storeId: STORE_ID, sequence: 1 });
        const payload = header && readPayload(bytes, header);
        if (header === undefined || payload === undefined)
          throw new Error("a batch does not parse");
        const scan = new CommitScan({ startLsn, payload, place: { file: "x", offset: 0 } });
        for (let next = scan.next(); next !== undefined; next = scan.next()) found.add(next);
        expect(scan.at).toBe(header.payloadBytes);
        startLsn += bytes.length;
      }
      const segment = { storeId: STORE_ID, sequence: 1, endLsn: startLsn };
      const bytes = gathered.encode(segment);
      expect(found.encode(segment)).toEqual(bytes);
      const decoded = decodeSegmentIndex(bytes, segment);
      expect(decoded?.commits).toBe(count);
      expect(decoded?.runs).toEqual(found.index().runs);
    }
  });

  // evidence: G4
  test("with any bit flipped, of another segment, or cut short it is nothing", () => {
    const segment = { storeId: STORE_ID, sequence: 5, endLsn: 1_000_000 };
    const whole = built([position(7, [90, 300]), position(2, [300, 400])], 100).encode(segment);
    const used = new DataView(whole.buffer).getUint32(SEGMENT_INDEX.offset.payloadBytes, true);
    for (let bit = 0; bit < (SEGMENT_INDEX.sizeBytes + used) * 8; bit++) {
      const bytes = whole.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeSegmentIndex(bytes, segment)).toBeUndefined();
    }
    for (let length = 0; length < SEGMENT_INDEX.sizeBytes + used; length++) {
      expect(decodeSegmentIndex(whole.subarray(0, length), segment)).toBeUndefined();
    }
    expect(decodeSegmentIndex(whole, { ...segment, sequence: 6 })).toBeUndefined();
    expect(decodeSegmentIndex(whole, { ...segment, endLsn: 999_999 })).toBeUndefined();
    expect(decodeSegmentIndex(whole, { ...segment, storeId: new Uint8Array(16) })).toBeUndefined();
  });

  test("takes at most 3 % of a segment of 200-byte commits, whoever makes them", () => {
    for (const streams of [1, 30, 1000]) {
      const builder = new SegmentIndexBuilder(0);
      const random = seeded(streams);
      let at = BATCH_HEADER.sizeBytes;
      for (; at < 16 * 2 ** 20; at += 200) {
        const stream = random.below(streams);
        builder.add({ stream, firstLsn: at, lsn: at + 200, pageCount: 12, pageBytes: 4096 });
      }
      const { length } = builder.encode({ storeId: STORE_ID, sequence: 1, endLsn: at });
      expect(length / at).toBeLessThan(0.03);
    }
  });
});

describe("the trail of commits", () => {
  test("gives what was noted, in order, however much is taken at a time", () => {
    const random = seeded(3);
    const trail = new CommitTrail();
    const [noted, taken]: [number[], number[]] = [[], []];
    for (let round = 0; round < 400; round++) {
      for (let n = random.below(90); n > 0; n--) {
        noted.push(noted.length + 1);
        const at = noted.length * 10;
        trail.note({ stream: noted.length, firstLsn: at, lsn: at + 5, pageCount: 0, pageBytes: 0 });
      }
      const upTo = lsn(random.below(noted.length * 11 + 1));
      const limit = random.below(100);
      const before = taken.length;
      const count = trail.take(upTo, { limit, to: ({ stream }) => taken.push(stream) });
      expect(taken.length - before).toBe(count);
      expect(count).toBeLessThanOrEqual(limit);
      expect((taken.at(-1) ?? 0) * 10 + 5 <= upTo || count === 0).toBe(true);
    }
    trail.take(NEWEST, { limit: 1e9, to: ({ stream }) => taken.push(stream) });
    expect(taken).toEqual(noted);
  });
});

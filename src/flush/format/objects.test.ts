import { describe, expect, test } from "vitest";
import { seeded } from "../../io/index.ts";
import { batchBytes, RunCursor, SegmentIndexBuilder } from "../../wal/index.ts";
import {
  decodeBucketIdentity,
  decodeEpochClaim,
  encodeBucketIdentity,
  encodeEpochClaim,
} from "./identity.ts";
import { decodeLogIndex, decodeRuns, isIndexNumber, LogIndexBuilder } from "./index-object.ts";
import {
  decodeLogTables,
  encodeLogObject,
  type LogObject,
  type LogTables,
  readShippedBatch,
} from "./log-object.ts";
import { decodeManifestIndex, encodeManifestObject } from "./manifest-object.ts";
import { encodeFence, FENCE_BYTES } from "./object-frame.ts";
import { decodeObjectHeader, identityProblem, OBJECT_HEADER_BYTES } from "./object-header.ts";
import { decodeBlock, type RowChange } from "./row-blocks.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index);
const PLACE = { storeId: STORE_ID, epoch: 3, number: 9 };
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const ascii = (text: string) => new Uint8Array(Buffer.from(text));

/** Batches from an LSN on, each with one commit of a stream. */
function logOf(payloads: readonly Uint8Array[], firstLsn = 4096): LogObject {
  const streams = new SegmentIndexBuilder(firstLsn);
  let startLsn = firstLsn;
  const batches = payloads.map((payload, at) => {
    const batch = { startLsn, wallMs: 100 + at, payload };
    const from = startLsn + 52;
    const commit = { stream: at % 3, firstLsn: from, lsn: from + payload.length };
    if (payload.length > 0) streams.add({ ...commit, pageCount: 4, pageBytes: 512 });
    startLsn += batchBytes(payload.length);
    return batch;
  });
  return { ...PLACE, gap: false, batches, streams, spilled: [{ chunk: 5, epoch: 2 }] };
}

function tablesOf(bytes: Uint8Array): LogTables {
  const tables = decodeLogTables(bytes, bytes.length);
  if (tables.type !== "log") throw new Error(JSON.stringify(tables));
  return tables;
}

const MANIFEST = {
  ...PLACE,
  kind: "batch",
  generation: 40,
  checkpointLsn: 4096,
  maxLsn: 8192,
  wallMs: 7,
  baseNumber: 8,
  fencedBelow: 3,
  walEpoch: 3,
  walNumber: 2,
  walEndLsn: 12_288,
  part: 0,
  whole: true,
} as const;

describe("the bytes of an object", () => {
  test("of the log are these, for ever", () => {
    const bytes = encodeLogObject(logOf([ascii("ab"), ascii("c")]));
    expect(hex(bytes)).toMatchInlineSnapshot(
      `"424f504f01000100000102030405060708090a0b0c0d0e0f030000000000000009000000000000000010000000000000003000000000000064000000000000006500000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000000000000000000000000008073d2fa61626300100000000000006400000000000000020000006d48839e8000000000200000000000006500000000000000010000006fdfb90682000000424f50490100000015000000f39e7adc090000000000000000100000000000000030000000000000020000000200000045e76e480001048004ca3f0234020101048004cb1f03b4200105000000000000000200000000000000424f504f01000100000102030405060708090a0b0c0d0e0f030000000000000009000000000000000010000000000000003000000000000064000000000000006500000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000000000000000000000000008073d2fac40100000000000038000000b9dd5a0b49000000191408f5100000003e91c7d40000000000000000424f505441936522"`,
    );
  });

  test("of the manifest are these, for ever", () => {
    const rows = [{ key: ascii("k"), value: ascii("v") }, { key: ascii("l") }];
    expect(hex(encodeManifestObject({ ...MANIFEST, rows }))).toMatchInlineSnapshot(
      `"424f504f01000501000102030405060708090a0b0c0d0e0f030000000000000009000000000000002800000000000000001000000000000000200000000000000700000000000000080000000000000003000000000000000300000000000000020000000000000000300000000000000000000002000000000000008a87c88f010100010000006b76020100000000006c8000000011000000020000007b2ec67701006b01006c424f504f01000501000102030405060708090a0b0c0d0e0f030000000000000009000000000000002800000000000000001000000000000000200000000000000700000000000000080000000000000003000000000000000300000000000000020000000000000000300000000000000000000002000000000000008a87c88f570100000000000013000000775b3a7d03000000569e87ba00000000000000000000000000000000424f50549bc1ad34"`,
    );
  });

  test("that is an index are these, for ever", () => {
    const { header, streams } = tablesOf(encodeLogObject(logOf([ascii("ab"), ascii("c")])));
    const builder = new LogIndexBuilder();
    builder.add(header, streams);
    const bytes = builder.finish({ ...PLACE, number: 256 });
    expect(hex(bytes)).toMatchInlineSnapshot(
      `"424f504f01000200000102030405060708090a0b0c0d0e0f030000000000000000010000000000000010000000000000003000000000000064000000000000006500000000000000ff000000000000000100000000000000000000000000000000000000000000000000000000000000000000000000000000000000bc54f2e301040004000000000000000001ca3f01040004000000000000010001cb1f0010000000000000003000000000000064000000000000006500000000000000800000001e000000020000002f1ef875040000000000040000000001424f504f01000200000102030405060708090a0b0c0d0e0f030000000000000000010000000000000010000000000000003000000000000064000000000000006500000000000000ff000000000000000100000000000000000000000000000000000000000000000000000000000000000000000000000000000000bc54f2e38a0100000000000020000000b63d988116000000c8093fe20600000023d3545d0000000000000000424f50548db3a297"`,
    );
  });

  test("that is a fence are these, for ever", () => {
    const nonce = new Uint8Array(16).fill(170);
    const bytes = encodeFence({ ...PLACE, of: "wal", byEpoch: 4, wallMs: 6, nonce });
    expect(bytes).toHaveLength(FENCE_BYTES);
    expect(hex(bytes.subarray(0, OBJECT_HEADER_BYTES))).toMatchInlineSnapshot(
      `"424f504f01000300000102030405060708090a0b0c0d0e0f0300000000000000090000000000000004000000000000000600000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000008471f9b5"`,
    );
  });
});

describe("an object of the log", () => {
  test("gives back what it was made of, from its last bytes and from all of them", () => {
    const random = seeded(3);
    for (let round = 0; round < 20; round += 1) {
      const payloads = Array.from({ length: 1 + random.below(8) }, () =>
        random.bytes(random.below(9000)),
      );
      const log = logOf(payloads, 4096 * random.below(1000));
      const bytes = encodeLogObject(log);
      const whole = tablesOf(bytes);
      let tail = decodeLogTables(bytes.subarray(bytes.length - 100), bytes.length);
      if (tail.type === "more") {
        tail = decodeLogTables(bytes.subarray(bytes.length - tail.tailBytes), bytes.length);
      }
      if (tail.type === "more") {
        tail = decodeLogTables(bytes.subarray(bytes.length - tail.tailBytes), bytes.length);
      }
      expect(tail).toEqual(whole);
      const read = whole.batches.map((entry) => ({
        startLsn: entry.startLsn,
        wallMs: entry.wallMs,
        payload: hex(readShippedBatch(bytes.subarray(entry.offset), entry) ?? ascii("damaged")),
      }));
      const made = log.batches.map((each) => ({ ...each, payload: hex(each.payload) }));
      expect(read).toEqual(made);
      expect(whole.spilled).toEqual(log.spilled);
      expect(decodeObjectHeader(bytes)).toEqual({ type: "header", header: whole.header });
      for (const run of whole.streams.runs) {
        const cursor = new RunCursor(run);
        let commits = 0;
        while (cursor.next()) commits += 1;
        expect(commits).toBe(run.commits);
      }
    }
  });

  test("with any byte changed is refused, or the byte is in a batch that is", () => {
    const bytes = encodeLogObject(logOf([ascii("abc"), ascii("defg"), ascii("")]));
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 16;
      const tables = decodeLogTables(changed, changed.length);
      const isHeader = at < OBJECT_HEADER_BYTES;
      if (isHeader) expect(decodeObjectHeader(changed)).toMatchObject({ type: "bad" });
      else if (tables.type === "log") {
        const sound = tables.batches.filter((entry) =>
          readShippedBatch(changed.subarray(entry.offset), entry),
        );
        expect(sound).toHaveLength(tables.batches.length - 1);
      } else expect(tables.type).toBe("bad");
    }
  });

  test("that was cut anywhere is refused, or says how much is missing", () => {
    const bytes = encodeLogObject(logOf([ascii("abc"), ascii("defg")]));
    for (let length = 0; length < bytes.length; length += 1) {
      const answer = decodeLogTables(bytes.subarray(0, length), length);
      expect(["bad", "more"]).toContain(answer.type);
      if (answer.type === "more") expect(answer.tailBytes).toBeGreaterThan(length);
    }
  });

  test("with batches that do not follow each other is never written", () => {
    const log = logOf([ascii("abc"), ascii("defg")]);
    const [first, second] = log.batches;
    if (first === undefined || second === undefined) throw new Error("two batches");
    const torn = { ...log, batches: [first, { ...second, startLsn: second.startLsn + 4096 }] };
    expect(() => encodeLogObject(torn)).toThrow("does not follow");
    expect(() => encodeLogObject({ ...log, batches: [] })).toThrow("has a batch");
  });

  test("under another key, or of another store, is told from the one that was asked for", () => {
    const { header } = tablesOf(encodeLogObject(logOf([ascii("abc")])));
    expect(identityProblem(header, PLACE)).toBeUndefined();
    expect(identityProblem(header, { ...PLACE, number: 8 })).toContain("object 9 of epoch 3");
    expect(identityProblem(header, { ...PLACE, epoch: 4 })).toContain("object 9 of epoch 3");
    const storeId = new Uint8Array(16);
    expect(identityProblem(header, { ...PLACE, storeId })).toContain("another store");
  });

  test("of a later version is refused by name", () => {
    const bytes = encodeLogObject(logOf([ascii("abc")])).slice(0, OBJECT_HEADER_BYTES);
    bytes[4] = 2;
    const zlib = process.getBuiltinModule("node:zlib");
    new DataView(bytes.buffer).setUint32(124, zlib.crc32(bytes.subarray(0, 124)), true);
    expect(decodeObjectHeader(bytes)).toEqual({
      type: "newer",
      found: "version 2",
      supported: "version 1",
    });
  });
});

describe("an index object", () => {
  test("tells of each stream the objects that have commits of it", () => {
    const random = seeded(8);
    const builder = new LogIndexBuilder();
    const known = new Map<number, { number: number; commits: number; lastLsn: number }[]>();
    let firstLsn = 0;
    for (let at = 0; at < 256; at += 1) {
      const streams = new SegmentIndexBuilder(firstLsn);
      let [from, last] = [firstLsn + 52, firstLsn];
      for (let commit = random.below(5); commit >= 0; commit -= 1) {
        const stream = random.below(300);
        streams.add({ stream, firstLsn: from, lsn: from + 9, pageCount: 1, pageBytes: 512 });
        const runs = known.get(stream) ?? [];
        known.set(stream, runs);
        if (runs.at(-1)?.number === 257 + at) (runs.at(-1) as { commits: number }).commits += 1;
        else runs.push({ number: 257 + at, commits: 1, lastLsn: 0 });
        (runs.at(-1) as { lastLsn: number }).lastLsn = from + 9;
        from += 9;
        last = from;
      }
      expect(last).toBeGreaterThan(firstLsn);
      const marks = { firstLsn, endLsn: firstLsn + 4096, firstWallMs: at, lastWallMs: at };
      builder.add(marks, streams.index());
      firstLsn += 4096;
    }
    const bytes = builder.finish({ ...PLACE, number: 513 });
    expect(builder.count).toBe(0);
    const index = decodeLogIndex(bytes, bytes.length);
    if (index.type !== "index") throw new Error(JSON.stringify(index));
    expect(index.objects).toHaveLength(256);
    expect(index.objects[255]).toMatchObject({
      number: 512,
      firstLsn: 255 * 4096,
      lastWallMs: 255,
    });
    const found = new Map<number, unknown>();
    for (const block of index.blocks) {
      const part = bytes.subarray(block.offset, block.offset + block.bytes);
      for (const { key, value } of decodeBlock(part, block) ?? []) {
        const stream = new DataView(key.buffer, key.byteOffset).getUint32(0);
        found.set(stream, decodeRuns(value ?? key, index));
      }
    }
    expect(found).toEqual(new Map([...known].sort(([a], [b]) => a - b)));
  });

  test("stands at every 257th number", () => {
    const numbers = Array.from({ length: 800 }, (_, at) => at).filter(isIndexNumber);
    expect(numbers).toEqual([256, 513, 770]);
  });
});

describe("an object of the manifest", () => {
  test("gives its rows back block by block", () => {
    const random = seeded(4);
    for (const count of [0, 1, 30, 2000]) {
      const rows: RowChange[] = Array.from({ length: count }, (_, at) => {
        const key = Uint8Array.of(2, at >>> 8, at & 255, ...random.bytes(random.below(20)));
        return random.below(5) === 0 ? { key } : { key, value: random.bytes(random.below(200)) };
      });
      const bytes = encodeManifestObject({ ...MANIFEST, rows });
      const index = decodeManifestIndex(bytes, bytes.length);
      if (index.type !== "manifest") throw new Error(JSON.stringify(index));
      const found = index.blocks.flatMap(
        (block) =>
          decodeBlock(bytes.subarray(block.offset, block.offset + block.bytes), block) ?? [],
      );
      const text = ({ key, value }: RowChange) => `${hex(key)}=${value && hex(value)}`;
      expect(found.map(text)).toEqual(rows.map(text));
      expect(index.header).toEqual({ ...MANIFEST, rowCount: count });
      expect(bytes.length === FENCE_BYTES).toBe(false);
      if (count === 2000) expect(index.blocks.length).toBeGreaterThan(4);
    }
  });

  test("with keys out of order, or a base with a removal, is never written", () => {
    const rows = [{ key: ascii("b") }, { key: ascii("a") }];
    expect(() => encodeManifestObject({ ...MANIFEST, rows })).toThrow("keys ascend");
    const base = { ...MANIFEST, kind: "base", number: 8, whole: false, rows: [rows[0]] } as const;
    expect(() => encodeManifestObject(base as never)).toThrow("no removals");
  });

  test("in a place that its base does not allow is never written", () => {
    const rows: RowChange[] = [];
    const misplaced = { ...MANIFEST, baseNumber: 9, rows };
    expect(() => encodeManifestObject(misplaced)).toThrow("no reader would take");
    const part = { ...MANIFEST, kind: "base", part: 3, whole: false, rows } as const;
    expect(() => encodeManifestObject(part)).toThrow("no reader would take");
  });
});

describe("what is JSON in a bucket", () => {
  test("is read back, and anything else is refused", () => {
    const identity = { storeId: STORE_ID, createdAtMs: 77 };
    expect(decodeBucketIdentity(encodeBucketIdentity(identity))).toEqual({
      type: "identity",
      identity,
    });
    const claim = { storeId: STORE_ID, epoch: 4, claimedAtMs: 9, nonce: new Uint8Array(16) };
    expect(decodeEpochClaim(encodeEpochClaim(claim))).toEqual({ type: "claim", claim });
    for (const text of ["", "{", "null", "[]", '{"format":0}', '{"format":1,"storeId":"zz"}']) {
      expect(decodeBucketIdentity(ascii(text))).toMatchObject({ type: "bad" });
      expect(decodeEpochClaim(ascii(text))).toMatchObject({ type: "bad" });
    }
    expect(decodeEpochClaim(ascii('{"format":2}'))).toMatchObject({ type: "newer" });
  });

  test("is as people see it", () => {
    const text = Buffer.from(encodeBucketIdentity({ storeId: STORE_ID, createdAtMs: 77 }));
    expect(text.toString()).toBe(
      '{"format":1,"storeId":"000102030405060708090a0b0c0d0e0f","createdAtMs":77}',
    );
  });
});

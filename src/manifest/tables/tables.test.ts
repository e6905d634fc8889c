/** Every table: the bytes of a row as they are on disk, rows that come back, keys in order. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chunkId, lsn, segmentSequence, streamId } from "../../base/units.ts";
import { chunkRow, databaseRow, logRow, mapRow, versionOf } from "../manifest.fixture.ts";
import type { AnyTable, Table } from "../rows/table.ts";
import { TABLES } from "../schema.ts";
import { chunks } from "./chunks.ts";
import { databases } from "./databases.ts";
import { deadLetters } from "./dead-letters.ts";
import { forks } from "./forks.ts";
import { history } from "./history.ts";
import { mapVersions } from "./map-versions.ts";
import { names } from "./names.ts";
import { pageMap } from "./page-map.ts";
import { pendingBatches } from "./pending-batches.ts";
import { recordLogs } from "./record-logs.ts";
import { segments } from "./segments.ts";
import { snapshots } from "./snapshots.ts";
import { decodeState, decodeStore, encodeState, encodeStore } from "./state.ts";
import { watermarks } from "./watermarks.ts";

const file = "/store/manifest";
const u32 = fc.nat(2 ** 32 - 1);
const u53 = fc.maxSafeNat();
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
const bytes = fc.uint8Array({ maxLength: 100 });
const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex");

interface Sample<Row> {
  readonly table: AnyTable;
  readonly row: Row;
  /** Of a row of generation 5. */
  readonly key: string;
  readonly value: string;
  readonly rows: fc.Arbitrary<Row>;
}

/** One row of each table, as it lies on disk, and all rows that there can be. */
function sample<Key, Row>(
  table: Table<Key, Row>,
  of: { readonly row: Row; readonly key: string; readonly value: string },
  rows: fc.Arbitrary<Row>,
): Sample<unknown> {
  return { table, ...of, rows };
}

const optionalLsn = fc.option(u53.map(lsn), { nil: undefined });

const moment = fc.record({ stream: u32.map(streamId), lsn: u53.map(lsn) });

const SAMPLES: readonly Sample<unknown>[] = [
  sample(
    databases,
    {
      row: {
        ...databaseRow(7, 99),
        createdLsn: lsn(90),
        family: streamId(3),
        flat: false,
        origin: { stream: streamId(4), lsn: lsn(80) },
      },
      key: "0200000007",
      value:
        "0201080074656e616e742d37010010000007000000630000000000000000505c18a30100005a0000" +
        "0000000000030000000001040000005000000000000000000500000000000000f8a5cbb0",
    },
    fc
      .record({
        stream: u32.map(streamId),
        state: fc.constantFrom("live" as const, "importing" as const, "dropped" as const),
        name,
        engine: fc.constantFrom("sqlite" as const, "libsql" as const),
        pageBytes: u32,
        pageCount: u32,
        lsn: u53.map(lsn),
        createdAtMs: u53,
        createdLsn: u53.map(lsn),
        family: u32.map(streamId),
        flat: fc.boolean(),
        origin: fc.option(moment, { nil: undefined }),
        droppedLsn: optionalLsn,
      })
      .map(({ origin, droppedLsn, ...row }) => ({
        ...row,
        ...(origin && { origin }),
        ...(droppedLsn !== undefined && { droppedLsn }),
      })),
  ),
  sample(
    recordLogs,
    {
      row: logRow(258, 99),
      key: "0600000102",
      value:
        "0101090067726f75702d32353800505c18a301000063000000000000000003000000010203050000" +
        "0000000000c8033aed",
    },
    fc
      .record({
        stream: u32.map(streamId),
        state: fc.constantFrom("live" as const, "dropped" as const),
        name,
        createdAtMs: u53,
        lsn: u53.map(lsn),
        droppedLsn: optionalLsn,
        body: bytes,
      })
      .map(({ droppedLsn, ...row }) => (droppedLsn === undefined ? row : { ...row, droppedLsn })),
  ),
  sample(
    names,
    {
      row: { space: "recordLogs", name: "é", stream: streamId(3) },
      key: "0b02c3a9",
      value: "01030000000500000000000000104c6d6c",
    },
    fc.record({
      space: fc.constantFrom("databases" as const, "recordLogs" as const),
      name,
      stream: u32.map(streamId),
    }),
  ),
  sample(
    history,
    {
      row: {
        sequence: segmentSequence(2 ** 40 + 5),
        firstLsn: lsn(2 ** 33),
        endLsn: lsn(2 ** 33 + 8192),
        createdAtMs: 12,
        fileBytes: 12_288,
        isCopy: true,
      },
      key: "110000010000000005",
      value:
        "01000000000200000000200000020000000c000000000000000030000000000000010500000000000000" +
        "f32564b4",
    },
    fc.record({
      sequence: u53.map(segmentSequence),
      firstLsn: u53.map(lsn),
      endLsn: u53.map(lsn),
      createdAtMs: u53,
      fileBytes: u53,
      isCopy: fc.boolean(),
    }),
  ),
  sample(
    segments,
    {
      row: segmentSequence(2 ** 40 + 5),
      key: "040000010000000005",
      value: "010500000000000000c012fa6c",
    },
    u53.map(segmentSequence),
  ),
  sample(
    chunks,
    {
      row: { ...chunkRow(2 ** 33, 2), references: 19 },
      key: "030000000200000000",
      value: "0201e7030000000000001200000012000000130000000500000000000000f29da842",
    },
    fc.record({
      chunk: u53.map(chunkId),
      kind: fc.constantFrom("pages" as const, "records" as const),
      fileBytes: u53,
      pageCount: u32,
      livePages: u32,
      references: u32,
    }),
  ),
  sample(
    pageMap,
    {
      row: versionOf(mapRow(3, 1, 2), 2 ** 33 + 5),
      key: "050000000300000001fffffffdfffffffa",
      value:
        "02000009001000000200000000100000020000000010000002000000001000000200000000100000" +
        "02000000001000000200000000100000020000000010000002000000001000000200000000050000" +
        "00000000003a671b57",
    },
    fc
      .record({
        stream: u32.map(streamId),
        rowIndex: u32,
        fromLsn: u53.map(lsn),
        first: fc.nat(511),
        values: fc.array(fc.oneof(fc.constant(0), u53), { maxLength: 512 }),
      })
      .map(({ stream, rowIndex, fromLsn, first, values }) => {
        const locations = new Float64Array(512);
        locations.set(values.slice(0, 512 - first), first);
        return { stream, rowIndex, fromLsn, locations };
      }),
  ),
  sample(
    mapVersions,
    {
      row: {
        stream: streamId(3),
        lsn: lsn(4096),
        pageCount: 700,
        pageBytes: 512,
        commitLsn: lsn(4000),
        createdAtMs: 12,
        changedRows: [0, 258],
      },
      key: "10000000030000000000001000",
      value:
        "01bc02000000020000a00f0000000000000c00000000000000020000000000000002010000050000" +
        "0000000000e5e0d257",
    },
    fc.record({
      stream: u32.map(streamId),
      lsn: u53.map(lsn),
      pageCount: u32,
      pageBytes: u32,
      commitLsn: u53.map(lsn),
      createdAtMs: u53,
      changedRows: fc
        .uniqueArray(u32, { maxLength: 20 })
        .map((rows) => rows.toSorted((a, b) => a - b)),
    }),
  ),
  sample(
    snapshots,
    {
      row: { stream: streamId(3), name: "noon", lsn: lsn(4096), createdAtMs: 12 },
      key: "0c000000036e6f6f6e",
      value: "0100100000000000000c00000000000000050000000000000025cbeec1",
    },
    fc.record({ stream: u32.map(streamId), name, lsn: u53.map(lsn), createdAtMs: u53 }),
  ),
  sample(
    forks,
    {
      row: { origin: streamId(3), fork: streamId(258) },
      key: "120000000300000102",
      value: "010500000000000000d7c8edaa",
    },
    fc.record({ origin: u32.map(streamId), fork: u32.map(streamId) }),
  ),
  sample(
    pendingBatches,
    {
      row: { sequence: 9, enqueuedAtMs: 12, batch: Uint8Array.of(7) },
      key: "0d0000000000000009",
      value: "010c00000000000000010000000705000000000000007adbb061",
    },
    fc.record({ sequence: u53, enqueuedAtMs: u53, batch: bytes }),
  ),
  sample(
    deadLetters,
    {
      row: {
        sequence: 9,
        kind: "batch",
        atMs: 12,
        attempts: 1,
        subject: "a",
        reason: "b",
        bytes: 300,
        body: Uint8Array.of(7),
      },
      key: "0e0000000000000009",
      value:
        "02010c00000000000000010000000100610100622c0100000000000001000000070500000000000000a486afa8",
    },
    fc.record({
      sequence: u53,
      kind: fc.constantFrom(...(["batch", "log", "chunk", "manifest"] as const)),
      atMs: u53,
      attempts: u32,
      subject: name,
      reason: name,
      bytes: u53,
      body: bytes,
    }),
  ),
  sample(
    watermarks,
    {
      row: { component: "checkpoint", generation: 5 },
      key: "0f636865636b706f696e74",
      value: "0105000000000000000500000000000000fa5df005",
    },
    fc.record({ component: name, generation: u53 }),
  ),
];

describe.each(SAMPLES)("the table of $table.name", ({ table, row, key, value, rows }) => {
  test("has these bytes on disk", () => {
    const pair = table.encode(row, 5);
    expect({ key: hex(pair.key), value: hex(pair.value) }).toEqual({ key, value });
  });

  test("gives every row back as it was written, under the key that it names", () => {
    fc.assert(
      fc.property(rows, u53, (each, generation) => {
        const pair = table.encode(each, generation);
        expect(table.decode({ ...pair, file })).toEqual(each);
        expect(table.decodeKey(pair.key)).toEqual(table.keyOf(each));
        expect(table.decodePayload(table.encodePayload(each), pair.key)).toEqual(each);
        const { from, to } = table.range();
        expect(Buffer.compare(from, pair.key)).toBeLessThanOrEqual(0);
        expect(Buffer.compare(pair.key, to)).toBeLessThan(0);
      }),
    );
  });

  test("has one key for each row: two rows of one key are one row", () => {
    fc.assert(
      fc.property(rows, rows, (a, b) => {
        const [keyA, keyB] = [table.keyOf(a), table.keyOf(b)];
        const isSame = Buffer.compare(table.encodeKey(keyA), table.encodeKey(keyB)) === 0;
        expect(isSame).toBe(JSON.stringify(keyA) === JSON.stringify(keyB));
      }),
    );
  });
});

describe("the tables", () => {
  test("have numbers and names of their own", () => {
    expect(new Set(TABLES.map(({ number }) => number)).size).toBe(TABLES.length);
    expect(new Set(TABLES.map(({ name: each }) => each)).size).toBe(TABLES.length);
  });

  test("keep the numbers that they were given", () => {
    const numbers = Object.fromEntries(TABLES.map(({ name: each, number }) => [each, number]));
    expect(numbers).toEqual({
      databases: 2,
      chunks: 3,
      segments: 4,
      mapRows: 5,
      recordLogs: 6,
      changes: 7,
      cursors: 8,
      jobs: 9,
      pendingJobs: 10,
      names: 11,
      snapshots: 12,
      pendingBatches: 13,
      deadLetters: 14,
      watermarks: 15,
      mapVersions: 16,
      history: 17,
      forks: 18,
      shipping: 19,
      epochs: 20,
      remoteChunks: 21,
      remoteGarbage: 22,
      remoteChains: 23,
      lostWindows: 24,
      scrubs: 25,
    });
  });

  test("of names and of snapshots list in order of the name's bytes", () => {
    const sorted = ["a", "aa", "ab", "b", "ä", "😀"].map((each) =>
      names.encodeKey({ space: "databases", name: each }),
    );
    expect(sorted.toSorted(Buffer.compare)).toEqual(sorted);
  });

  test("of the page map lists the versions of a row together, the newest first", () => {
    const versions = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
    const keys = versions.map((at) => pageMap.encodeKey({ ...mapRow(7, 3, 1), fromLsn: lsn(at) }));
    const next = pageMap.encodeKey({ ...mapRow(7, 4, 1), fromLsn: lsn(9) });
    const sorted = [...keys.toReversed(), next];
    expect(sorted.toSorted(Buffer.compare)).toEqual(sorted);
  });

  test("of the page map keeps a row of zeros: it may hide an older one", () => {
    const zeros = { ...mapRow(1, 0, 1), locations: new Float64Array(512) };
    expect(pageMap.decode({ ...pageMap.encode(zeros, 1), file })).toEqual(zeros);
  });

  test("of the store itself come back as they were written", () => {
    const state = fc.record({
      generation: u53,
      checkpointLsn: u53.map(lsn),
      durableLsn: u53.map(lsn),
      nextStreamId: u32.map(streamId),
      nextChunkId: u53.map(chunkId),
      clean: fc.boolean(),
      catalogueLsn: u53.map(lsn),
      rows: fc.array(fc.tuple(fc.nat(255), u53), { maxLength: 20 }).map((each) => new Map(each)),
    });
    fc.assert(
      fc.property(state, bytes, (marks, storeId) => {
        expect(decodeState({ ...encodeState(marks), file })).toEqual(marks);
        const store = { schemaVersion: 2, storeId };
        expect(decodeStore({ ...encodeStore(store, 3), file })).toEqual(store);
      }),
    );
  });
});

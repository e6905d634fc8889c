/** Tables of what lies in a bucket and of its care: their bytes, and how a chunk that goes becomes garbage there. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chunkId, lsn, streamId } from "../../base/units.ts";
import { chunkRow, databaseRow, manifestWorld, mapRow } from "../manifest.fixture.ts";
import type { ManifestChange } from "../manifest-change.ts";
import type { AnyTable, Table } from "../rows/table.ts";
import { epochs } from "../tables/epochs.ts";
import { lostWindows } from "../tables/lost-windows.ts";
import { type RemoteChainRow, type RemoteState, remoteChains } from "../tables/remote-chains.ts";
import { type RemoteChunkRow, remoteChunks } from "../tables/remote-chunks.ts";
import { remoteGarbage } from "../tables/remote-garbage.ts";
import { scrubs } from "../tables/scrubs.ts";
import { shipping } from "../tables/shipping.ts";

const u53 = fc.maxSafeNat();
const anLsn = u53.map(lsn);
const text = fc.string({ unit: "grapheme", maxLength: 60 });
const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex");
const remoteState: fc.Arbitrary<RemoteState> = fc.record({
  generation: u53,
  checkpointLsn: anLsn,
  maxLsn: anLsn,
  wallMs: u53,
  walEpoch: u53,
  walNumber: u53,
  walLsn: anLsn,
});

interface Sample {
  readonly table: AnyTable;
  readonly row: unknown;
  /** Of a row of generation 5. */
  readonly bytes: string;
  readonly rows: fc.Arbitrary<unknown>;
}

function sample<Key, Row>(
  table: Table<Key, Row>,
  of: { readonly row: Row; readonly bytes: string; readonly rows: fc.Arbitrary<Row> },
): Sample {
  return { table, ...of };
}

const FIRST: RemoteState = {
  generation: 1,
  checkpointLsn: lsn(2),
  maxLsn: lsn(3),
  wallMs: 4,
  walEpoch: 5,
  walNumber: 6,
  walLsn: lsn(7),
};
const CHAIN: RemoteChainRow = {
  epoch: 2,
  number: 3,
  wholeNumber: 4,
  lastNumber: 9,
  bytes: 500,
  first: FIRST,
  last: { ...FIRST, generation: 8 },
};

const SAMPLES: readonly Sample[] = [
  sample(shipping, {
    row: {
      bucket: "ab",
      epoch: 1,
      walNumber: 2,
      shippedLsn: lsn(3),
      manifestNumber: 4,
      shippedGeneration: 5,
      fencedBelow: 6,
      atMs: 7,
      restored: true,
      location: "c:",
    },
    bytes:
      "13 02020061620100000000000000020000000000000003000000000000000400000000000000050" +
      "000000000000006000000000000000700000000000000010200633a05000000000000009a8f3718",
    rows: fc.record({
      bucket: text,
      epoch: u53,
      walNumber: u53,
      shippedLsn: anLsn,
      manifestNumber: u53,
      shippedGeneration: u53,
      fencedBelow: u53,
      atMs: u53,
      restored: fc.boolean(),
      location: fc.option(fc.string({ unit: "binary", minLength: 1, maxLength: 20 }), {
        nil: undefined,
      }),
    }),
  }),
  sample(epochs, {
    row: { epoch: 7, startLsn: lsn(8192), claimedAtMs: 9 },
    bytes: "140000000000000007 010020000000000000090000000000000005000000000000005bd6f81c",
    rows: fc.record({ epoch: u53, startLsn: anLsn, claimedAtMs: u53 }),
  }),
  sample(remoteChunks, {
    row: {
      chunk: chunkId(6),
      epoch: 2,
      fileBytes: 9000,
      bornGeneration: 4,
      namedLsn: lsn(4096),
    },
    bytes:
      "150000000000000006 0102000000000000002823000000000000040000000000000000100000000" +
      "000000500000000000000ddddd37d",
    rows: fc.record({
      chunk: u53.map(chunkId),
      epoch: u53,
      fileBytes: u53,
      bornGeneration: u53,
      namedLsn: anLsn,
    }),
  }),
  sample(remoteGarbage, {
    row: {
      key: "wal/1",
      state: "announced",
      count: 3,
      bytes: 70,
      bornGeneration: 4,
      goneGeneration: 5,
    },
    bytes:
      "1677616c2f31 0102030000004600000000000000040000000000000005000000000000000500000" +
      "000000000d1a6b257",
    rows: fc.record({
      key: text,
      state: fc.constantFrom("unreferenced", "announced", "orphaned"),
      count: fc.nat(2 ** 32 - 1),
      bytes: u53,
      bornGeneration: u53,
      goneGeneration: u53,
    }),
  }),
  sample(remoteChains, {
    row: CHAIN,
    bytes:
      "1700000000000000020000000000000003 0104000000000000000900000000000000f4010000000" +
      "00000010000000000000002000000000000000300000000000000040000000000000005000000000" +
      "00000060000000000000007000000000000000800000000000000020000000000000003000000000" +
      "00000040000000000000005000000000000000600000000000000070000000000000005000000000" +
      "000009ec96f36",
    rows: fc.record({
      epoch: u53,
      number: u53,
      wholeNumber: u53,
      lastNumber: u53,
      bytes: u53,
      first: remoteState,
      last: remoteState,
    }),
  }),
  sample(lostWindows, {
    row: {
      epoch: 7,
      epochBefore: 6,
      fromLsn: lsn(8192),
      toLsn: lsn(12288),
      discardedAtMs: 9,
      letter: 3,
      reason: "no",
    },
    bytes:
      "180000000000000007 0106000000000000000020000000000000003000000000000009000000000" +
      "00000030000000000000002006e6f050000000000000047ff27d6",
    rows: fc.record({
      epoch: u53,
      epochBefore: u53,
      fromLsn: anLsn,
      toLsn: anLsn,
      discardedAtMs: u53,
      letter: u53,
      reason: text,
    }),
  }),
  sample(scrubs, {
    row: {
      part: "database",
      stream: streamId(300),
      lastGoodMs: 8,
      lastTriedMs: 9,
      bytes: 10,
      problem: "no",
      body: Uint8Array.of(7),
    },
    bytes:
      "19030000012c 01080000000000000009000000000000000a0000000000000002006e6f010000000" +
      "7050000000000000078b9fd22",
    rows: fc.record({
      part: fc.constantFrom("local" as const, "remote" as const, "database" as const),
      stream: fc.nat(2 ** 32 - 1).map(streamId),
      lastGoodMs: u53,
      lastTriedMs: u53,
      bytes: u53,
      problem: text,
      body: fc.uint8Array({ maxLength: 40 }),
    }),
  }),
];

describe.each(SAMPLES)("the table of $table.name", ({ table, row, bytes, rows }) => {
  test("has these bytes on disk", () => {
    const { key, value } = table.encode(row, 5);
    expect(`${hex(key)} ${hex(value)}`).toBe(bytes);
  });

  test("gives every row back as it was written, under the key that it names", () => {
    fc.assert(
      fc.property(rows, u53, (each, generation) => {
        const pair = table.encode(each, generation);
        expect(table.decode({ ...pair, file: "" })).toEqual(each);
        const { from, to } = table.range();
        expect(Buffer.compare(from, pair.key)).toBeLessThanOrEqual(0);
        expect(Buffer.compare(pair.key, to)).toBeLessThan(0);
      }),
    );
  });
});

describe("a chunk that lies in the bucket", () => {
  const remote = (chunk: number, namedLsn = 0): RemoteChunkRow => {
    const from = { epoch: 2, fileBytes: 999, bornGeneration: 3 };
    return { chunk: chunkId(chunk), ...from, namedLsn: lsn(namedLsn) };
  };
  const key = (chunk: number) => {
    const id = chunk.toString(16).padStart(16, "0");
    return `chunks/${id.slice(-2)}/${id}-00000000000000000002`;
  };

  /** A manifest with a chunk that one row of the page map names. */
  async function opened(seed: number) {
    const { world, open } = manifestWorld(seed);
    const manifest = await open();
    const publish = (change: ManifestChange) => world.run(() => manifest.publish(change));
    await publish({ durableLsn: lsn(99), nextStreamId: 9 as never, nextChunkId: chunkId(9) });
    await publish({
      putDatabases: [databaseRow(1)],
      putMapRows: [mapRow(1, 0, 5)],
      putChunks: [chunkRow(5, 1)],
    });
    const again = async () => {
      await world.run(() => manifest.close());
      return (await open()).opened;
    };
    return { publish, again };
  }
  const goes: ManifestChange = {
    removeMapRows: [{ stream: 1 as never, rowIndex: 0, fromLsn: lsn(0) }],
    removeChunks: [chunkId(5)],
  };

  // evidence: G33
  test("becomes garbage there in the commit in which the last row that names it goes", async () => {
    const { publish, again } = await opened(1);
    await publish({ putRemoteChunks: [remote(5)] });
    const goneGeneration = await publish(goes);
    const { remoteChunks: left, remoteGarbage: garbage } = await again();
    expect(left).toEqual([]);
    expect(garbage).toEqual([
      {
        key: key(5),
        state: "unreferenced",
        count: 1,
        bytes: 999,
        bornGeneration: 3,
        goneGeneration,
      },
    ]);
  });

  test("becomes garbage at once if it went while it was put", async () => {
    const { publish, again } = await opened(2);
    await publish(goes);
    await publish({ putRemoteChunks: [remote(5)] });
    const { remoteChunks: left, remoteGarbage: garbage } = await again();
    expect([left.length, garbage.map((each) => each.key)]).toEqual([0, [key(5)]]);
  });

  test("stays while the log names it, though the page map does not yet", async () => {
    const { publish, again } = await opened(3);
    await publish({ putRemoteChunks: [remote(7, 50)] });
    const { remoteChunks: left, remoteGarbage: garbage } = await again();
    expect([left, garbage]).toEqual([[remote(7, 50)], []]);
  });

  test("that is taken over by a checkpoint and leaves it again goes as any other", async () => {
    const { publish, again } = await opened(4);
    await publish({ putRemoteChunks: [remote(5, 50)] });
    await publish(goes);
    const { remoteChunks: left, remoteGarbage: garbage } = await again();
    expect([left.length, garbage.map((each) => each.key)]).toEqual([0, [key(5)]]);
  });
});

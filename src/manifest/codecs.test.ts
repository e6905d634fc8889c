import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isStorageError, StorageError } from "../base/errors.ts";
import { chunkId, lsn, segmentSequence, streamId } from "../base/units.ts";
import {
  type CatalogueEntry,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
} from "./catalogue-entry.ts";
import { seal } from "./envelope.ts";
import { databaseKey, mapRowKey, mapRowRange, segmentKey, tableRange } from "./keys.ts";
import type { ChunkRow, DatabaseRow } from "./manifest.ts";
import {
  decodeChunk,
  decodeDatabase,
  decodeMapRow,
  decodeSegment,
  decodeState,
  decodeStore,
  encodeChunk,
  encodeDatabase,
  encodeMapRow,
  encodeSegment,
  encodeState,
  encodeStore,
  type Pair,
} from "./values.ts";

const file = "/store/manifest";
const at = (pair: Pair) => ({ ...pair, file });
const u32 = fc.nat(2 ** 32 - 1);
const u53 = fc.maxSafeNat();
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
const engine = fc.constantFrom("sqlite" as const, "libsql" as const);

const databaseRow: fc.Arbitrary<DatabaseRow> = fc
  .record({
    stream: u32.map(streamId),
    state: fc.constantFrom("live" as const, "importing" as const, "dropped" as const),
    name,
    engine,
    pageBytes: u32,
    pageCount: u32,
    lsn: u53.map(lsn),
    createdAtMs: u53,
    droppedLsn: fc.option(u53.map(lsn), { nil: undefined }),
  })
  .map(({ droppedLsn, ...row }) => (droppedLsn === undefined ? row : { ...row, droppedLsn }));

const catalogueEntry: fc.Arbitrary<CatalogueEntry> = fc.oneof(
  fc.record({
    type: fc.constant("create" as const),
    stream: u32.map(streamId),
    name,
    engine,
    pageBytes: u32,
    createdAtMs: u53,
    importing: fc.boolean(),
  }),
  fc.record({ type: fc.constant("rename" as const), stream: u32.map(streamId), name }),
  fc.record({
    type: fc.constantFrom("drop" as const, "publish" as const),
    stream: u32.map(streamId),
  }),
);

const locations = fc
  .record({
    first: fc.nat(511),
    values: fc.array(fc.oneof(fc.constant(0), u53), { maxLength: 512 }),
  })
  .map(({ first, values }) => {
    const row = new Float64Array(512);
    row.set(values.slice(0, 512 - first), first);
    return row;
  });

describe("values of the manifest", () => {
  test("every row comes back as it was written", () => {
    const chunkRow: fc.Arbitrary<ChunkRow> = fc.record({
      chunk: u53.map(chunkId),
      fileBytes: u53,
      pageCount: u32,
      livePages: u32,
    });
    const state = fc.record({
      generation: u53,
      checkpointLsn: u53.map(lsn),
      durableLsn: u53.map(lsn),
      nextStreamId: u32.map(streamId),
      nextChunkId: u53.map(chunkId),
      clean: fc.boolean(),
    });
    fc.assert(
      fc.property(databaseRow, chunkRow, state, u53, (database, chunk, marks, generation) => {
        expect(decodeDatabase(at(encodeDatabase(database, generation)))).toEqual(database);
        expect(decodeChunk(at(encodeChunk(chunk, generation)))).toEqual(chunk);
        expect(decodeState(at(encodeState(marks)))).toEqual(marks);
      }),
    );
    const storeId = Uint8Array.from([1, 2, 3]);
    const store = { schemaVersion: 1, storeId };
    expect(decodeStore(at(encodeStore(store, 1)))).toEqual(store);
    const segment = segmentSequence(2 ** 40 + 5);
    expect(decodeSegment(at(encodeSegment(segmentKey(segment), 3)))).toBe(segment);
  });

  test("a map row comes back whole, and one without any location is not stored", () => {
    fc.assert(
      fc.property(locations, u32, (row, rowIndex) => {
        const pair = encodeMapRow({ stream: streamId(3), rowIndex, locations: row }, 9);
        if (row.every((location) => location === 0)) expect(pair).toBeUndefined();
        else expect(pair && decodeMapRow(at(pair))).toEqual(row);
      }),
    );
  });

  test("the row of a database of one page takes less than 40 bytes", () => {
    const row = new Float64Array(512);
    row[0] = 2 ** 45;
    const pair = encodeMapRow({ stream: streamId(3), rowIndex: 0, locations: row }, 9);
    expect(pair?.value.length).toBeLessThan(40);
  });

  // evidence: G4
  test("a value with any bit flipped is refused as corrupt, never read as another", () => {
    const row: DatabaseRow = {
      stream: streamId(7),
      state: "live",
      name: "tenant",
      engine: "sqlite",
      pageBytes: 4096,
      pageCount: 3,
      lsn: lsn(99),
      createdAtMs: 5,
    };
    const pair = encodeDatabase(row, 12);
    for (let bit = 0; bit < pair.value.length * 8; bit++) {
      const value = pair.value.slice();
      value[bit >> 3] = (value[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const error = thrownBy(() => decodeDatabase({ key: pair.key, value, file }));
      expect(isStorageError(error, "BOP_CORRUPT")).toBe(true);
    }
  });

  test("a value that lies under another key is refused", () => {
    const { value } = encodeSegment(segmentKey(segmentSequence(1)), 1);
    const misplaced = { key: segmentKey(segmentSequence(2)), value, file };
    expect(
      isStorageError(
        thrownBy(() => decodeSegment(misplaced)),
        "BOP_CORRUPT",
      ),
    ).toBe(true);
  });

  test("a value of a newer version is refused as such, and not as damage", () => {
    const key = databaseKey(streamId(1));
    const value = seal(Uint8Array.of(1, 2, 3), { key, version: 2, generation: 1 });
    const error = thrownBy(() => decodeDatabase({ key, value, file }));
    expect(isStorageError(error, "BOP_FORMAT") && error.details.found).toBe("version 2");
  });

  test("no bytes make a decoder throw anything but a StorageError", () => {
    const decoders = [decodeStore, decodeState, decodeDatabase, decodeChunk, decodeMapRow];
    const key = fc.uint8Array({ maxLength: 12 });
    fc.assert(
      fc.property(key, fc.uint8Array({ maxLength: 80 }), fc.boolean(), (key, bytes, intact) => {
        // With a right checksum around them, the bytes reach the parser.
        const value = intact ? seal(bytes, { key, version: 1, generation: 1 }) : bytes;
        for (const decode of [...decoders, decodeSegment]) {
          const error = thrownBy(() => decode({ key, value, file }));
          expect(error === undefined || error instanceof StorageError).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("entries of the catalogue", () => {
  test("every entry comes back as it was written", () => {
    fc.assert(
      fc.property(catalogueEntry, (entry) => {
        expect(decodeCatalogueEntry(encodeCatalogueEntry(entry))).toEqual(entry);
      }),
    );
  });

  test("no bytes make the decoder throw anything but a StorageError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(5), (bytes, type) => {
        for (const candidate of [bytes, Uint8Array.of(1, type, ...bytes)]) {
          const error = thrownBy(() => decodeCatalogueEntry(candidate));
          expect(error === undefined || error instanceof StorageError).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("an entry that is cut short or goes on is refused", () => {
    const entry = encodeCatalogueEntry({ type: "rename", stream: streamId(1), name: "é" });
    const cut = thrownBy(() => decodeCatalogueEntry(entry.subarray(0, entry.length - 1)));
    const longer = thrownBy(() => decodeCatalogueEntry(Uint8Array.of(...entry, 0)));
    expect([cut, longer].map((error) => isStorageError(error, "BOP_CORRUPT"))).toEqual([
      true,
      true,
    ]);
  });

  test("an entry of a newer version is refused as such", () => {
    const error = thrownBy(() => decodeCatalogueEntry(Uint8Array.of(2, 1)));
    expect(isStorageError(error, "BOP_FORMAT")).toBe(true);
  });
});

describe("keys of the manifest", () => {
  test("keys are in the order of their numbers, within their table", () => {
    const pair = fc.tuple(u32, u32);
    fc.assert(
      fc.property(pair, pair, ([streamA, rowA], [streamB, rowB]) => {
        const order = Buffer.compare(
          mapRowKey(streamId(streamA), rowA),
          mapRowKey(streamId(streamB), rowB),
        );
        expect(order).toBe(Math.sign(streamA - streamB) || Math.sign(rowA - rowB));
      }),
    );
  });

  test("the range of a database holds its own rows and no other's, at every carry", () => {
    for (const stream of [0, 1, 255, 256, 65_535, 2 ** 24 - 1, 2 ** 32 - 2]) {
      const { from, to } = mapRowRange(streamId(stream));
      const within = (key: Uint8Array) =>
        Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0;
      expect(within(mapRowKey(streamId(stream), 0))).toBe(true);
      expect(within(mapRowKey(streamId(stream), 2 ** 32 - 1))).toBe(true);
      expect(within(mapRowKey(streamId(stream + 1), 0))).toBe(false);
      if (stream > 0) expect(within(mapRowKey(streamId(stream - 1), 2 ** 32 - 1))).toBe(false);
    }
  });

  test("a table's range ends before the next table", () => {
    const { from, to } = tableRange("databases");
    const key = databaseKey(streamId(2 ** 32 - 1));
    expect(Buffer.compare(from, key)).toBe(-1);
    expect(Buffer.compare(key, to)).toBe(-1);
    expect(Buffer.compare(to, segmentKey(segmentSequence(0)))).toBe(-1);
  });
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

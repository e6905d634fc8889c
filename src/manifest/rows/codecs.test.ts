import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isStorageError, StorageError } from "../../base/errors.ts";
import { lsn, segmentSequence, streamId } from "../../base/units.ts";
import { TABLES } from "../schema.ts";
import { type DatabaseRow, databases } from "../tables/databases.ts";
import { mapOf, pageMap } from "../tables/page-map.ts";
import { segments } from "../tables/segments.ts";
import { decodeState, decodeStore } from "../tables/state.ts";
import {
  type CatalogueEntry,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
} from "./catalogue-entry.ts";
import { seal } from "./envelope.ts";

const file = "/store/manifest";
const u32 = fc.nat(2 ** 32 - 1);
const u53 = fc.maxSafeNat();
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
const engine = fc.constantFrom("sqlite" as const, "libsql" as const);

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
  fc.record({
    type: fc.constant("createLog" as const),
    stream: u32.map(streamId),
    name,
    createdAtMs: u53,
  }),
  fc.record({
    type: fc.constant("fork" as const),
    stream: u32.map(streamId),
    origin: fc.record({ stream: u32.map(streamId), lsn: u53.map(lsn) }),
    family: u32.map(streamId),
    engine: fc.constantFrom("sqlite" as const, "libsql" as const),
    importing: fc.boolean(),
    pageBytes: u32,
    createdAtMs: u53,
    name,
  }),
  fc.record({
    type: fc.constant("snapshot" as const),
    stream: u32.map(streamId),
    lsn: u53.map(lsn),
    createdAtMs: u53,
    name,
  }),
  fc.record({
    type: fc.constantFrom("rename" as const, "dropSnapshot" as const),
    stream: u32.map(streamId),
    name,
  }),
  fc.record({
    type: fc.constantFrom("drop" as const, "publish" as const),
    stream: u32.map(streamId),
  }),
);

const tenant: DatabaseRow = {
  stream: streamId(7),
  state: "live",
  name: "tenant",
  engine: "sqlite",
  pageBytes: 4096,
  pageCount: 3,
  lsn: lsn(99),
  createdAtMs: 5,
  createdLsn: lsn(2),
  family: streamId(7),
  flat: true,
};

const mapKeyOf = (stream: number, rowIndex: number, fromLsn = 0) => ({
  stream: streamId(stream),
  rowIndex,
  fromLsn: lsn(fromLsn),
});

const named = { stream: streamId(7), name: "é" };
const born = { ...named, pageBytes: 4096, createdAtMs: 12, importing: true };
const ENTRIES: readonly { readonly entry: CatalogueEntry; readonly bytes: string }[] = [
  {
    entry: { type: "create", engine: "libsql", ...born },
    bytes: "0101070000000201001000000c000000000000000200c3a9",
  },
  { entry: { type: "drop", stream: streamId(7) }, bytes: "010207000000" },
  { entry: { type: "rename", ...named }, bytes: "0103070000000200c3a9" },
  { entry: { type: "publish", stream: streamId(7) }, bytes: "010407000000" },
  {
    entry: { type: "createLog", ...named, createdAtMs: 12 },
    bytes: "0105070000000c000000000000000200c3a9",
  },
  {
    entry: {
      type: "fork",
      engine: "sqlite",
      origin: { stream: streamId(3), lsn: lsn(80) },
      family: streamId(1),
      ...born,
    },
    bytes: "010607000000030000005000000000000000010000000101001000000c000000000000000200c3a9",
  },
  {
    entry: { type: "snapshot", ...named, stream: streamId(0), lsn: lsn(80), createdAtMs: 12 },
    bytes: "01070000000050000000000000000c000000000000000200c3a9",
  },
  { entry: { type: "dropSnapshot", ...named }, bytes: "0108070000000200c3a9" },
];

describe("values of the manifest", () => {
  test("the row of a database of one page takes less than 40 bytes", () => {
    const locations = new Float64Array(512);
    locations[0] = 2 ** 45;
    const { value } = pageMap.encode({ ...mapKeyOf(3, 4), locations }, 9);
    expect(value.length).toBeLessThan(40);
  });

  // evidence: G4
  test("a value with any bit flipped is refused as corrupt, never read as another", () => {
    const pair = databases.encode(tenant, 12);
    for (let bit = 0; bit < pair.value.length * 8; bit++) {
      const value = pair.value.slice();
      value[bit >> 3] = (value[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const error = thrownBy(() => databases.decode({ key: pair.key, value, file }));
      expect(isStorageError(error, "BOP_CORRUPT")).toBe(true);
    }
  });

  test("a value that lies under another key is refused", () => {
    const { value } = segments.encode(segmentSequence(1), 1);
    const { key } = segments.encode(segmentSequence(2), 1);
    const error = thrownBy(() => segments.decode({ key, value, file }));
    expect(isStorageError(error, "BOP_CORRUPT")).toBe(true);
  });

  test("a value of a newer version is refused as such, and not as damage", () => {
    const key = databases.encodeKey(streamId(1));
    const version = databases.version + 1;
    const value = seal(Uint8Array.of(1, 2, 3), { key, version, generation: 1 });
    const error = thrownBy(() => databases.decode({ key, value, file }));
    expect(isStorageError(error, "BOP_FORMAT") && error.details.found).toBe(`version ${version}`);
  });

  test("a value of a version that its schema does not have is refused as damage", () => {
    const key = databases.encodeKey(streamId(1));
    const value = seal(Uint8Array.of(1), { key, version: 0, generation: 1 });
    const error = thrownBy(() => databases.decode({ key, value, file }));
    expect(isStorageError(error, "BOP_CORRUPT")).toBe(true);
  });

  test("no bytes make a decoder throw anything but a StorageError", () => {
    const decoders = [...TABLES.map(({ decode }) => decode), decodeStore, decodeState];
    const key = fc.tuple(fc.nat(20), fc.uint8Array({ maxLength: 12 }));
    const bytes = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(key, bytes, fc.nat(3), ([table, rest], payload, version) => {
        const place = Uint8Array.of(table, ...rest);
        // With a right checksum around them, the bytes reach the parser.
        const envelope = { key: place, version, generation: 1 };
        const value = version > 0 ? seal(payload, envelope) : payload;
        for (const decode of decoders) {
          const error = thrownBy(() => decode({ key: place, value, file }));
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
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(6), (bytes, type) => {
        for (const candidate of [bytes, Uint8Array.of(1, type, ...bytes)]) {
          const error = thrownBy(() => decodeCatalogueEntry(candidate));
          expect(error === undefined || error instanceof StorageError).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test.each(ENTRIES)("has these bytes: $entry.type", ({ entry, bytes }) => {
    expect(Buffer.from(encodeCatalogueEntry(entry)).toString("hex")).toBe(bytes);
    expect(decodeCatalogueEntry(Buffer.from(bytes, "hex"))).toEqual(entry);
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
  const mapKey = (stream: number, rowIndex: number, fromLsn = 0) =>
    pageMap.encodeKey(mapKeyOf(stream, rowIndex, fromLsn));

  test("keys are in the order of their numbers, within their table", () => {
    const pair = fc.tuple(u32, u32);
    fc.assert(
      fc.property(pair, pair, ([streamA, rowA], [streamB, rowB]) => {
        const order = Buffer.compare(mapKey(streamA, rowA), mapKey(streamB, rowB));
        expect(order).toBe(Math.sign(streamA - streamB) || Math.sign(rowA - rowB));
      }),
    );
  });

  test("the range of a database holds its own rows and no other's, at every carry", () => {
    for (const stream of [0, 1, 255, 256, 65_535, 2 ** 24 - 1, 2 ** 32 - 2]) {
      const { from, to } = mapOf(streamId(stream));
      const within = (key: Uint8Array) =>
        Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0;
      expect(within(mapKey(stream, 0))).toBe(true);
      expect(within(mapKey(stream, 2 ** 32 - 1))).toBe(true);
      expect(within(mapKey(stream + 1, 0))).toBe(false);
      if (stream > 0) expect(within(mapKey(stream - 1, 2 ** 32 - 1))).toBe(false);
    }
  });

  test("a table's range ends before the next table", () => {
    const { from, to } = databases.range();
    const key = databases.encodeKey(streamId(2 ** 32 - 1));
    expect(Buffer.compare(from, key)).toBe(-1);
    expect(Buffer.compare(key, to)).toBe(-1);
    expect(Buffer.compare(to, segments.encodeKey(segmentSequence(0)))).toBe(-1);
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

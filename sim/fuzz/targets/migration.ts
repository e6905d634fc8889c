/** A ROW OF A STORE OF SCHEMA 2 OR 4, as the migrations to the next one meet it. */
import { crc32 } from "node:zlib";
import type { KeyValuePair, KeyValueStore } from "../../../src/manifest/index.ts";
import { toSchema3 } from "../../../src/manifest/opening/migrations/to-schema-3.ts";
import { toSchema5 } from "../../../src/manifest/opening/migrations/to-schema-5.ts";
import { STATE_KEY } from "../../../src/manifest/rows/keys.ts";
import { tableOf } from "../../../src/manifest/schema.ts";
import { type FuzzTarget, holds, putCrc, refusable } from "../target.ts";

const FILE = "fuzz";
const STATE = hex(
  "020400000000000000004000000000000000500000000000002d0100000900000000000000015046" +
    "000000000000090204000000000000000601000000000000000402000000000000000b0400000000" +
    "0000000702000000000000000303000000000000000505000000000000000f01000000000000000c" +
    "01000000000000000400000000000000351bc0b8",
);
/** Databases, one of them dropped; chunks of pages and of records; a row of the page map. */
const ROWS: readonly (readonly [key: string, value: string])[] = [
  [
    "0200000002",
    "01010a006772c3b6c39f652fceb10200200000bc020000e02e00000000000000505c18a301000000" +
      "0200000000000000c9fd01f5",
  ],
  [
    "0200000100",
    "0103080074656e616e742d310100100000030000000a0000000000000000505c18a3010000016842" +
      "000000000000020000000000000074dc5a6b",
  ],
  ["030000000000000006", "0201400d030000000000d2000000d0000000000000000300000000000000df96b252"],
  ["030000000000000007", "020288130000000000002800000021000000000000000300000000000000fc8d5e4f"],
  [
    "050000010000000000",
    "01000003001000000500000000510000050000000092000005000000000300000000000000a419df" + "20",
  ],
];

/** Of a dead letter of schema 4. */
const LETTER = [
  "0e0000000000000009",
  "01010c0000000000000001000000010061010062010000000705000000000000000432f447",
] as const;
const MIGRATIONS = [toSchema3, toSchema5];

/** One row: the length of its key, the key, the value. */
export const manifestMigration: FuzzTarget = {
  name: "manifest-migration",
  bytesMax: 1024,
  seeds: () => [
    joined(STATE_KEY, STATE),
    ...[...ROWS, LETTER].map(([key, value]) => joined(hex(key), hex(value))),
  ],
  mend(bytes) {
    const end = 1 + (bytes[0] ?? 0);
    const crcAt = bytes.length - 4;
    if (end > crcAt) return;
    putCrc(bytes, crcAt, crc32(bytes.subarray(end, crcAt), crc32(bytes.subarray(1, end))));
  },
  check(bytes) {
    const end = 1 + (bytes[0] ?? 0);
    const row = { key: bytes.slice(1, end), value: bytes.slice(end) };
    for (const migration of MIGRATIONS) {
      const migrated = refusable(() => migration.migrate(storeOf(row), FILE))?.value;
      for (const { key, value } of migrated?.operations ?? []) {
        if (value === undefined) continue;
        const table = tableOf(key[0] as number);
        holds(table?.decode({ key, value, file: FILE }) !== undefined, "what is migrated is a row");
      }
    }
  },
};

/** A store with one row, which may be its state. */
function storeOf(row: KeyValuePair): KeyValueStore {
  const isState = Buffer.compare(row.key, STATE_KEY) === 0;
  const get = (key: Uint8Array) =>
    Buffer.compare(key, STATE_KEY) === 0 ? (isState ? row.value : STATE) : undefined;
  const range = (from: Uint8Array, to: Uint8Array) =>
    Buffer.compare(from, row.key) <= 0 && Buffer.compare(row.key, to) < 0 ? [row] : [];
  return { get, range } as never;
}

function joined(key: Uint8Array, value: Uint8Array): Uint8Array {
  return Uint8Array.of(key.length, ...key, ...value);
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

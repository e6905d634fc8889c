/** WHAT ONE MIGRATION IS, and what they have in common. */
import { StorageError } from "../../../base/errors.ts";
import { Malformed } from "../../rows/bytes.ts";
import { corrupt, type Sealed } from "../../rows/envelope.ts";
import type { Table } from "../../rows/table.ts";
import { TABLES } from "../../schema.ts";
import type { KeyValueOperation, KeyValuePair, KeyValueStore } from "../../stores/key-value.ts";
import type { CountedRows, StateValue } from "../../tables/state.ts";

export interface Migration {
  /** The schema that it brings to the next. */
  readonly from: number;
  readonly migrate: (store: KeyValueStore, file: string) => Migrated;
}

export interface Migrated {
  readonly operations: readonly KeyValueOperation[];
  readonly state: StateValue;
}

/** A row that every store has. Throws BOP_CORRUPT if it is missing. */
export function required(store: Pick<KeyValueStore, "get">, key: Uint8Array, file: string): Sealed {
  const value = store.get(key);
  if (value !== undefined) return { key, value, file };
  const why = `the row "${Buffer.from(key.subarray(1)).toString("latin1")}" is missing`;
  throw new StorageError("BOP_CORRUPT", `the manifest in ${file} is damaged: ${why}`, {
    details: { file, offset: 0, why },
  });
}

/** All rows of a table, whatever the version of their payloads. */
export function* stored(
  store: KeyValueStore,
  table: Pick<Table<unknown, unknown>, "range">,
  file: string,
): Generator<Sealed> {
  const { from, to } = table.range();
  for (const { key, value } of store.range(from, to)) yield { key, value, file };
}

/** Throws BOP_CORRUPT if it is none of the table. */
export function keyOf<Key>(table: Pick<Table<Key, unknown>, "decodeKey">, found: Sealed): Key {
  try {
    return table.decodeKey(found.key);
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause;
    throw corrupt(found, "the key is not one of its table", cause);
  }
}

/** As they are, and as they will be: rows that are put anew count once. */
export function counted(store: KeyValueStore, put: readonly KeyValuePair[]): CountedRows {
  const rows = new Map<number, number>();
  const count = (table: number): unknown => rows.set(table, (rows.get(table) ?? 0) + 1);
  for (const { number, range } of TABLES) {
    const { from, to } = range();
    for (const _ of store.range(from, to)) count(number);
  }
  for (const { key } of put) if (store.get(key) === undefined) count(key[0] as number);
  return rows;
}

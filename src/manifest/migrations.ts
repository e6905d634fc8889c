/**
 * MIGRATIONS: what makes a store of an older schema one of this.
 *
 *   1 → 2  chunks say their kind and their references; names have a table; the state says how far
 *          the catalogue is, and counts rows
 *
 * (1) Forward only, one after the other, each in one commit together with the new version: a crash
 *     leaves the old schema or the new one.
 * (2) A migration reads with decoders of its own: those of the tables know today's payloads only.
 * (3) A store of a newer schema is refused as such, and nothing of it is touched.
 */
import { StorageError } from "../base/errors.ts";
import { chunkId, lsn, streamId } from "../base/units.ts";
import { type Sealed, unseal } from "./envelope.ts";
import type { KeyValueOperation, KeyValueStore } from "./key-value.ts";
import { STATE_KEY, STORE_KEY } from "./keys.ts";
import type { ChunkRow } from "./manifest.ts";
import { SCHEMA_VERSION, TABLES } from "./schema.ts";
import type { Pair, Table } from "./table.ts";
import { chunks } from "./tables/chunks.ts";
import { databases } from "./tables/databases.ts";
import { names } from "./tables/names.ts";
import {
  type CountedRows,
  decodeStore,
  encodeState,
  encodeStore,
  type StateValue,
} from "./tables/state.ts";

interface Migration {
  readonly from: number;
  /** What is to be put, and the state behind it. */
  readonly migrate: (store: KeyValueStore, file: string) => { rows: Pair[]; state: StateValue };
}

const MIGRATIONS: readonly Migration[] = [{ from: 1, migrate: toSchema2 }];

/** Brings the store up to SCHEMA_VERSION. Throws BOP_FORMAT for a newer one, and BOP_CORRUPT. */
export async function migrate(store: KeyValueStore, file: string): Promise<void> {
  while (true) {
    const { schemaVersion, storeId } = decodeStore(required(store, STORE_KEY, file));
    if (schemaVersion === SCHEMA_VERSION) return;
    const migration = MIGRATIONS.find(({ from }) => from === schemaVersion);
    if (migration === undefined) throw unknownSchema(schemaVersion, file);
    const { rows, state } = migration.migrate(store, file);
    const schema = encodeStore({ schemaVersion: schemaVersion + 1, storeId }, state.generation);
    const operations: KeyValueOperation[] = [...rows, schema, encodeState(state)];
    await store.commit(operations);
  }
}

/** A row that every store has. Throws BOP_CORRUPT if it is missing. */
export function required(store: KeyValueStore, key: Uint8Array, file: string): Sealed {
  const value = store.get(key);
  if (value !== undefined) return { key, value, file };
  const why = `the row "${Buffer.from(key.subarray(1)).toString("latin1")}" is missing`;
  throw new StorageError("BOP_CORRUPT", `the manifest in ${file} is damaged: ${why}`, {
    details: { file, offset: 0, why },
  });
}

function toSchema2(store: KeyValueStore, file: string): { rows: Pair[]; state: StateValue } {
  const old = unseal(required(store, STATE_KEY, file), {
    version: 1,
    parse: (from) => ({
      generation: from.u64(),
      checkpointLsn: lsn(from.u64()),
      durableLsn: lsn(from.u64()),
      nextStreamId: streamId(from.u32()),
      nextChunkId: chunkId(from.u64()),
      clean: from.flag(),
    }),
  });
  const generation = old.generation + 1;
  const rows: Pair[] = [];
  for (const found of stored(store, chunks, file)) {
    rows.push(chunks.encode(chunkOfSchema1(found), generation));
  }
  for (const found of stored(store, databases, file)) {
    const { stream, name, state } = databases.decode(found);
    if (state !== "dropped") {
      rows.push(names.encode({ space: "databases", name, stream }, generation));
    }
  }
  const catalogueLsn = old.checkpointLsn; // The catalogue was written by checkpoints alone.
  return { rows, state: { ...old, generation, catalogueLsn, rows: counted(store, rows) } };
}

function chunkOfSchema1(found: Sealed): ChunkRow {
  const chunk = chunks.decodeKey(found.key);
  const parse = { version: 1, parse: (from: { u64(): number; u32(): number }) => sizes(from) };
  return { chunk, kind: "pages", ...unseal(found, parse) };
}

function sizes(from: { u64(): number; u32(): number }) {
  return { fileBytes: from.u64(), pageCount: from.u32(), livePages: from.u32() };
}

/** As they are, and as they will be: rows that are put anew count once. */
function counted(store: KeyValueStore, put: readonly Pair[]): CountedRows {
  const rows = new Map<number, number>();
  const count = (table: number): unknown => rows.set(table, (rows.get(table) ?? 0) + 1);
  for (const { number, range } of TABLES) {
    const { from, to } = range();
    for (const _ of store.range(from, to)) count(number);
  }
  for (const { key } of put) if (store.get(key) === undefined) count(key[0] as number);
  return rows;
}

function* stored(
  store: KeyValueStore,
  table: Pick<Table<unknown, unknown>, "range">,
  file: string,
): Generator<Sealed> {
  const { from, to } = table.range();
  for (const { key, value } of store.range(from, to)) yield { key, value, file };
}

function unknownSchema(found: number, file: string): StorageError {
  return new StorageError("BOP_FORMAT", `the manifest in ${file} has an unknown schema`, {
    details: { file, found: `schema ${found}`, supported: `schema ${SCHEMA_VERSION}` },
  });
}

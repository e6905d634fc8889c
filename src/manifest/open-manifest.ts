/**
 * THE MANIFEST over a key-value store: reads everything but the page map when it opens, then turns
 * each change into one commit.
 *
 * (1) The state row is written by every change and carries the generation: a change is there if and
 *     only if its generation is.
 * (2) What a change says is checked before it is committed: marks only rise, and nothing names an
 *     LSN that is not durable (manifest.ts).
 * (3) After a commit failed because the disk was full, the next change opens the store again and
 *     goes on if the failed change left nothing. After any other failure it takes no more changes.
 */
import { assert } from "../base/assert.ts";
import { isStorageError, StorageError } from "../base/errors.ts";
import { chunkId, LSN_ZERO, lsn, type StreamId, streamId } from "../base/units.ts";
import type { Sealed } from "./envelope.ts";
import type { KeyValueOperation, KeyValueStore, OpenKeyValueStore } from "./key-value.ts";
import {
  chunkKey,
  databaseKey,
  mapRowKey,
  mapRowRange,
  STATE_KEY,
  STORE_KEY,
  segmentKey,
  type Table,
  tableRange,
} from "./keys.ts";
import type { Manifest, ManifestChange, ManifestState } from "./manifest.ts";
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
  SCHEMA_VERSION,
  type StateValue,
} from "./values.ts";

export interface ManifestOptions {
  readonly openStore: OpenKeyValueStore;
  /** Where the key-value store lies. */
  readonly directory: string;
  /** Identity of the store if there is none yet. Up to 255 bytes. */
  readonly storeIdForNew: Uint8Array;
}

/** Opens the manifest, or makes one. Throws BOP_CORRUPT, BOP_FORMAT, BOP_IO or BOP_DISK_FULL. */
export async function openManifest(options: ManifestOptions): Promise<Manifest> {
  const store = await options.openStore(options.directory);
  try {
    if (store.get(STORE_KEY) === undefined) await create(store, options);
    const { opened, state } = readAll(store, options.directory);
    return new StoredManifest({ store, opened, state, options });
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function create(store: KeyValueStore, options: ManifestOptions): Promise<void> {
  if (store.get(STATE_KEY) !== undefined) throw missing(STORE_KEY, options.directory);
  const { storeIdForNew: storeId } = options;
  const state: StateValue = {
    generation: 1,
    checkpointLsn: LSN_ZERO,
    durableLsn: LSN_ZERO,
    nextStreamId: streamId(1), // 0 is the catalogue.
    nextChunkId: chunkId(1),
    clean: true,
  };
  const rows = [encodeStore({ schemaVersion: SCHEMA_VERSION, storeId }, 1), encodeState(state)];
  await store.commit(rows);
}

function readAll(
  store: KeyValueStore,
  directory: string,
): { readonly opened: ManifestState; readonly state: StateValue } {
  const table = <T>(name: Table, decode: (found: Sealed) => T): T[] => {
    const { from, to } = tableRange(name);
    const rows: T[] = [];
    for (const { key, value } of store.range(from, to)) {
      rows.push(decode({ key, value, file: directory }));
    }
    return rows;
  };
  const { schemaVersion, storeId } = decodeStore(required(store, STORE_KEY, directory));
  if (schemaVersion !== SCHEMA_VERSION) throw unknownSchema(schemaVersion, directory);
  const state = decodeState(required(store, STATE_KEY, directory));
  const { generation: _, ...marks } = state;
  const opened: ManifestState = {
    storeId,
    ...marks,
    databases: table("databases", decodeDatabase),
    chunks: table("chunks", decodeChunk),
    segments: table("segments", decodeSegment),
  };
  return { opened, state };
}

interface Parts {
  readonly store: KeyValueStore;
  readonly opened: ManifestState;
  readonly state: StateValue;
  readonly options: ManifestOptions;
}

class StoredManifest implements Manifest {
  readonly opened: ManifestState;
  readonly #options: ManifestOptions;
  #store: KeyValueStore;
  #state: StateValue;
  #tail: Promise<unknown> = Promise.resolve();
  #full = false;
  #closed: Promise<void> | undefined;

  constructor({ store, opened, state, options }: Parts) {
    this.opened = opened;
    this.#options = options;
    this.#store = store;
    this.#state = state;
  }

  get generation(): number {
    return this.#state.generation;
  }

  publish(change: ManifestChange): Promise<number> {
    if (this.#closed !== undefined) return Promise.reject(closed());
    const published = this.#tail.then(() => this.#publish(change));
    this.#tail = published.catch(() => undefined); // Its caller hears of it; the queue only waits.
    return published;
  }

  mapRow(stream: StreamId, rowIndex: number): Float64Array | undefined {
    const key = mapRowKey(stream, rowIndex);
    const value = this.#store.get(key);
    if (value === undefined) return undefined;
    return decodeMapRow({ key, value, file: this.#options.directory });
  }

  close(): Promise<void> {
    this.#closed ??= this.#tail.then(() => this.#store.close());
    return this.#closed;
  }

  async #publish(change: ManifestChange): Promise<number> {
    if (this.#full) await this.#reopen();
    const state = nextState(this.#state, change);
    const batch = operations(this.#store, { change, generation: state.generation });
    try {
      await this.#store.commit([...batch, encodeState(state)]);
    } catch (error) {
      this.#full = isStorageError(error, "BOP_DISK_FULL");
      throw error;
    }
    this.#state = state;
    return state.generation;
  }

  /** See (3). The new handle is there before the old one goes: readers never find none. */
  async #reopen(): Promise<void> {
    const { openStore, directory } = this.#options;
    const store = await openStore(directory);
    const { generation } = decodeState(required(store, STATE_KEY, directory));
    const old = this.#store;
    this.#store = store;
    await old.close();
    if (generation !== this.#state.generation) {
      // The refused change is there after all, and its caller was told otherwise.
      throw new StorageError("BOP_IO", `a commit in ${directory} was refused, yet it was made`, {
        details: { operation: "commit", file: directory },
      });
    }
    this.#full = false;
  }
}

function nextState(state: StateValue, change: ManifestChange): StateValue {
  const { checkpointLsn = state.checkpointLsn, nextChunkId = state.nextChunkId } = change;
  const { nextStreamId = state.nextStreamId, clean = state.clean } = change;
  // A checkpoint folds only what is durable, so its LSN is one that is known to be.
  const known = change.durableLsn ?? state.durableLsn;
  const durableLsn = lsn(Math.max(known, checkpointLsn));
  assert(checkpointLsn >= state.checkpointLsn, "the checkpoint LSN fell");
  assert(durableLsn >= state.durableLsn, "the durable LSN fell");
  assert(nextStreamId >= state.nextStreamId, "a stream id would be used again");
  assert(nextChunkId >= state.nextChunkId, "a chunk id would be used again");
  for (const row of change.putDatabases ?? []) {
    assert(row.lsn <= durableLsn, () => `database ${row.stream} names LSN ${row.lsn}`);
    assert(row.stream < nextStreamId, () => `stream ${row.stream} was never given out`);
  }
  for (const { chunk } of change.putChunks ?? []) {
    assert(chunk < nextChunkId, () => `chunk ${chunk} was never given out`);
  }
  const generation = state.generation + 1;
  return { generation, checkpointLsn, durableLsn, nextStreamId, nextChunkId, clean };
}

/** Removals first: what a change both removes and puts is there afterwards. */
function operations(
  store: KeyValueStore,
  { change, generation }: { readonly change: ManifestChange; readonly generation: number },
): KeyValueOperation[] {
  const batch: KeyValueOperation[] = [];
  for (const stream of change.removeDatabases ?? []) {
    const { from, to } = mapRowRange(stream);
    batch.push({ key: databaseKey(stream) });
    for (const { key } of store.range(from, to)) batch.push({ key });
  }
  for (const chunk of change.removeChunks ?? []) batch.push({ key: chunkKey(chunk) });
  for (const sequence of change.removeSegments ?? []) batch.push({ key: segmentKey(sequence) });
  for (const row of change.putDatabases ?? []) batch.push(encodeDatabase(row, generation));
  for (const row of change.putChunks ?? []) batch.push(encodeChunk(row, generation));
  for (const sequence of change.addSegments ?? []) {
    batch.push(encodeSegment(segmentKey(sequence), generation));
  }
  for (const row of change.putMapRows ?? []) {
    batch.push(encodeMapRow(row, generation) ?? { key: mapRowKey(row.stream, row.rowIndex) });
  }
  return batch;
}

function required(store: KeyValueStore, key: Uint8Array, file: string): Sealed {
  const value = store.get(key);
  if (value === undefined) throw missing(key, file);
  return { key, value, file };
}

function missing(key: Uint8Array, file: string): StorageError {
  const why = `the row "${Buffer.from(key.subarray(1)).toString("latin1")}" is missing`;
  return new StorageError("BOP_CORRUPT", `the manifest in ${file} is damaged: ${why}`, {
    details: { file, offset: 0, why },
  });
}

function unknownSchema(found: number, file: string): StorageError {
  return new StorageError("BOP_FORMAT", `the manifest in ${file} has an unknown schema`, {
    details: { file, found: `schema ${found}`, supported: `schema ${SCHEMA_VERSION}` },
  });
}

function closed(): StorageError {
  return new StorageError("BOP_CLOSED", "the manifest was closed", {
    details: { what: "manifest" },
  });
}

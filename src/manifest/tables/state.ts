/**
 * ROWS OF THE STORE ITSELF, one each, under names of the table `meta`.
 *
 *   store  schema u32, store id: length u8 and bytes
 *   state  generation u64, checkpoint lsn u64, durable lsn u64, next stream u32,
 *          next chunk u64, clean u8, catalogue lsn u64, count u8, then for each of count tables:
 *          number u8, rows u64
 *
 * (1) `store` is written when the store is made, and when its schema changes. `state` is written by
 *     every commit and carries the generation: a commit is there if and only if its generation is.
 * (2) Rows are counted as they come and go, by the writer: nobody goes through a table to tell.
 */
import { type ChunkId, chunkId, type Lsn, lsn, type StreamId, streamId } from "../../base/units.ts";
import { ByteWriter } from "../rows/bytes.ts";
import { type Sealed, seal, unseal } from "../rows/envelope.ts";
import { STATE_KEY, STORE_KEY } from "../rows/keys.ts";
import type { Pair } from "../rows/table.ts";

const STORE_VERSION = 1;
const STATE_VERSION = 2;

export interface StoreValue {
  readonly schemaVersion: number;
  readonly storeId: Uint8Array;
}

/** How far things are. Numbers only rise. */
export interface Marks {
  readonly checkpointLsn: Lsn;
  readonly durableLsn: Lsn;
  readonly nextStreamId: StreamId;
  readonly nextChunkId: ChunkId;
  readonly clean: boolean;
  readonly catalogueLsn: Lsn;
}

/** By number of the table. */
export type CountedRows = ReadonlyMap<number, number>;

export interface StateValue extends Marks {
  readonly generation: number;
  readonly rows: CountedRows;
}

export function encodeStore({ schemaVersion, storeId }: StoreValue, generation: number): Pair {
  const payload = new ByteWriter().u32(schemaVersion).u8(storeId.length).raw(storeId).finish();
  const envelope = { key: STORE_KEY, version: STORE_VERSION, generation };
  return { key: STORE_KEY, value: seal(payload, envelope) };
}

export function decodeStore(found: Sealed): StoreValue {
  return unseal(found, {
    version: STORE_VERSION,
    parse: (from) => ({ schemaVersion: from.u32(), storeId: from.raw(from.u8()) }),
  });
}

export function encodeState(state: StateValue): Pair {
  const { generation } = state;
  const payload = new ByteWriter()
    .u64(generation)
    .u64(state.checkpointLsn)
    .u64(state.durableLsn)
    .u32(state.nextStreamId)
    .u64(state.nextChunkId)
    .u8(state.clean ? 1 : 0)
    .u64(state.catalogueLsn)
    .u8(state.rows.size);
  for (const [table, rows] of state.rows) payload.u8(table).u64(rows);
  const envelope = { key: STATE_KEY, version: STATE_VERSION, generation };
  return { key: STATE_KEY, value: seal(payload.finish(), envelope) };
}

export function decodeState(found: Sealed): StateValue {
  return unseal(found, {
    version: STATE_VERSION,
    parse: (from) => ({
      generation: from.u64(),
      checkpointLsn: lsn(from.u64()),
      durableLsn: lsn(from.u64()),
      nextStreamId: streamId(from.u32()),
      nextChunkId: chunkId(from.u64()),
      clean: from.flag(),
      catalogueLsn: lsn(from.u64()),
      rows: new Map(Array.from({ length: from.u8() }, () => [from.u8(), from.u64()] as const)),
    }),
  });
}

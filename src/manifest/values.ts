/**
 * PAYLOADS OF THE MANIFEST'S VALUES, each with its own version. They lie in an envelope
 * (envelope.ts). Little-endian; text is UTF-8 behind its length as a u16.
 *
 *   store     schema u32, store id: length u8 and bytes
 *   state     generation u64, checkpoint lsn u64, durable lsn u64, next stream u32,
 *             next chunk u64, clean u8
 *   database  state u8, name text, engine u8, page bytes u32, page count u32, lsn u64,
 *             created at ms u64, has dropped lsn u8, dropped lsn u64 if it has
 *   chunk     file bytes u64, page count u32, live pages u32
 *   segment   nothing: the key says it all
 *   map row   first u16, count u16, then count locations u64 from that index on; others are 0
 *
 * (1) Persistent: the numbers of states and engines are never changed or used again.
 * (2) Decoders take any bytes and throw nothing but BOP_CORRUPT and BOP_FORMAT.
 */
import { assert } from "../base/assert.ts";
import {
  type ChunkId,
  chunkId,
  type Lsn,
  lsn,
  type SegmentSequence,
  type StreamId,
  segmentSequence,
  streamId,
} from "../base/units.ts";
import { type ByteReader, ByteWriter, Malformed } from "./bytes.ts";
import { corrupt, type Sealed, seal, unseal } from "./envelope.ts";
import { chunkKey, databaseKey, mapRowKey, numberOfKey, STATE_KEY, STORE_KEY } from "./keys.ts";
import { type ChunkRow, type DatabaseRow, MAP_ROW_PAGES, type MapRowChange } from "./manifest.ts";

/** Of the set of tables as a whole. */
export const SCHEMA_VERSION = 1;

const VERSION = 1;
const STATES = { live: 1, importing: 2, dropped: 3 } as const;
/** Persistent, and used by the catalogue's entries too. */
export const ENGINES = { sqlite: 1, libsql: 2 } as const;

/** A row of the store: where it lies, and what lies there. */
export interface Pair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface StoreValue {
  readonly schemaVersion: number;
  readonly storeId: Uint8Array;
}

export interface StateValue {
  readonly generation: number;
  readonly checkpointLsn: Lsn;
  readonly durableLsn: Lsn;
  readonly nextStreamId: StreamId;
  readonly nextChunkId: ChunkId;
  readonly clean: boolean;
}

export function encodeStore({ schemaVersion, storeId }: StoreValue, generation: number): Pair {
  const payload = new ByteWriter().u32(schemaVersion).u8(storeId.length).raw(storeId);
  return sealed(STORE_KEY, { payload, generation });
}

export function decodeStore(found: Sealed): StoreValue {
  return parsed(found, (from) => ({ schemaVersion: from.u32(), storeId: from.raw(from.u8()) }));
}

export function encodeState(state: StateValue): Pair {
  const payload = new ByteWriter()
    .u64(state.generation)
    .u64(state.checkpointLsn)
    .u64(state.durableLsn)
    .u32(state.nextStreamId)
    .u64(state.nextChunkId)
    .u8(state.clean ? 1 : 0);
  return sealed(STATE_KEY, { payload, generation: state.generation });
}

export function decodeState(found: Sealed): StateValue {
  return parsed(found, (from) => ({
    generation: from.u64(),
    checkpointLsn: lsn(from.u64()),
    durableLsn: lsn(from.u64()),
    nextStreamId: streamId(from.u32()),
    nextChunkId: chunkId(from.u64()),
    clean: from.flag(),
  }));
}

export function encodeDatabase(row: DatabaseRow, generation: number): Pair {
  const payload = new ByteWriter()
    .u8(STATES[row.state])
    .text(row.name)
    .u8(ENGINES[row.engine])
    .u32(row.pageBytes)
    .u32(row.pageCount)
    .u64(row.lsn)
    .u64(row.createdAtMs)
    .u8(row.droppedLsn === undefined ? 0 : 1);
  if (row.droppedLsn !== undefined) payload.u64(row.droppedLsn);
  return sealed(databaseKey(row.stream), { payload, generation });
}

export function decodeDatabase(found: Sealed): DatabaseRow {
  const stream = streamId(keyNumber(found, 4));
  return parsed(found, (from) => {
    const row = {
      stream,
      state: from.oneOf(STATES, "state"),
      name: from.text(),
      engine: from.oneOf(ENGINES, "engine"),
      pageBytes: from.u32(),
      pageCount: from.u32(),
      lsn: lsn(from.u64()),
      createdAtMs: from.u64(),
    };
    return from.flag() ? { ...row, droppedLsn: lsn(from.u64()) } : row;
  });
}

export function encodeChunk(row: ChunkRow, generation: number): Pair {
  const payload = new ByteWriter().u64(row.fileBytes).u32(row.pageCount).u32(row.livePages);
  return sealed(chunkKey(row.chunk), { payload, generation });
}

export function decodeChunk(found: Sealed): ChunkRow {
  const chunk = chunkId(keyNumber(found, 8));
  return parsed(found, (from) => ({
    chunk,
    fileBytes: from.u64(),
    pageCount: from.u32(),
    livePages: from.u32(),
  }));
}

export function encodeSegment(key: Uint8Array, generation: number): Pair {
  return sealed(key, { payload: new ByteWriter(), generation });
}

export function decodeSegment(found: Sealed): SegmentSequence {
  return parsed(found, () => segmentSequence(keyNumber(found, 8)));
}

/** Undefined if no page of the row has a location: such a row is not stored. */
export function encodeMapRow(
  { stream, rowIndex, locations }: MapRowChange,
  generation: number,
): Pair | undefined {
  assert(locations.length === MAP_ROW_PAGES, () => `a map row of ${locations.length} pages`);
  let [first, end] = [0, MAP_ROW_PAGES];
  while (first < end && locations[first] === 0) first += 1;
  while (end > first && locations[end - 1] === 0) end -= 1;
  if (first === end) return undefined;
  const payload = new ByteWriter().u16(first).u16(end - first);
  for (const location of locations.subarray(first, end)) payload.u64(location);
  return sealed(mapRowKey(stream, rowIndex), { payload, generation });
}

export function decodeMapRow(found: Sealed): Float64Array {
  return parsed(found, (from) => {
    const [first, count] = [from.u16(), from.u16()];
    if (first + count > MAP_ROW_PAGES) throw new Malformed(`${first + count} pages in a row`);
    const locations = new Float64Array(MAP_ROW_PAGES);
    for (let at = first; at < first + count; at++) locations[at] = from.u64();
    return locations;
  });
}

function sealed(
  key: Uint8Array,
  { payload, generation }: { readonly payload: ByteWriter; readonly generation: number },
): Pair {
  return { key, value: seal(payload.finish(), { key, version: VERSION, generation }) };
}

function parsed<T>(found: Sealed, parse: (from: ByteReader) => T): T {
  return unseal(found, { version: VERSION, parse });
}

function keyNumber(found: Sealed, bytes: 4 | 8): number {
  const number = numberOfKey(found.key, bytes);
  if (number === undefined) throw corrupt(found, "the key is not one of its table");
  return number;
}

/**
 * KEYS OF THE MANIFEST. The first byte is the table; numbers follow in big-endian: the order
 * of the bytes is the order of the numbers.
 *
 *   1  meta       name (ASCII)
 *   2  databases  stream (u32)
 *   3  chunks     chunk (u64)
 *   4  segments   sequence (u64)
 *   5  map rows   stream (u32), row index (u32)
 *
 * (1) Persistent: a table's number is never changed or used again.
 */
import { assert } from "../base/assert.ts";
import type { ChunkId, SegmentSequence, StreamId } from "../base/units.ts";

const TABLE = { meta: 1, databases: 2, chunks: 3, segments: 4, mapRows: 5 } as const;
export type Table = keyof typeof TABLE;

export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** What the store is: written once. */
export const STORE_KEY = metaKey("store");
/** How far things are: written by every change. */
export const STATE_KEY = metaKey("state");
/** Who owns the directory: see owner.ts. */
export const OWNER_KEY = metaKey("owner");

export const databaseKey = (stream: StreamId): Uint8Array => numbers("databases", [stream]);
export const chunkKey = (chunk: ChunkId): Uint8Array => numbers("chunks", wide(chunk));
export const segmentKey = (segment: SegmentSequence): Uint8Array =>
  numbers("segments", wide(segment));
export const mapRowKey = (stream: StreamId, rowIndex: number): Uint8Array =>
  numbers("mapRows", [stream, rowIndex]);

export function tableRange(table: Table): KeyRange {
  return { from: Uint8Array.of(TABLE[table]), to: Uint8Array.of(TABLE[table] + 1) };
}

/** All rows of the page map of one database. */
export function mapRowRange(stream: StreamId): KeyRange {
  const from = numbers("mapRows", [stream]);
  return { from, to: nextAfter(from) };
}

/** The number behind the table byte; undefined if the key is not of that shape. */
export function numberOfKey(key: Uint8Array, bytes: 4 | 8): number | undefined {
  if (key.length !== 1 + bytes) return undefined;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const value = bytes === 4 ? view.getUint32(1) : Number(view.getBigUint64(1));
  return Number.isSafeInteger(value) ? value : undefined;
}

function metaKey(name: string): Uint8Array {
  return Uint8Array.of(TABLE.meta, ...Buffer.from(name, "latin1"));
}

function numbers(table: Table, words: readonly number[]): Uint8Array {
  const key = new Uint8Array(1 + 4 * words.length);
  const view = new DataView(key.buffer);
  view.setUint8(0, TABLE[table]);
  words.forEach((word, at) => {
    assert(Number.isInteger(word) && word >= 0 && word < 2 ** 32, () => `${word} is not a u32`);
    view.setUint32(1 + 4 * at, word);
  });
  return key;
}

function wide(n: number): [high: number, low: number] {
  return [Math.floor(n / 2 ** 32), n >>> 0];
}

/** The smallest key of the same length behind all that begin with `prefix`. */
function nextAfter(prefix: Uint8Array): Uint8Array {
  const next = prefix.slice();
  for (let at = next.length - 1; at >= 0; at--) {
    const value = next[at] as number;
    next[at] = value + 1; // 255 wraps to 0, and the carry goes on.
    if (value < 255) break;
  }
  return next;
}

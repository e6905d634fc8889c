/**
 * ROWS IN ORDER OF THEIR KEYS, in blocks that can be read and checked alone, and an index of the
 * blocks. Rows of the manifest lie so in a bucket, and what an index object knows of streams.
 *
 * The head of a row. Little-endian.
 *
 *   offset  size  field       meaning
 *        0     1  kind        1: this value lies under the key; 2: nothing does any more
 *        1     2  keyBytes    length of the key
 *        3     4  valueBytes  length of the value; 0 for kind 2
 *
 * The head of an entry of the index:
 *
 *   offset  size  field     meaning
 *        0     4  offset    where the block begins, in bytes from the object's beginning
 *        4     4  bytes     its length
 *        8     4  rows      how many rows are in it
 *       12     4  crc       CRC-32 of the block
 *       16     2  keyBytes  length of its first key, which follows
 *
 * How they lie:
 *
 *   block = row{rows}        row = head  key  value
 *   index = entry{blocks}    entry = head  firstKey
 *   end   = lastKeyBytes u16  lastKey
 *
 * (1) Keys are compared as bytes, and ascend strictly, in a block and from block to block.
 * (2) A block ends with the first row that makes it 32 KiB or more; none is empty.
 * (3) Blocks lie without gaps, from the end of the header to the end of the body.
 */
import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";
import { layout } from "../../base/layout.ts";
import { KIB } from "../../base/units.ts";
import { OBJECT_HEADER_BYTES } from "./object-header.ts";
import { atOnce, type Steps } from "./steps.ts";

export const ROW_HEAD = layout(7, [
  ["kind", "u8", "1: this value lies under the key; 2: nothing does any more"],
  ["keyBytes", "u16", "length of the key"],
  ["valueBytes", "u32", "length of the value; 0 for kind 2"],
]);

export const BLOCK_ENTRY = layout(18, [
  ["offset", "u32", "where the block begins, in bytes from the object's beginning"],
  ["bytes", "u32", "its length"],
  ["rows", "u32", "how many rows are in it"],
  ["crc", "u32", "CRC-32 of the block"],
  ["keyBytes", "u16", "length of its first key, which follows"],
]);

const ROW_BLOCK_BYTES = 32 * KIB;
/** Looked at in one step. */
const STEP_ROWS = 1024;
const PUT = 1;
const REMOVE = 2;
const LENGTH_BYTES = 2;

/** Without `value` the row is gone. */
export interface RowChange {
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
}

export interface BlockEntry {
  readonly firstKey: Uint8Array;
  readonly offset: number;
  readonly bytes: number;
  readonly rows: number;
  readonly crc: number;
}

export interface BlockIndex {
  readonly blocks: readonly BlockEntry[];
  /** Empty if there is no block. */
  readonly lastKey: Uint8Array;
}

export interface EncodedRows {
  readonly body: Uint8Array;
  readonly index: Uint8Array;
  readonly end: Uint8Array;
}

/** What a row takes in a block. */
export const rowBytes = ({ key, value }: RowChange): number =>
  ROW_HEAD.sizeBytes + key.length + (value?.length ?? 0);

/** Rows in order: see (1). They lie directly behind the header of an object. */
export function encodeRows(rows: readonly RowChange[]): EncodedRows {
  return atOnce(rowSteps(rows));
}

/** The same, in steps. */
export function* rowSteps(rows: readonly RowChange[]): Steps<EncodedRows> {
  let bodyBytes = 0;
  for (const [index, row] of rows.entries()) {
    bodyBytes += rowBytes(row);
    if (index % STEP_ROWS === 0) yield;
  }
  const body = new Uint8Array(bodyBytes);
  const into = { bytes: body, view: new DataView(body.buffer), at: 0 };
  const entries: Uint8Array[] = [];
  let [blockAt, blockRows] = [0, 0];
  let firstKey: Uint8Array | undefined;
  let lastKey: Uint8Array | undefined;
  for (const row of rows) {
    const isAbove = lastKey === undefined || Buffer.compare(lastKey, row.key) < 0;
    assert(isAbove, "keys ascend");
    lastKey = row.key;
    firstKey ??= row.key;
    putRow(into, row);
    const { at } = into;
    blockRows += 1;
    if (at - blockAt < ROW_BLOCK_BYTES && at < body.length) continue;
    yield; // Behind 32 KiB, or one row that is larger.
    const place = { offset: OBJECT_HEADER_BYTES + blockAt, bytes: at - blockAt, rows: blockRows };
    entries.push(entryOf({ firstKey, ...place, crc: crc32(body.subarray(blockAt, at)) }));
    [blockAt, blockRows, firstKey] = [at, 0, undefined];
  }
  return { body, index: Buffer.concat(entries), end: endOf(lastKey ?? new Uint8Array(0)) };
}

/** Undefined if they are no index and end of a body that ends at `bodyEnd`. Keeps views. */
export function decodeBlockIndex(
  { index, end }: Pick<EncodedRows, "index" | "end">,
  bodyEnd: number,
): BlockIndex | undefined {
  const { offset, sizeBytes } = BLOCK_ENTRY;
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  const blocks: BlockEntry[] = [];
  let bodyAt = OBJECT_HEADER_BYTES;
  for (let at = 0; at < index.length; ) {
    if (at + sizeBytes > index.length) return undefined;
    const keyAt = at + sizeBytes;
    const keyEnd = keyAt + view.getUint16(at + offset.keyBytes, true);
    if (keyEnd > index.length) return undefined;
    const block = {
      firstKey: index.subarray(keyAt, keyEnd),
      offset: view.getUint32(at + offset.offset, true),
      bytes: view.getUint32(at + offset.bytes, true),
      rows: view.getUint32(at + offset.rows, true),
      crc: view.getUint32(at + offset.crc, true),
    };
    const before = blocks.at(-1)?.firstKey;
    const ascends = before === undefined || Buffer.compare(before, block.firstKey) < 0;
    if (!ascends || block.offset !== bodyAt || block.rows === 0) return undefined;
    blocks.push(block);
    bodyAt += block.bytes;
    at = keyEnd;
  }
  const lastKey = lastKeyOf(end);
  const last = blocks.at(-1)?.firstKey ?? lastKey;
  if (bodyAt !== bodyEnd || lastKey === undefined || last === undefined) return undefined;
  if (blocks.length === 0 && lastKey.length > 0) return undefined;
  return Buffer.compare(last, lastKey) <= 0 ? { blocks, lastKey } : undefined;
}

/** The block in which a key would lie; undefined if it lies in none. */
export function blockOf({ blocks, lastKey }: BlockIndex, key: Uint8Array): BlockEntry | undefined {
  if (blocks.length === 0 || Buffer.compare(key, lastKey) > 0) return undefined;
  return blocks[firstBlockFrom({ blocks, lastKey }, key)];
}

/** The place of the first block that may have this key or one behind it. */
export function firstBlockFrom({ blocks }: BlockIndex, key: Uint8Array): number {
  let [low, high] = [0, blocks.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare((blocks[middle] as BlockEntry).firstKey, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** The rows of a block; undefined if it is not as it was written. Keeps views. */
export function decodeBlock(
  bytes: Uint8Array,
  { bytes: blockBytes, rows, crc, firstKey }: BlockEntry,
): RowChange[] | undefined {
  if (bytes.length !== blockBytes || crc32(bytes) !== crc) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: RowChange[] = [];
  for (let at = 0; at < bytes.length; ) {
    const row = rowAt(bytes, view, at);
    const before = found.at(-1)?.key;
    if (row === undefined) return undefined;
    const follows = before === undefined || Buffer.compare(before, row.key) < 0;
    if (!follows) return undefined;
    found.push(row);
    at += rowBytes(row);
  }
  const isWhole = found.length === rows && found[0] !== undefined;
  return isWhole && Buffer.compare(found[0]?.key ?? firstKey, firstKey) === 0 ? found : undefined;
}

interface RowBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
}

/** There are tens of thousands in an object: nothing is allocated. */
function putRow(into: RowBuffer, { key, value }: RowChange): void {
  const { offset, sizeBytes } = ROW_HEAD;
  const { bytes, view, at } = into;
  assert(key.length < 2 ** 16, "a key of 64 KiB");
  view.setUint8(at + offset.kind, value === undefined ? REMOVE : PUT);
  view.setUint16(at + offset.keyBytes, key.length, true);
  view.setUint32(at + offset.valueBytes, value?.length ?? 0, true);
  bytes.set(key, at + sizeBytes);
  into.at = at + sizeBytes + key.length;
  if (value === undefined) return;
  bytes.set(value, into.at);
  into.at += value.length;
}

function rowAt(bytes: Uint8Array, view: DataView, at: number): RowChange | undefined {
  const { offset, sizeBytes } = ROW_HEAD;
  const keyAt = at + sizeBytes;
  if (keyAt > bytes.length) return undefined;
  const kind = view.getUint8(at + offset.kind);
  const valueAt = keyAt + view.getUint16(at + offset.keyBytes, true);
  const end = valueAt + view.getUint32(at + offset.valueBytes, true);
  if (end > bytes.length) return undefined;
  const key = bytes.subarray(keyAt, valueAt);
  if (kind === PUT) return { key, value: bytes.subarray(valueAt, end) };
  return kind === REMOVE && end === valueAt ? { key } : undefined;
}

function entryOf({ firstKey, ...place }: BlockEntry): Uint8Array {
  const { offset, sizeBytes } = BLOCK_ENTRY;
  const bytes = new Uint8Array(sizeBytes + firstKey.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(offset.offset, place.offset, true);
  view.setUint32(offset.bytes, place.bytes, true);
  view.setUint32(offset.rows, place.rows, true);
  view.setUint32(offset.crc, place.crc, true);
  view.setUint16(offset.keyBytes, firstKey.length, true);
  bytes.set(firstKey, sizeBytes);
  return bytes;
}

function endOf(lastKey: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + lastKey.length);
  new DataView(bytes.buffer).setUint16(0, lastKey.length, true);
  bytes.set(lastKey, LENGTH_BYTES);
  return bytes;
}

function lastKeyOf(end: Uint8Array): Uint8Array | undefined {
  if (end.length < LENGTH_BYTES) return undefined;
  const length = new DataView(end.buffer, end.byteOffset, end.length).getUint16(0, true);
  return end.length === LENGTH_BYTES + length ? end.subarray(LENGTH_BYTES) : undefined;
}

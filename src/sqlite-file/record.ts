/**
 * A RECORD: one row of a table or entry of an index, as its header describes it.
 *
 *   length of the header │ type of each column │ columns
 *
 * (1) The types end where the header does, and the columns where the record does.
 * (2) Of a header that goes on in overflow pages, nothing is known but that it fits the record.
 */
import { narrow, Varint, type Wide } from "./varint.ts";

/** From here on, a type is text (odd) or a blob (even), and says how long. */
const TEXT_OR_BLOB = 12;
/** Bytes of the types before: null, integers of 1 to 8 bytes, a real, 0, 1, two reserved. */
const FIXED_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0] as const;
const REAL = 7;
const ZERO = 8;
const ONE = 9;

export interface RecordPlace {
  readonly at: number;
  /** Bytes of it in this page. */
  readonly localBytes: number;
  readonly payloadBytes: number;
}

const varint = new Varint();

/** What is wrong with it; undefined if nothing is that can be seen here: see (1), (2). */
export function whyNotRecord(view: DataView, place: RecordPlace): string | undefined {
  const { at, localBytes, payloadBytes } = place;
  const limit = at + localBytes;
  let next = varint.read(view, at, limit);
  if (next === undefined) return "a record has no header";
  const headerBytes = varint.value;
  if (headerBytes < next - at || headerBytes > payloadBytes) {
    return `the header of a record takes ${headerBytes} of its ${payloadBytes} bytes`;
  }
  if (headerBytes > localBytes) return undefined;
  const end = at + Number(headerBytes);
  let bytes = Number(headerBytes);
  while (next < end) {
    next = varint.read(view, next, end);
    if (next === undefined) return "the header of a record is cut off";
    const contentBytes = bytesOf(varint.value);
    if (contentBytes === undefined) return "a column of a record is longer than can be";
    bytes += contentBytes;
  }
  if (bytes === payloadBytes) return undefined;
  return `the columns of a record take ${bytes} of its ${payloadBytes} bytes`;
}

function bytesOf(type: Wide): number | undefined {
  if (typeof type === "bigint" || type < 0) return undefined;
  if (type >= TEXT_OR_BLOB) return Math.floor((type - TEXT_OR_BLOB) / 2);
  return FIXED_BYTES[type];
}

/** A column, as far as the schema has need of it; undefined for what it would not hold. */
export type Column = string | Wide | null | undefined;

/**
 * The first `count` columns of a record of which `bytes` is the beginning. `needs`: it must be given
 * that many bytes. Undefined if the header does not say.
 */
export function columnsOf(
  bytes: Uint8Array,
  count: number,
): { readonly columns: readonly Column[] } | { readonly needs: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let next = varint.read(view, 0, bytes.length);
  if (next === undefined) return undefined;
  const headerBytes = varint.value;
  if (headerBytes > bytes.length) return undefined;
  let at = Number(headerBytes);
  const places: { readonly type: number; readonly at: number; readonly bytes: number }[] = [];
  while (places.length < count) {
    next = varint.read(view, next, Number(headerBytes));
    if (next === undefined) return undefined;
    const type = varint.value;
    const size = bytesOf(type);
    if (size === undefined) return undefined;
    places.push({ type: Number(type), at, bytes: size });
    at += size;
  }
  if (at > bytes.length) return { needs: at };
  return { columns: places.map((place) => column(view, place)) };
}

function column(
  view: DataView,
  { type, at, bytes }: { readonly type: number; readonly at: number; readonly bytes: number },
): Column {
  if (type === 0) return null;
  if (type === ZERO) return 0;
  if (type === ONE) return 1;
  if (type >= TEXT_OR_BLOB) {
    if (type % 2 === 0) return undefined;
    return Buffer.from(view.buffer, view.byteOffset + at, bytes).toString();
  }
  if (type >= REAL) return undefined;
  let value = 0n;
  for (let index = 0; index < bytes; index += 1) {
    value = (value << 8n) | BigInt(view.getUint8(at + index));
  }
  return narrow(BigInt.asIntN(bytes * 8, value));
}

/**
 * BINARY LAYOUTS AS DATA: the table of a format is written once, in code; offsets are computed from
 * it, the comment above it and the page in docs/format are compared with it by tests.
 *
 * (1) Fields lie one behind the other without gaps; the declared size is the second opinion.
 * (2) Everything is little-endian.
 */
import { assert } from "./assert.ts";

const FIELD_BYTES = { u8: 1, u16: 2, u32: 4, u64: 8 } as const;
type FieldType = keyof typeof FIELD_BYTES | `bytes[${number}]` | `zero[${number}]`;
export type Field = readonly [name: string, type: FieldType, meaning: string];

export interface Layout<Name extends string> {
  /** Bytes that the whole layout takes. */
  readonly sizeBytes: number;
  /** Where each field begins, in bytes from the beginning of the layout. */
  readonly offset: Readonly<Record<Name, number>>;
  /** The table as it stands in the module's comment and in docs/format. */
  readonly table: string;
}

/** Offsets are computed here and nowhere else. */
export function layout<const Fields extends readonly Field[]>(
  declaredBytes: number,
  fields: Fields,
): Layout<Fields[number][0]> {
  const offset: Record<string, number> = {};
  const width = Math.max(...fields.map(([name]) => name.length), "field".length);
  const rows = [`offset  size  ${"field".padEnd(width)}  meaning`];
  let end = 0;
  for (const [name, type, meaning] of fields) {
    assert(offset[name] === undefined, () => `layout: ${name} appears twice`);
    const sizeBytes = fieldBytes(type);
    rows.push(`${pad(end, 6)}  ${pad(sizeBytes, 4)}  ${name.padEnd(width)}  ${meaning}`);
    offset[name] = end;
    end += sizeBytes;
  }
  assert(end === declaredBytes, () => `layout: fields take ${end} bytes, not ${declaredBytes}`);
  const table = rows.join("\n");
  return Object.freeze({ sizeBytes: end, offset: Object.freeze(offset), table }) as Layout<
    Fields[number][0]
  >;
}

function fieldBytes(type: FieldType): number {
  const counted = /^(?:bytes|zero)\[(\d+)\]$/.exec(type)?.[1];
  return counted === undefined ? FIELD_BYTES[type as keyof typeof FIELD_BYTES] : Number(counted);
}

function pad(n: number, width: number): string {
  return String(n).padStart(width);
}

/** Reads a u64 that must be a safe integer; undefined if it is not, since bytes may be anything. */
export function readU64(view: DataView, offset: number): number | undefined {
  const value = view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Writes a natural number below 2^53 as a u64. */
export function writeU64(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, () => `${value} does not fit a u64 field`);
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}

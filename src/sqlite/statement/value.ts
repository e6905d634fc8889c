/**
 * VALUES OUT OF C: a result row is an array of `Mem` structs, read in place. One call gives the
 * address of the first; the public functions would take three calls a column.
 *
 * (1) Text is UTF-8 at all times: databases of another encoding are refused when they are opened.
 * (2) A blob or text is copied out; nothing points into the instance's memory afterwards.
 */
import { assert } from "../../base/assert.ts";
import type { IntegerMode, SqlValue } from "../api.ts";
import * as abi from "../wasm/abi.ts";
import type { Heap } from "../wasm/heap.ts";
import type { Pointer, RawFunctions } from "../wasm/raw.ts";

const { MEM } = abi;

/** The value in the `Mem` at `address`. */
export function readValue(heap: Heap, address: Pointer, integers: IntegerMode): SqlValue {
  // In the order of sqlite3_value_type: a value can hold several forms of itself.
  const flags = heap.u16[(address + MEM.flags) >> 1] as number;
  if ((flags & MEM.isNull) !== 0) return null;
  if ((flags & MEM.isInteger) !== 0) return readInteger(heap, address, integers);
  if ((flags & MEM.isReal) !== 0) return heap.f64[address >> 3] as number;
  if ((flags & MEM.isIntegerAsReal) !== 0) return Number(heap.i64[address >> 3]);
  if ((flags & MEM.isText) !== 0) {
    const pointer = heap.u32[(address + MEM.pointer) >> 2] as number;
    return heap.text(pointer, heap.i32[(address + MEM.bytes) >> 2] as number);
  }
  return readBlob(heap, address, flags);
}

function readInteger(heap: Heap, address: Pointer, integers: IntegerMode): SqlValue {
  const low = heap.i32[address >> 2] as number;
  const high = heap.i32[(address >> 2) + 1] as number;
  if (integers === "number") {
    if (high === low >> 31) return low;
    const value = high * 2 ** 32 + (low >>> 0);
    if (Number.isSafeInteger(value)) return value;
    const exact = heap.i64[address >> 3];
    throw new RangeError(
      `the integer ${exact} is beyond 2^53; ask for integers as bigint or string`,
    );
  }
  if (integers === "string") return String(heap.i64[address >> 3]);
  return heap.i64[address >> 3] as bigint;
}

function readBlob(heap: Heap, address: Pointer, flags: number): Uint8Array {
  const pointer = heap.u32[(address + MEM.pointer) >> 2] as number;
  const bytes = heap.i32[(address + MEM.bytes) >> 2] as number;
  if ((flags & MEM.hasZeros) === 0) return heap.u8.slice(pointer, pointer + bytes);
  const zeros = heap.i32[address >> 2] as number;
  const blob = new Uint8Array(bytes + zeros);
  blob.set(heap.u8.subarray(pointer, pointer + bytes));
  return blob;
}

/** One column of every kind, in the order of `assertMemLayout`'s checks. */
const PROBE_SQL = "select 7, -9007199254740993, 2.5, 'añb', x'00ff', null, zeroblob(3), ''";

export interface ValueProbe {
  readonly c: RawFunctions;
  readonly heap: Heap;
  /** Compiles SQL and steps to its first row. */
  readonly firstRow: (sql: string) => Pointer;
}

/** Compares what is read through the offsets with what the public functions say. */
export function assertMemLayout({ c, heap, firstRow }: ValueProbe): void {
  const statement = firstRow(PROBE_SQL);
  const first = c.sqlite3_column_value(statement, 0);
  const read = (index: number): SqlValue => {
    assert(
      c.sqlite3_column_value(statement, index) === first + index * MEM.sizeBytes,
      () => `column ${index} does not lie where it should`,
    );
    return readValue(heap, first + index * MEM.sizeBytes, "bigint");
  };
  heap.fresh();
  assert(read(0) === c.sqlite3_column_int64(statement, 0), "a small integer");
  assert(read(1) === c.sqlite3_column_int64(statement, 1), "a large integer");
  assert(read(2) === c.sqlite3_column_double(statement, 2), "a real number");
  assert(read(3) === "añb", "a text");
  assert(Buffer.from([0, 255]).equals(read(4) as Uint8Array), "a blob");
  assert(read(5) === null, "a null");
  assert(Buffer.from([0, 0, 0]).equals(read(6) as Uint8Array), "a blob of zeros");
  assert(read(7) === "", "an empty text");
  c.sqlite3_finalize(statement);
}

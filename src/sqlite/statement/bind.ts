/**
 * VALUES INTO C.
 *
 * (1) A number that is whole and within 2^53 binds as an integer, any other as a real; NaN, which
 *     SQLite has no place for, as NULL. `SqlReal` binds as a real always.
 * (2) A text or blob is copied by SQLite before the call returns; a large one is handed over.
 */

import type { SqlInput } from "../api.ts";
import type { EngineCore } from "../engine-core.ts";
import * as abi from "../wasm/abi.ts";
import type { Pointer } from "../wasm/raw.ts";
import { SqlReal } from "./real.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

export class Binder {
  readonly #core: EngineCore;
  readonly #statement: Pointer;

  constructor(core: EngineCore, statement: Pointer) {
    this.#core = core;
    this.#statement = statement;
  }

  /** Binds one value; returns SQLite's result code. `index` counts from 1. */
  bind(index: number, value: SqlInput): number {
    const { c, exchange } = this.#core;
    switch (typeof value) {
      case "number":
        return this.#bindNumber(index, value);
      case "string":
        exchange.putText(value);
        return this.#bindPut(index, true);
      case "bigint":
        if (value < INT64_MIN || value > INT64_MAX) {
          throw new RangeError(`parameter ${index}: ${value} does not fit 64 bits`);
        }
        return c.sqlite3_bind_int64(this.#statement, index, value);
      case "boolean":
        return c.sqlite3_bind_int(this.#statement, index, value ? 1 : 0);
      default:
        return this.#bindOther(index, value);
    }
  }

  #bindNumber(index: number, value: number): number {
    const { c } = this.#core;
    if ((value | 0) === value) return c.sqlite3_bind_int(this.#statement, index, value);
    if (Number.isSafeInteger(value)) {
      return c.sqlite3_bind_int64(this.#statement, index, BigInt(value));
    }
    return c.sqlite3_bind_double(this.#statement, index, value);
  }

  #bindOther(index: number, value: null | Uint8Array | SqlReal): number {
    const { c, exchange } = this.#core;
    if (value === null) return c.sqlite3_bind_null(this.#statement, index);
    if (value instanceof Uint8Array) {
      exchange.putBytes(value);
      return this.#bindPut(index, false);
    }
    if (value instanceof SqlReal) {
      return c.sqlite3_bind_double(this.#statement, index, value.value);
    }
    throw new TypeError(`parameter ${index}: cannot bind ${describe(value)}`);
  }

  /** Binds what lies in the exchange. SQLite frees what was allocated for it, if it fails too. */
  #bindPut(index: number, isText: boolean): number {
    const { c, raw, heap, exchange } = this.#core;
    const { address, bytes } = exchange;
    const release = exchange.isAllocated ? raw.freeFunction : abi.SQLITE_TRANSIENT;
    exchange.disown();
    const code = isText
      ? c.sqlite3_bind_text(this.#statement, index, address, bytes, release)
      : c.sqlite3_bind_blob(this.#statement, index, address, bytes, release);
    heap.fresh();
    return code;
  }
}

function describe(value: unknown): string {
  if (value === undefined) return "undefined; write null for SQL NULL";
  if (typeof value !== "object") return `a ${typeof value}`;
  return `an object of class ${value?.constructor?.name ?? "null"}`;
}

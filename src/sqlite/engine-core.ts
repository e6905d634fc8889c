/** WHAT CONNECTIONS AND STATEMENTS SHARE: the C functions, the memory, the file system, the world. */
import { assert } from "../base/assert.ts";
import type { Abandonable, Breakdown } from "./failure/breakdown.ts";
import type { Vfs, VfsEnv } from "./vfs/vfs.ts";
import type { CounterFields } from "./wasm/counter-fields.ts";
import { Heap } from "./wasm/heap.ts";
import type { Pointer, RawFunctions, RawModule } from "./wasm/raw.ts";

/** Bytes of the area through which small texts and blobs pass. Larger ones are allocated. */
const EXCHANGE_BYTES = 64 * 1024;

export interface EngineCore {
  readonly raw: RawModule;
  readonly c: RawFunctions;
  readonly heap: Heap;
  readonly vfs: Vfs;
  readonly env: VfsEnv;
  readonly exchange: Exchange;
  /** Sixteen bytes for what C functions give back through pointers. */
  readonly results: Pointer;
  readonly counterFields: CounterFields;
  /** Addresses of the functions that C calls with the number of a connection. */
  readonly authorizer: Pointer;
  readonly progressHandler: Pointer;
  readonly breakdown: Breakdown;
  /** Connections by their number. */
  readonly connections: Map<number, CalledConnection>;
}

/** What C calls back on a connection. */
export interface CalledConnection extends Abandonable {
  authorize(action: number, names: AuthorizerNames): number;
  isOverdue(): boolean;
}

/** The four strings of an authorizer call: two of the action, the database, the trigger or view. */
export type AuthorizerNames = readonly [Pointer, Pointer, Pointer, Pointer];

/** Bytes on their way into C: valid until the next `put`, and to be given back by `release`. */
export class Exchange {
  readonly #c: RawFunctions;
  readonly #heap: Heap;
  readonly #area: Pointer;
  #allocated: Pointer = 0;
  /** Where the last `put` put it, and how many bytes it took. */
  address: Pointer = 0;
  bytes = 0;

  constructor(c: RawFunctions, heap: Heap) {
    this.#c = c;
    this.#heap = heap;
    this.#area = c.sqlite3_malloc(EXCHANGE_BYTES);
    assert(this.#area !== 0, "no memory for a new engine");
    heap.fresh();
  }

  /** Text in UTF-8 with a zero behind it. */
  putText(text: string): void {
    const bytesMax = Heap.bytesMax(text) + 1;
    if (bytesMax > EXCHANGE_BYTES) {
      this.putBytes(Buffer.from(text));
      return;
    }
    this.address = this.#area;
    this.bytes = this.#heap.writeText(text, this.#area);
    this.#heap.u8[this.#area + this.bytes] = 0;
  }

  putBytes(bytes: Uint8Array): void {
    const needed = bytes.length + 1;
    let address = this.#area;
    if (needed > EXCHANGE_BYTES) {
      address = this.#c.sqlite3_malloc(needed);
      if (address === 0) throw new RangeError(`no memory for a value of ${bytes.length} bytes`);
      this.#heap.fresh();
      this.#allocated = address;
    }
    this.#heap.u8.set(bytes, address);
    this.#heap.u8[address + bytes.length] = 0;
    this.address = address;
    this.bytes = bytes.length;
  }

  /** True if what was put last lies in memory of its own, which somebody must free. */
  get isAllocated(): boolean {
    return this.#allocated !== 0;
  }

  /** C has taken the memory over, and frees it. */
  disown(): void {
    this.#allocated = 0;
  }

  release(): void {
    if (this.#allocated === 0) return;
    this.#c.sqlite3_free(this.#allocated);
    this.#allocated = 0;
  }
}

/**
 * THE MEMORY OF ONE WEBASSEMBLY INSTANCE, and text in it.
 *
 * (1) When the memory grows, every view is detached and its length becomes 0. `fresh()` is called
 *     after each call into C that can allocate, and at the start of each callback out of C; it
 *     costs a comparison.
 * (2) All text is UTF-8. A lone surrogate becomes U+FFFD, as everywhere in the platform.
 * (3) Addresses are unsigned: above 2 GiB they would come out of C as negative numbers, and the
 *     builds end there.
 */

import type { WasmMemory } from "./web-assembly.ts";

/** Text up to this length is decoded without a call out of JavaScript, which costs 100 ns. */
const SHORT_TEXT_BYTES = 12;

const encoder = new TextEncoder();

export class Heap {
  readonly #memory: WasmMemory;
  u8: Uint8Array<ArrayBuffer>;
  u16: Uint16Array<ArrayBuffer>;
  i32: Int32Array<ArrayBuffer>;
  u32: Uint32Array<ArrayBuffer>;
  f64: Float64Array<ArrayBuffer>;
  i64: BigInt64Array<ArrayBuffer>;
  #buffer: Buffer<ArrayBuffer>;

  constructor(memory: WasmMemory) {
    this.#memory = memory;
    const { buffer } = memory;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.#buffer = Buffer.from(buffer);
  }

  /** See (1). */
  fresh(): void {
    if (this.u8.length === 0) this.#remake();
  }

  /** The text of `bytes` bytes at `address`. */
  text(address: number, bytes: number): string {
    if (bytes <= SHORT_TEXT_BYTES) {
      const short = shortAscii(this.u8, address, bytes);
      if (short !== undefined) return short;
    }
    return this.#buffer.toString("utf8", address, address + bytes);
  }

  /** The text up to the next zero byte; undefined for a null pointer. */
  cString(address: number): string | undefined {
    if (address === 0) return undefined;
    return this.text(address, this.u8.indexOf(0, address) - address);
  }

  /** Bytes that `text` takes at most. */
  static bytesMax(text: string): number {
    return text.length * 3;
  }

  /** Writes `text`; there must be room for `bytesMax(text)`. Returns the bytes that it took. */
  writeText(text: string, address: number): number {
    const { u8 } = this;
    const { length } = text;
    if (length <= 64) {
      let index = 0;
      for (; index < length; index++) {
        const code = text.charCodeAt(index);
        if (code > 0x7f) break;
        u8[address + index] = code;
      }
      if (index === length) return length;
    }
    const into = u8.subarray(address, address + Heap.bytesMax(text));
    return encoder.encodeInto(text, into).written;
  }

  #remake(): void {
    const { buffer } = this.#memory;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.#buffer = Buffer.from(buffer);
  }
}

/** Undefined if there is a byte beyond ASCII. */
function shortAscii(u8: Uint8Array, address: number, bytes: number): string | undefined {
  let text = "";
  for (let at = address, end = address + bytes; at < end; at++) {
    const code = u8[at] as number;
    if (code > 0x7f) return undefined;
    text += String.fromCharCode(code);
  }
  return text;
}

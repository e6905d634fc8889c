/**
 * WRITING AND READING SMALL BINARY PAYLOADS, field by field. Little-endian.
 *
 * (1) A reader is safe on any bytes: what is not there or not allowed throws Malformed, which the
 *     codec above turns into BOP_CORRUPT. Nothing else is ever thrown.
 */
import { assert } from "../../base/assert.ts";
import { readU64, writeU64 } from "../../base/layout.ts";

/** Bytes that no writer of ours made. Never leaves this folder. */
export class Malformed extends Error {
  override readonly name = "Malformed";
}

const FIRST_BYTES = 64;
const TEXT_BYTES_MAX = 0xffff;

export class ByteWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Begins anew, over what `finish` gave before. */
  reset(): this {
    this.#length = 0;
    return this;
  }

  u8(value: number): this {
    const at = this.#take(1);
    this.#view.setUint8(at, natural(value, 2 ** 8));
    return this;
  }

  u16(value: number): this {
    const at = this.#take(2);
    this.#view.setUint16(at, natural(value, 2 ** 16), true);
    return this;
  }

  u32(value: number): this {
    const at = this.#take(4);
    this.#view.setUint32(at, natural(value, 2 ** 32), true);
    return this;
  }

  u64(value: number): this {
    const at = this.#take(8);
    writeU64(this.#view, at, value);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** UTF-8 behind its length as a u16. */
  text(value: string): this {
    const encoded = Buffer.from(value, "utf8");
    assert(encoded.length <= TEXT_BYTES_MAX, () => `a text of ${encoded.length} bytes is too long`);
    return this.u16(encoded.length).raw(encoded);
  }

  /** What was written, in a view that the writer leaves alone unless it is written to again. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Makes room; may replace the buffer and its view. */
  #take(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that were not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): number {
    const value = readU64(this.#view, this.#take(8));
    if (value === undefined) throw new Malformed("a number is beyond 2^53");
    return value;
  }

  /** 0 or 1. */
  flag(): boolean {
    const value = this.u8();
    if (value > 1) throw new Malformed(`a flag is ${value}`);
    return value === 1;
  }

  /** A copy. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return Uint8Array.from(this.#bytes.subarray(at, at + count));
  }

  text(): string {
    const count = this.u16();
    const at = this.#take(count);
    try {
      return utf8.decode(this.#bytes.subarray(at, at + count));
    } catch (cause) {
      throw new Malformed("a text is not UTF-8", { cause });
    }
  }

  /** One of a table of persistent values. */
  oneOf<Name extends string>(table: Readonly<Record<Name, number>>, what: string): Name {
    const value = this.u8();
    const names = Object.keys(table) as Name[];
    const name = names.find((each) => table[each] === value);
    if (name === undefined) throw new Malformed(`${what} is ${value}`);
    return name;
  }

  /** Nothing may follow. */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw new Malformed(`${left} bytes follow the end`);
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw new Malformed("it ends too soon");
    this.#at = at + count;
    return at;
  }
}

function natural(value: number, limit: number): number {
  const fits = Number.isInteger(value) && value >= 0 && value < limit;
  assert(fits, () => `${value} does not fit a field below ${limit}`);
  return value;
}

/**
 * FIELDS OF KEYS, so that the order of keys as bytes is the order of what they say: numbers in
 * big-endian, text as UTF-8 and only as the last field.
 *
 * (1) A reader is safe on any bytes: what is not there or not allowed throws Malformed.
 * (2) Two keys of a table that differ in their fields differ as bytes.
 */
import { assert } from "../../base/assert.ts";
import { Malformed } from "./bytes.ts";

/** LMDB takes keys of almost 2 KiB; ours hold a name of at most 255 bytes and two numbers. */
const KEY_BYTES_MAX = 512;

export class KeyWriter {
  readonly #bytes = Buffer.allocUnsafe(KEY_BYTES_MAX);
  #length = 0;

  /** Begins a key with the number of its table. */
  begin(table: number): this {
    this.#length = 0;
    return this.u8(table);
  }

  u8(value: number): this {
    assert(Number.isInteger(value) && value >= 0 && value < 2 ** 8, () => `${value} is not a u8`);
    this.#length = this.#bytes.writeUInt8(value, this.#length);
    return this;
  }

  u32(value: number): this {
    assert(Number.isInteger(value) && value >= 0 && value < 2 ** 32, () => `${value} is not a u32`);
    this.#length = this.#bytes.writeUInt32BE(value, this.#length);
    return this;
  }

  u64(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, () => `${value} is not a u64`);
    return this.u32(Math.floor(value / 2 ** 32)).u32(value >>> 0);
  }

  /** So that the greatest comes first: all bits the other way round. */
  u64Down(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, () => `${value} is not a u64`);
    return this.u32(0xffff_ffff - Math.floor(value / 2 ** 32)).u32(0xffff_ffff - (value >>> 0));
  }

  /** UTF-8 to the end of the key. */
  text(value: string): this {
    const bytes = Buffer.byteLength(value, "utf8");
    assert(this.#length + bytes <= KEY_BYTES_MAX, () => `a key of a name of ${bytes} bytes`);
    this.#length += this.#bytes.write(value, this.#length, "utf8");
    return this;
  }

  /** A copy. */
  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes.subarray(0, this.#length));
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class KeyReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 1; // Behind the number of the table.

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): number {
    const value = this.u32() * 2 ** 32 + this.u32();
    if (!Number.isSafeInteger(value)) throw new Malformed("a number in a key is beyond 2^53");
    return value;
  }

  u64Down(): number {
    const [high, low] = [0xffff_ffff - this.u32(), 0xffff_ffff - this.u32()];
    const value = high * 2 ** 32 + low;
    if (!Number.isSafeInteger(value)) throw new Malformed("a number in a key is beyond 2^53");
    return value;
  }

  text(): string {
    const at = this.#take(Math.max(0, this.#bytes.length - this.#at));
    try {
      return utf8.decode(this.#bytes.subarray(at));
    } catch (cause) {
      throw new Malformed("a text in a key is not UTF-8", { cause });
    }
  }

  /** Nothing may follow. */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw new Malformed(`${left} bytes follow the end of a key`);
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw new Malformed("a key ends too soon");
    this.#at = at + count;
    return at;
  }
}

/**
 * BYTES IN AND OUT of operations, blocks and bodies. Numbers are LEB128 varints of up to 64 bits:
 * seven bits a byte, least significant first, the high bit set on all but the last.
 *
 * (1) A writer grows as needed, or fills memory whose length was computed before.
 * (2) A reader is safe on any bytes: what is not there or not allowed throws Malformed, which the
 *     codec above turns into BOP_CORRUPT. Nothing else is ever thrown.
 */

/** Bytes that no writer of ours made. Never leaves this folder. */
export class Malformed extends Error {
  override readonly name = "Malformed";
}

export const U64_MAX = 2n ** 64n - 1n;
/** What follows the last index that there can be: the most that the end of a log can be. */
export const END_MAX = U64_MAX + 1n;

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);
/** 9 bytes carry 63 bits, the tenth what is beyond. */
const MAX_VARINT_BYTES = 10;
/** 8 bytes carry 56 bits. */
const MAX_LENGTH_BYTES = 8;

export class Writer {
  bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array = new Uint8Array(256)) {
    this.bytes = bytes;
  }

  /** Makes sure that this many more bytes fit. */
  room(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.at + count, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
  }

  u8(value: number): this {
    this.room(1);
    this.bytes[this.at++] = value;
    return this;
  }

  varint(value: number): this {
    this.room(MAX_VARINT_BYTES);
    const { bytes } = this;
    let rest = value;
    while (rest > 0x7fffffff) {
      bytes[this.at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      bytes[this.at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[this.at++] = rest;
    return this;
  }

  wide(value: bigint): this {
    if (value <= SAFE_MAX) return this.varint(Number(value));
    this.room(MAX_VARINT_BYTES);
    let rest = value;
    while (rest > 127n) {
      this.bytes[this.at++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.bytes[this.at++] = Number(rest);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.room(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
    return this;
  }

  /** Bytes behind their length. */
  counted(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  /** What was written: a view. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }
}

export class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.#bytes.length;
  }

  u8(): number {
    const value = this.#bytes[this.at];
    if (value === undefined) throw new Malformed("it ends too soon");
    this.at += 1;
    return value;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < MAX_LENGTH_BYTES; count++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128 && Number.isSafeInteger(value)) return value;
      scale *= 128;
    }
    throw new Malformed("a length is beyond 2^53");
  }

  wide(max = U64_MAX): bigint {
    let value = 0;
    let scale = 1;
    // Seven bytes carry 49 bits, which a number holds.
    for (let count = 0; count < 7; count++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return BigInt(value);
      scale *= 128;
    }
    return this.#wideTail(BigInt(value), max);
  }

  /** A view. */
  raw(count: number): Uint8Array {
    const { at } = this;
    if (count > this.#bytes.length - at) throw new Malformed("it ends too soon");
    this.at = at + count;
    return this.#bytes.subarray(at, at + count);
  }

  /** Bytes behind their length, of which there are at most `max`. A view. */
  counted(max = Number.MAX_SAFE_INTEGER): Uint8Array {
    const count = this.varint();
    if (count > max) throw new Malformed(`${count} bytes where ${max} are the most`);
    return this.raw(count);
  }

  end(): void {
    if (!this.done) throw new Malformed(`${this.#bytes.length - this.at} bytes follow the end`);
  }

  #wideTail(low: bigint, max: bigint): bigint {
    let value = low;
    for (let shift = 49n; shift < 64n; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 127) << shift;
      if (byte >= 128) continue;
      if (value > max) break;
      return value;
    }
    throw new Malformed("a number is longer than 64 bits");
  }
}

/** Memory of its own: `slice` of a Buffer is a view. */
export function copied(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

/**
 * VARIABLE-LENGTH INTEGERS of SQLite files: seven bits a byte, the highest first, and all eight bits
 * of the ninth. 64 bits, two's complement.
 *
 * (1) A value within ±2^53 is a number; others are a bigint, which compares with numbers exactly. Few
 *     files have any, so that what is usual costs no allocation.
 */

export type Wide = number | bigint;

const BYTES_MAX = 9;
/** Seven groups of seven bits are a safe integer. */
const PLAIN_BYTES_MAX = 7;

export class Varint {
  /** What was read last. */
  value: Wide = 0;

  /** Reads the one at `at`. Returns where it ends; undefined if that is behind `limit`. */
  read(view: DataView, at: number, limit: number): number | undefined {
    if (at >= limit) return undefined;
    let byte = view.getUint8(at);
    let value = byte & 0x7f;
    let end = at + 1;
    for (; byte >= 0x80; end += 1) {
      if (end - at >= PLAIN_BYTES_MAX) return this.#readLong(view, at, limit);
      if (end >= limit) return undefined;
      byte = view.getUint8(end);
      value = value * 128 + (byte & 0x7f);
    }
    this.value = value;
    return end;
  }

  #readLong(view: DataView, at: number, limit: number): number | undefined {
    let value = 0n;
    for (let index = 0; index < BYTES_MAX; index += 1) {
      if (at + index >= limit) return undefined;
      const byte = view.getUint8(at + index);
      const isNinth = index === BYTES_MAX - 1;
      value = isNinth ? (value << 8n) | BigInt(byte) : (value << 7n) | BigInt(byte & 0x7f);
      if (!isNinth && byte >= 0x80) continue;
      this.value = narrow(BigInt.asIntN(64, value));
      return at + index + 1;
    }
    return undefined;
  }
}

/** See (1). */
export function narrow(value: bigint): Wide {
  const plain = Number(value);
  return Number.isSafeInteger(plain) ? plain : value;
}

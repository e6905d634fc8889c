/**
 * BYTES IN AND OUT of a batch. Numbers are LEB128 varints (seven bits a byte, least significant
 * first, the high bit set on all but the last), since most of them are small and every byte of a
 * frame is paid for by each commit.
 *
 * (1) Writing checks nothing: whoever fills a buffer has made sure of the room.
 * (2) Reading checks everything: what comes out lies within the bytes and is a natural number, or
 *     BOP_CORRUPT is thrown. It never throws anything else, whatever the bytes are.
 */
import { corrupt, type Place } from "./corrupt.ts";

export interface FrameBuffer {
  readonly bytes: Uint8Array;
  /** Where the next byte goes. */
  at: number;
}

/** Longest varint: 8 bytes carry 56 bits, and no number here is above 2^53. */
const MAX_VARINT_BYTES = 8;

export function putVarint(into: FrameBuffer, value: number): void {
  const { bytes } = into;
  let rest = value;
  while (rest > 0x7fffffff) {
    bytes[into.at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  while (rest > 127) {
    bytes[into.at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[into.at++] = rest;
}

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 255;
  bytes[at + 1] = value >>> 8;
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 255;
  bytes[at + 1] = (value >>> 8) & 255;
  bytes[at + 2] = (value >>> 16) & 255;
  bytes[at + 3] = value >>> 24;
}

/** Below this a loop is cheaper than a call with two views. */
const LOOP_BYTES = 96;

export function putBytes(into: FrameBuffer, from: Uint8Array): void {
  into.bytes.set(from, into.at);
  into.at += from.length;
}

export function putSlice(
  into: FrameBuffer,
  from: Uint8Array,
  { start, end }: { start: number; end: number },
): void {
  const { bytes } = into;
  let { at } = into;
  if (end - start > LOOP_BYTES) bytes.set(from.subarray(start, end), at);
  else for (let i = start; i < end; i++) bytes[at++] = from[i] as number;
  into.at += end - start;
}

export class FrameReader {
  readonly bytes: Uint8Array;
  readonly #place: Place;
  at = 0;

  /** `place` says where the first byte lies, for messages. */
  constructor(bytes: Uint8Array, place: Place) {
    this.bytes = bytes;
    this.#place = place;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  /** Where the next byte to be read lies. */
  get place(): Place {
    return { file: this.#place.file, offset: this.#place.offset + this.at };
  }

  u8(): number {
    const value = this.bytes[this.at];
    if (value === undefined) throw this.corrupt("a frame ends beyond its batch");
    this.at += 1;
    return value;
  }

  u16(): number {
    return this.u8() + this.u8() * 256;
  }

  u32(): number {
    return this.u16() + this.u16() * 65536;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < MAX_VARINT_BYTES; count++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 128;
    }
    throw this.corrupt("a number is longer than any that is written");
  }

  /** Steps over `count` bytes and returns where they begin. */
  skip(count: number): number {
    const start = this.at;
    if (count > this.bytes.length - start) throw this.corrupt("a frame ends beyond its batch");
    this.at = start + count;
    return start;
  }

  corrupt(why: string) {
    return corrupt(this.place, why);
  }
}

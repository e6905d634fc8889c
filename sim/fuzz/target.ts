/**
 * WHAT IS FUZZED: a decoder, the bytes to begin with, and what must hold for any bytes whatever.
 *
 * (1) `check` throws if anything but the expected refusal comes of the bytes, or if what was decoded
 *     does not survive being encoded and decoded again. It changes nothing that a later call sees.
 * (2) `mend` makes bytes right that chance would never make right (checksums, lengths), so that the
 *     fuzzer gets behind them. It changes as little as it can.
 */
import { deepStrictEqual } from "node:assert/strict";
import { StorageError } from "../../src/base/errors.ts";

export interface FuzzTarget {
  readonly name: string;
  /** Valid bytes, made by the encoders themselves. */
  readonly seeds: () => readonly Uint8Array[];
  /** See (2). In place; bytes that it cannot make sense of stay as they are. */
  readonly mend?: (bytes: Uint8Array) => void;
  /** Words that the format knows: pieces to insert. */
  readonly words?: readonly string[];
  /** See (1). */
  readonly check: (bytes: Uint8Array) => void | Promise<void>;
  readonly bytesMax: number;
}

/** Runs a decoder; undefined if it refused the bytes as it may. Anything else is thrown on. */
export function refusable<T>(decode: () => T): { readonly value: T } | undefined {
  try {
    return { value: decode() };
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

export function isRefusal(error: unknown): boolean {
  return (
    error instanceof StorageError &&
    ["BOP_CORRUPT", "BOP_FORMAT", "BOP_IMPORT"].includes(error.code)
  );
}

/** A fact that held for all bytes so far. */
export function holds(fact: boolean, what: string): void {
  if (!fact) throw new Error(`does not hold: ${what}`);
}

export function same(actual: unknown, expected: unknown, what: string): void {
  deepStrictEqual(actual, expected, what);
}

/** Writes a CRC-32 as a u32 at `at`, if there is room. */
export function putCrc(bytes: Uint8Array, at: number, crc: number): void {
  if (at < 0 || at + 4 > bytes.length) return;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, crc, true);
}

/** The number at `at`, or 0 where the bytes end. */
export function u32At(bytes: Uint8Array, at: number): number {
  if (at < 0 || at + 4 > bytes.length) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

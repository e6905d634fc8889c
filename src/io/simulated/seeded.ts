/**
 * SEEDED DICE: the same seed gives the same throws, on every machine and in every version.
 *
 * The generator is sfc32 of Chris Doty-Humphrey's PractRand: four words of state, passes its own
 * test suite, and needs nothing but 32-bit arithmetic. A seed is stretched over the state by twelve
 * rounds, as its author does.
 */
import { assert } from "../../base/assert.ts";
import type { Random } from "../../base/env.ts";

export interface SeededRandom extends Random {
  /** A number in [0, 1). */
  fraction(): number;
  /** True in `probability` of all cases. */
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Dice of their own: throwing these does not change what those give. */
  fork(): SeededRandom;
}

const WARM_UP_ROUNDS = 12;
const WORD = 2 ** 32;

export function seeded(seed: number): SeededRandom {
  assert(Number.isSafeInteger(seed), () => `${seed} is not a seed: want an integer`);
  const next = sfc32(seed >>> 0, Math.floor(seed / WORD) >>> 0);
  // 53 bits. The bias of scaling instead of rejecting is below 2^-20 for every limit we use.
  const fraction = () => (next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53;
  const below = (limit: number) => Math.floor(fraction() * limit);
  return {
    fraction,
    below,
    chance: (probability) => fraction() < probability,
    pick<T>(from: readonly T[]): T {
      assert(from.length > 0, "nothing to pick from");
      return from[below(from.length)] as T;
    },
    bytes(count) {
      const into = new Uint8Array(count);
      for (let i = 0; i < count; i++) into[i] = next();
      return into;
    },
    fork: () => seeded(next() * 2 ** 20 + (next() >>> 12)),
  };
}

function sfc32(low: number, high: number): () => number {
  let [a, b, c, counter] = [0, low | 0, high | 0, 1];
  const next = () => {
    const out = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + out) | 0;
    return out >>> 0;
  };
  for (let round = 0; round < WARM_UP_ROUNDS; round++) next();
  return next;
}

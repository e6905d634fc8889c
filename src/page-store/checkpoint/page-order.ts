/**
 * PAGE NUMBERS IN ORDER, a slice of work at a time: an overlay may have a million, and to sort them
 * at once would hold the event loop for a tenth of a second.
 *
 * (1) Sorted digit by digit, the lowest first, each pass stable: after the last they are in order.
 * (2) Commits go on meanwhile. Numbers that the source gives while it is being read may come or not;
 *     one that is given twice comes once.
 */
import { assert } from "../../base/assert.ts";
import type { Slices } from "./slices.ts";

const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
/** Between looks at the clock. */
const NUMBERS_PER_STEP = 2048;
const NUMBERS_MIN = 64;
/** So many are sorted at once: it takes less than a slice. */
const AT_ONCE_MAX = 4096;

/** Ascending, without repetition. Rejects with BOP_CLOSED. */
export async function inOrder(source: Iterable<number>, slices: Slices): Promise<Uint32Array> {
  let numbers = await collected(source, slices);
  if (numbers.length <= AT_ONCE_MAX) return withoutRepetition(numbers.sort());
  let spare: Uint32Array = new Uint32Array(numbers.length);
  let largest = 0;
  for (const number of numbers) largest = Math.max(largest, number);
  for (let scale = 1; scale <= largest; scale *= DIGITS) {
    await slices.pause();
    const starts = startsOf(numbers, scale);
    for (let index = 0; index < numbers.length; index++) {
      if (index % NUMBERS_PER_STEP === 0) await slices.pause();
      const number = numbers[index] as number;
      const digit = digitOf(number, scale);
      const at = starts[digit] as number;
      starts[digit] = at + 1;
      spare[at] = number;
    }
    [numbers, spare] = [spare, numbers];
  }
  return withoutRepetition(numbers);
}

async function collected(source: Iterable<number>, slices: Slices): Promise<Uint32Array> {
  let numbers = new Uint32Array(NUMBERS_MIN);
  let count = 0;
  for (const number of source) {
    if (count % NUMBERS_PER_STEP === 0) await slices.pause();
    if (count === numbers.length) {
      const larger = new Uint32Array(2 * count);
      larger.set(numbers);
      numbers = larger;
    }
    assert(number <= 0xffff_ffff, "a page number has 32 bits");
    numbers[count] = number;
    count += 1;
  }
  return numbers.subarray(0, count);
}

const digitOf = (number: number, scale: number): number => Math.floor(number / scale) % DIGITS;

/** Where the first number of each digit goes. */
function startsOf(numbers: Uint32Array, scale: number): Uint32Array {
  const starts = new Uint32Array(DIGITS);
  for (const number of numbers) {
    const digit = digitOf(number, scale);
    starts[digit] = (starts[digit] as number) + 1;
  }
  let sum = 0;
  for (let digit = 0; digit < DIGITS; digit++) {
    const count = starts[digit] as number;
    starts[digit] = sum;
    sum += count;
  }
  return starts;
}

function withoutRepetition(numbers: Uint32Array): Uint32Array {
  let count = 0;
  for (const number of numbers) {
    if (count > 0 && numbers[count - 1] === number) continue;
    numbers[count] = number;
    count += 1;
  }
  return numbers.subarray(0, count);
}

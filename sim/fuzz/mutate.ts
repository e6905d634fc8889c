/**
 * MUTATIONS: new bytes from old ones, by seeded dice.
 *
 * (1) The input is never changed; the result has at most `bytesMax` bytes.
 * (2) Numbers are changed to what formats stumble over: 0, ±1, powers of two and their neighbours, at
 *     every width, in both orders of bytes.
 */
import type { SeededRandom } from "../../src/io/index.ts";

export interface MutationSource {
  readonly random: SeededRandom;
  /** Other inputs, to take pieces from. */
  readonly corpus: readonly Uint8Array[];
  readonly words: readonly string[];
  readonly bytesMax: number;
}

const STEPS_MAX = 6;
const RUN_BYTES_MAX = 64;

type Mutation = (bytes: Uint8Array, source: MutationSource) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  setByte,
  setNumber,
  setNumber,
  addToByte,
  removeRun,
  repeatRun,
  insertRun,
  insertWord,
  copyWithin,
  splice,
  truncate,
  fillRun,
];

export function mutate(input: Uint8Array, source: MutationSource): Uint8Array {
  const { random, bytesMax } = source;
  let bytes = input.slice();
  for (let steps = 1 + random.below(STEPS_MAX); steps > 0; steps -= 1) {
    bytes = random.pick(MUTATIONS)(bytes, source).slice(0, bytesMax);
  }
  return bytes;
}

function flipBit(bytes: Uint8Array, { random }: MutationSource): Uint8Array {
  const at = random.below(bytes.length);
  if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
}

function setByte(bytes: Uint8Array, { random }: MutationSource): Uint8Array {
  if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}

/** See (2). */
function setNumber(bytes: Uint8Array, { random }: MutationSource): Uint8Array {
  const width = random.pick([1, 2, 4, 8]);
  if (bytes.length < width) return bytes;
  const at = random.below(bytes.length - width + 1);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const power = 2n ** BigInt(random.below(8 * width));
  const value = random.pick([0n, 1n, -1n, power, power - 1n, power + 1n, BigInt(bytes.length)]);
  const isLittle = random.chance(0.8);
  if (width === 1) view.setUint8(at, Number(BigInt.asUintN(8, value)));
  else if (width === 2) view.setUint16(at, Number(BigInt.asUintN(16, value)), isLittle);
  else if (width === 4) view.setUint32(at, Number(BigInt.asUintN(32, value)), isLittle);
  else view.setBigUint64(at, BigInt.asUintN(64, value), isLittle);
  return bytes;
}

function addToByte(bytes: Uint8Array, { random }: MutationSource): Uint8Array {
  const at = random.below(bytes.length);
  if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) + random.pick([1, -1, 2, -2, 16, -16]);
  return bytes;
}

function removeRun(bytes: Uint8Array, source: MutationSource): Uint8Array {
  const { from, to } = someRun(bytes, source);
  return joined([bytes.subarray(0, from), bytes.subarray(to)]);
}

function repeatRun(bytes: Uint8Array, source: MutationSource): Uint8Array {
  const { from, to } = someRun(bytes, source);
  return joined([bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to)]);
}

function insertRun(bytes: Uint8Array, { random }: MutationSource): Uint8Array {
  const at = random.below(bytes.length + 1);
  const run = random.bytes(1 + random.below(8));
  return joined([bytes.subarray(0, at), run, bytes.subarray(at)]);
}

function insertWord(bytes: Uint8Array, { random, words }: MutationSource): Uint8Array {
  if (words.length === 0) return bytes;
  const at = random.below(bytes.length + 1);
  const word = Buffer.from(random.pick(words));
  const to = random.chance(0.5) ? at : Math.min(bytes.length, at + word.length);
  return joined([bytes.subarray(0, at), word, bytes.subarray(to)]);
}

function copyWithin(bytes: Uint8Array, source: MutationSource): Uint8Array {
  const { from, to } = someRun(bytes, source);
  return bytes.copyWithin(source.random.below(bytes.length + 1), from, to);
}

/** The beginning of this and the end of another. */
function splice(bytes: Uint8Array, { random, corpus }: MutationSource): Uint8Array {
  if (corpus.length === 0) return bytes;
  const other = random.pick(corpus);
  const at = random.below(bytes.length + 1);
  const from = random.chance(0.5) ? Math.min(at, other.length) : random.below(other.length + 1);
  return joined([bytes.subarray(0, at), other.subarray(from)]);
}

function truncate(bytes: Uint8Array, { random }: MutationSource): Uint8Array {
  return random.chance(0.3) ? bytes.slice(0, random.below(bytes.length + 1)) : bytes;
}

function fillRun(bytes: Uint8Array, source: MutationSource): Uint8Array {
  const { from, to } = someRun(bytes, source);
  return bytes.fill(source.random.pick([0, 255, 127, 128]), from, to);
}

function someRun(bytes: Uint8Array, { random }: MutationSource): { from: number; to: number } {
  const from = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, from + 1 + random.below(RUN_BYTES_MAX));
  return { from, to };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

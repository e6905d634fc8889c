/**
 * COMPARES TWO PAGES, and sums one up: nearly all of the time that a delta takes (delta.ts), for
 * every page of every commit. In WebAssembly it takes a fifth of what the same loops take in
 * JavaScript, copies of both pages included.
 *
 *   memory   0     one page       65536  the other      131072  coefficients
 *            196608  where groups of 16 bytes differ    212992  the sum
 *
 * The module in text form, and below it byte by byte (`$at` and `$count` in bytes):
 *
 *   (func (export "compare") (param $bytes i32) (result i32) (local $at $count $sum i32)
 *     (block (loop
 *       (br_if 1 (i32.ge_u (local.get $at) (local.get $bytes)))
 *       (if (i32.eqz (i64.eqz (i64.or ⟨xor of the first 8 bytes⟩ ⟨xor of the others⟩)))
 *         (i32.store ⟨groups + $count⟩ (local.get $at))
 *         (local.set $count (i32.add (local.get $count) (i32.const 4)))
 *         ⟨four times: $sum += (other word − one word) × its coefficient⟩)
 *       (local.set $at (i32.add (local.get $at) (i32.const 16)))
 *       (br 0)))
 *     (i32.store ⟨sum⟩ (local.get $sum))
 *     (local.get $count))
 *
 *   (func (export "sum") (param $bytes i32) (result i32) (local $at $count $sum i32)
 *     ⟨the same loop over all words of one page: $sum += word × its coefficient⟩
 *     (local.get $sum))
 *
 * (1) The memory is shared by all calls, which is safe since none of them yields.
 * (2) Pages are multiples of 16 bytes, and at most 64 KiB.
 */

const I32 = 0x7f;
const FUNCTION = 0x60;
const NO_VALUE = 0x40;
const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const END = 0x0b;
const BR = 0x0c;
const BR_IF = 0x0d;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const I32_LOAD = [0x28, 2];
const I64_LOAD = [0x29, 3];
const I32_STORE = [0x36, 2];
const I32_CONST = 0x41;
const I32_EQZ = 0x45;
const I32_GE_U = 0x4f;
const I64_EQZ = 0x50;
const I32_ADD = 0x6a;
const I32_SUB = 0x6b;
const I32_MUL = 0x6c;
const I64_OR = 0x84;
const I64_XOR = 0x85;

const PAGE_BYTES_MAX = 65_536;
const GROUP_BYTES = 16;
const WORD_BYTES = 4;
const ONE_AT = 0;
const OTHER_AT = PAGE_BYTES_MAX;
const COEFFICIENTS_AT = 2 * PAGE_BYTES_MAX;
const GROUPS_AT = 3 * PAGE_BYTES_MAX;
const GROUPS_BYTES = (PAGE_BYTES_MAX / GROUP_BYTES) * WORD_BYTES;
const SUM_AT = GROUPS_AT + GROUPS_BYTES;
const MEMORY_PAGES = 4;

const [BYTES, AT, COUNT, SUM] = [0, 1, 2, 3];

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

const get = (local: number): number[] => [LOCAL_GET, local];
const add = (local: number, value: readonly number[]): number[] => [
  ...[...get(local), ...value, I32_ADD],
  ...[LOCAL_SET, local],
];
/** Of what lies `$at` bytes behind an address. */
const load = (kind: readonly number[], address: number): number[] => [
  ...[...get(AT), ...kind],
  ...unsigned(address),
];
const differs = (offset: number): number[] => [
  ...load(I64_LOAD, ONE_AT + offset),
  ...[...load(I64_LOAD, OTHER_AT + offset), I64_XOR],
];
const weighted = (word: readonly number[], offset: number): number[] => [
  ...[...word, ...load(I32_LOAD, COEFFICIENTS_AT + offset), I32_MUL],
];
const change = (offset: number): number[] => [
  ...load(I32_LOAD, OTHER_AT + offset),
  ...[...load(I32_LOAD, ONE_AT + offset), I32_SUB],
];
const words = (of: (offset: number) => number[]): number[] =>
  [0, 4, 8, 12].flatMap((offset) => add(SUM, weighted(of(offset), offset)));

/** `step` for every group of a page. */
const forEachGroup = (step: readonly number[]): number[] => [
  ...[BLOCK, NO_VALUE, LOOP, NO_VALUE],
  ...[...get(AT), ...get(BYTES), I32_GE_U, BR_IF, 1],
  ...step,
  ...add(AT, [I32_CONST, GROUP_BYTES]),
  ...[BR, 0, END, END],
];

const COMPARE = [
  ...forEachGroup([
    ...[...differs(0), ...differs(8), I64_OR, I64_EQZ, I32_EQZ, IF, NO_VALUE],
    ...[...get(COUNT), ...get(AT), ...I32_STORE, ...unsigned(GROUPS_AT)],
    ...add(COUNT, [I32_CONST, WORD_BYTES]),
    ...words(change),
    END,
  ]),
  ...[I32_CONST, 0, ...get(SUM), ...I32_STORE, ...unsigned(SUM_AT)],
  ...get(COUNT),
];
const SUM_UP = [...forEachGroup(words((offset) => load(I32_LOAD, ONE_AT + offset))), ...get(SUM)];

const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];
const section = (id: number, body: readonly number[]): number[] => [id, ...sized(body)];
const text = (value: string): number[] => sized([...Buffer.from(value)]);
/** With three locals besides its parameter. */
const code = (body: readonly number[]): number[] => sized([1, 3, I32, ...body, END]);

const MODULE = new Uint8Array([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [1, FUNCTION, 1, I32, 1, I32]),
  ...section(3, [2, 0, 0]),
  ...section(5, [1, 0, MEMORY_PAGES]),
  ...section(7, [3, ...text("memory"), 2, 0, ...text("compare"), 0, 0, ...text("sum"), 0, 1]),
  ...section(10, [2, ...code(COMPARE), ...code(SUM_UP)]),
]);

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly compare: (bytes: number) => number;
  readonly sum: (bytes: number) => number;
}

/** Its types belong to the browser's library of TypeScript. */
interface Assembly {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: Assembly })
  .WebAssembly;
const { memory, compare, sum } = new Instance(new Module(MODULE)).exports as Exports;
const pages = new Uint8Array(memory.buffer);
const numbers = new Int32Array(memory.buffer);
for (let i = 0, power = 1; i < PAGE_BYTES_MAX / WORD_BYTES; i++) {
  numbers[COEFFICIENTS_AT / WORD_BYTES + i] = power;
  power = Math.imul(power, 0x9e3779b1);
}

/** Offsets of the groups of 16 bytes that differed when `comparePages` was called last. */
export const differingGroups = numbers.subarray(GROUPS_AT / WORD_BYTES, SUM_AT / WORD_BYTES);

/** How many groups of 16 bytes differ. The pages have one length: see (2). */
export function comparePages(one: Uint8Array, other: Uint8Array): number {
  pages.set(one, ONE_AT);
  pages.set(other, OTHER_AT);
  return compare(one.length) / WORD_BYTES;
}

/** What the words that differed add to the sum of the one page for that of the other. */
export function addedSum(): number {
  return (numbers[SUM_AT / WORD_BYTES] as number) >>> 0;
}

/** Of all words, each times its coefficient, modulo 2^32. See (2). */
export function sumOfPage(page: Uint8Array): number {
  pages.set(page, ONE_AT);
  return sum(page.length) >>> 0;
}

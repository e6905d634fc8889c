/**
 * NAMES IN ORDER, each with what it stands for: found by hash, and read in order from any name on,
 * so that a page of a list costs what is on the page and not what is in the store.
 *
 * (1) The order is that of JavaScript's `<` on strings, which is the order of their UTF-16 units.
 * (2) The order is made at the first call that needs it, and kept from then on: a store of which
 *     nobody asks for a list pays nothing for it.
 * (3) It lies in blocks of at most `BLOCK_MAX` names, none of them empty, each behind the one before:
 *     a change moves the names of one block, not of all.
 */
import { assert } from "../../base/assert.ts";

const BLOCK_MAX = 512;

export class NameIndex<Value> {
  readonly #values = new Map<string, Value>();
  /** See (2) and (3). */
  #blocks: string[][] | undefined;

  get size(): number {
    return this.#values.size;
  }

  get(name: string): Value | undefined {
    return this.#values.get(name);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  set(name: string, value: Value): void {
    if (this.#blocks !== undefined && !this.#values.has(name)) insert(this.#blocks, name);
    this.#values.set(name, value);
  }

  delete(name: string): void {
    if (this.#values.delete(name) && this.#blocks !== undefined) remove(this.#blocks, name);
  }

  values(): IterableIterator<Value> {
    return this.#values.values();
  }

  /** Values of names at or behind `from`, in order. The index must not change meanwhile. */
  *from(from: string): Generator<readonly [name: string, value: Value]> {
    this.#blocks ??= blocksOf([...this.#values.keys()].sort(compare));
    const blocks = this.#blocks;
    let at = blockOf(blocks, from);
    for (let index = lowerBound(blocks[at] ?? [], from); at < blocks.length; at++, index = 0) {
      const block = blocks[at] ?? [];
      for (; index < block.length; index++) {
        const name = block[index] as string;
        yield [name, this.#values.get(name) as Value];
      }
    }
  }
}

/** `Array.sort` without an argument compares as (1) too, but makes strings of all elements first. */
export function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function blocksOf(sorted: readonly string[]): string[][] {
  const blocks: string[][] = [];
  const step = BLOCK_MAX / 2; // Room for what comes.
  for (let at = 0; at < sorted.length; at += step) blocks.push(sorted.slice(at, at + step));
  return blocks;
}

/** The last block whose first name is not behind `name`; the first if there is none. */
function blockOf(blocks: readonly (readonly string[])[], name: string): number {
  let [low, high] = [0, blocks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((blocks[middle]?.[0] as string) <= name) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** How many names lie before `name`. */
function lowerBound(block: readonly string[], name: string): number {
  let [low, high] = [0, block.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((block[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

function insert(blocks: string[][], name: string): void {
  const at = blockOf(blocks, name);
  const block = blocks[at];
  if (block === undefined) {
    blocks.push([name]);
    return;
  }
  block.splice(lowerBound(block, name), 0, name);
  if (block.length > BLOCK_MAX) blocks.splice(at + 1, 0, block.splice(BLOCK_MAX / 2));
}

function remove(blocks: string[][], name: string): void {
  const at = blockOf(blocks, name);
  const block = blocks[at] ?? [];
  const index = lowerBound(block, name);
  assert(block[index] === name, () => `name index: ${JSON.stringify(name)} is not in its place`);
  block.splice(index, 1);
  if (block.length === 0) blocks.splice(at, 1);
}

/**
 * ALIGNED MEMORY WITHOUT NATIVE CODE: views into WebAssembly memories, which begin at a page of the
 * processor and never move. Direct writes take nothing else.
 *
 *     slab   ├── allocation ──┼─ free ─┼── allocation ──┼──────── free ────────┤
 *
 * (1) A slab is made with its greatest size and never grown: growing would detach every view.
 * (2) An allocation begins at a multiple of the block and has whole blocks. It belongs to one owner,
 *     from `allocate` until it was released and no operation uses it any more, in any order: a
 *     device that hangs may still read it.
 * (3) Slabs beyond the first are for large commits: one that is empty again is let go. A slab
 *     reserves 10 GiB of addresses, whatever its size, and takes only the memory that was touched.
 */
import { assert } from "../base/assert.ts";
import type { WriteMemory } from "../base/driver.ts";
import { MIB, roundUp } from "../base/units.ts";
import { assertBlocks, foreignMemory } from "./blocks.ts";

const FIRST_SLAB_BYTES = 4 * MIB;
const SLAB_BYTES_MAX = 64 * MIB;
const WASM_PAGE_BYTES = 65_536;

interface Range {
  start: number;
  bytes: number;
}

interface Allocation extends Range {
  readonly slab: Slab;
  /** Operations that read it now. */
  uses: number;
  isReleased: boolean;
}

interface Slab {
  readonly buffer: ArrayBuffer;
  /** In order, never touching each other. */
  readonly free: Range[];
  readonly live: Map<number, Allocation>;
}

export class AlignedMemory implements WriteMemory {
  readonly #blockBytes: number;
  #slabs: Slab[] = [];

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** Bytes of all slabs, used or not. */
  get reservedBytes(): number {
    return this.#slabs.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }

  allocate(wantedBytes: number): Uint8Array {
    const bytes = roundUp(wantedBytes, this.#blockBytes);
    for (const slab of this.#slabs) {
      const found = slab.free.find((range) => range.bytes >= bytes);
      if (found !== undefined) return take(slab, { found, bytes });
    }
    const slab = this.#addSlab(bytes);
    const [found] = slab.free;
    assert(found !== undefined, "a new slab has room");
    return take(slab, { found, bytes });
  }

  release(memory: Uint8Array): void {
    const allocation = this.#find(memory);
    if (allocation === undefined || allocation.isReleased) throw foreignMemory("released");
    allocation.isReleased = true;
    this.#settle(allocation);
  }

  /** Throws a RangeError for what `LogFile.write` does not take. */
  assertWritable(from: Uint8Array, at: number): Allocation {
    assertBlocks(from, { at, blockBytes: this.#blockBytes });
    const allocation = this.#find(from);
    if (allocation === undefined || allocation.isReleased) throw foreignMemory("written from");
    return allocation;
  }

  /** Nothing of it is handed out again until `unuse`. See (2). */
  use(allocation: Allocation): void {
    allocation.uses += 1;
  }

  unuse(allocation: Allocation): void {
    allocation.uses -= 1;
    this.#settle(allocation);
  }

  #settle(allocation: Allocation): void {
    if (!allocation.isReleased || allocation.uses > 0) return;
    const { slab } = allocation;
    slab.live.delete(allocation.start);
    giveBack(slab.free, allocation);
    if (slab.live.size > 0 || slab === this.#slabs[0]) return;
    this.#slabs = this.#slabs.filter((other) => other !== slab);
  }

  #find(memory: Uint8Array): Allocation | undefined {
    const { buffer, byteOffset, length } = memory;
    const slab = this.#slabs.find((each) => each.buffer === buffer);
    const exact = slab?.live.get(byteOffset);
    if (exact !== undefined) return length <= exact.bytes ? exact : undefined;
    for (const each of slab?.live.values() ?? []) {
      const isWithin = byteOffset > each.start && byteOffset + length <= each.start + each.bytes;
      if (isWithin) return each;
    }
    return undefined;
  }

  #addSlab(bytes: number): Slab {
    const doubled = Math.min(SLAB_BYTES_MAX, FIRST_SLAB_BYTES * 2 ** this.#slabs.length);
    const size = roundUp(Math.max(doubled, bytes), WASM_PAGE_BYTES);
    const buffer = fixedMemory(size);
    const slab = { buffer, free: [{ start: 0, bytes: size }], live: new Map() };
    this.#slabs.push(slab);
    return slab;
  }
}

export type { Allocation };

function take(
  slab: Slab,
  { found, bytes }: { readonly found: Range; readonly bytes: number },
): Uint8Array {
  const { start } = found;
  found.start += bytes;
  found.bytes -= bytes;
  if (found.bytes === 0) slab.free.splice(slab.free.indexOf(found), 1);
  slab.live.set(start, { slab, start, bytes, uses: 0, isReleased: false });
  return new Uint8Array(slab.buffer, start, bytes);
}

/** Joined with its neighbours, so that a large allocation finds room again. */
function giveBack(free: Range[], { start, bytes }: Range): void {
  let at = free.findIndex((range) => range.start > start);
  if (at < 0) at = free.length;
  const [before, after] = [free[at - 1], free[at]];
  const range = { start, bytes };
  free.splice(at, 0, range);
  if (after !== undefined && start + bytes === after.start) {
    range.bytes += after.bytes;
    free.splice(at + 1, 1);
  }
  if (before !== undefined && before.start + before.bytes === start) {
    before.bytes += range.bytes;
    free.splice(at, 1);
  }
}

interface MemoryNamespace {
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
}

/** Its types belong to the library of browsers, which a program for Node does not load. */
const world = globalThis as unknown as { readonly WebAssembly: MemoryNamespace };

function fixedMemory(bytes: number): ArrayBuffer {
  const pages = bytes / WASM_PAGE_BYTES;
  return new world.WebAssembly.Memory({ initial: pages, maximum: pages }).buffer;
}

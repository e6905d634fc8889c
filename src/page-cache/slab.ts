/**
 * SLAB: the memory of cached pages, in blocks; a block holds pages of one size. A place for a page
 * is a frame, and a frame is a number.
 *
 *   block 0                  block 1                  block 2
 *   ├ page ┼ page ┼ page ┤   ├─────── page ───────┤   (not made yet)
 *   frame 0      1      2    frame 32                 frame 64
 *
 * (1) Blocks, tables and views together never take more than the budget. Tables are counted from the
 *     beginning, for all frames there may ever be; blocks are made when they are first needed.
 * (2) A block is divided anew only when all of its frames are free.
 * (3) The view on a frame is made once for a division: to make one costs more than to look up a page.
 *
 * A block has 32 frames at most, so that the tables stay small beside pages of 4 KiB: pages of 2 KiB
 * and more fill a block, of 1 KiB half of it, of 512 bytes a quarter.
 */
import { assert } from "../base/assert.ts";
import { KIB } from "../base/units.ts";

export const NO_FRAME = -1;

const PAGE_BYTES_MIN = 512;
const BLOCK_BYTES_MAX = 64 * KIB;
const SLOTS_MAX = 32;
/** Of a typed array that is a view on part of a buffer, and of the reference to it. */
const VIEW_BYTES = 112;
/** Of a block's buffer beside its bytes, and of its own tables. */
const BLOCK_COST_BYTES = 256;

export class Slab {
  /** Frames are numbers below this. */
  readonly frames: number;
  readonly slotsPerBlock: number;
  /** View on each frame that there is. Read by look-ups; written here. */
  readonly views: (Uint8Array | undefined)[] = [];
  readonly #budgetBytes: number;
  readonly #blockBytes: number;
  readonly #blocksMax: number;
  readonly #blocks: Uint8Array[] = [];
  /** By block: size of its pages (0: not divided), its frames, and which of them are free, as bits. */
  readonly #pageBytes: Uint32Array;
  readonly #slots: Uint8Array;
  readonly #free: Uint32Array;
  readonly #isListedEmpty: Uint8Array;
  /** Blocks with free frames, by size of page. Some are out of date: see `#isOpen`. */
  readonly #open = new Map<number, number[]>();
  readonly #empty: number[] = [];
  #memoryBytes: number;

  /** `frameBytes`: what the caller's tables take for a frame. */
  constructor(budgetBytes: number, frameBytes: number) {
    const quarter = Math.max(1, budgetBytes / 4);
    const blockBytes = Math.min(BLOCK_BYTES_MAX, 2 ** Math.floor(Math.log2(quarter)));
    const slots = Math.floor(blockBytes / PAGE_BYTES_MIN);
    this.#budgetBytes = budgetBytes;
    this.#blockBytes = blockBytes;
    this.slotsPerBlock = Math.min(SLOTS_MAX, slots);
    const tableBytes = this.slotsPerBlock * frameBytes;
    const eachBytes = blockBytes + tableBytes + VIEW_BYTES + BLOCK_COST_BYTES;
    this.#blocksMax = slots === 0 ? 0 : Math.floor(budgetBytes / eachBytes);
    this.frames = this.#blocksMax * this.slotsPerBlock;
    this.#memoryBytes = this.#blocksMax * tableBytes;
    this.#pageBytes = new Uint32Array(this.#blocksMax);
    this.#slots = new Uint8Array(this.#blocksMax);
    this.#free = new Uint32Array(this.#blocksMax);
    this.#isListedEmpty = new Uint8Array(this.#blocksMax);
  }

  /** Everything, tables included: see (1). */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** The largest page that fits. */
  get pageBytesMax(): number {
    return this.#blocksMax === 0 ? 0 : this.#blockBytes;
  }

  blockOf(frame: number): number {
    return Math.floor(frame / this.slotsPerBlock);
  }

  pageBytesOf(frame: number): number {
    return this.#pageBytes[this.blockOf(frame)] ?? 0;
  }

  /** Frames of a block that are taken. */
  *taken(block: number): Generator<number> {
    const free = this.#free[block] ?? 0;
    for (let slot = 0; slot < (this.#slots[block] ?? 0); slot += 1) {
      if ((free & (1 << slot)) === 0) yield block * this.slotsPerBlock + slot;
    }
  }

  /** A free frame, which is taken from now on; NO_FRAME if something has to go first. */
  take(pageBytes: number): number {
    assert(isPageSize(pageBytes), () => `no page has ${pageBytes} bytes`);
    const open = this.#open.get(pageBytes) ?? [];
    while (open.length > 0 && !this.#isOpen(open.at(-1) as number, pageBytes)) open.pop();
    const block = open.at(-1) ?? this.#openBlock(pageBytes);
    if (block === undefined) return NO_FRAME;
    const free = this.#free[block] as number;
    const slot = 31 - Math.clz32(free & -free);
    this.#free[block] = free & (free - 1);
    return block * this.slotsPerBlock + slot;
  }

  give(frame: number): void {
    const block = this.blockOf(frame);
    const bit = 1 << (frame - block * this.slotsPerBlock);
    const free = this.#free[block] as number;
    assert((free & bit) === 0, "a frame was given back twice");
    this.#free[block] = free | bit;
    if (free === 0) this.#listOpen(block);
    if (!this.#isEmpty(block) || this.#isListedEmpty[block] === 1) return;
    this.#isListedEmpty[block] = 1;
    this.#empty.push(block);
  }

  #openBlock(pageBytes: number): number | undefined {
    if (pageBytes > this.pageBytesMax) return undefined;
    const block = this.#makeBlock() ?? this.#takeEmpty();
    if (block === undefined) return undefined;
    this.#divide(block, pageBytes);
    return block;
  }

  #makeBlock(): number | undefined {
    const block = this.#blocks.length;
    const costBytes = this.#blockBytes + BLOCK_COST_BYTES;
    const hasRoom = this.#memoryBytes + costBytes + VIEW_BYTES <= this.#budgetBytes;
    if (block === this.#blocksMax || !hasRoom) return undefined;
    this.#blocks.push(new Uint8Array(this.#blockBytes));
    this.#memoryBytes += costBytes;
    return block;
  }

  #takeEmpty(): number | undefined {
    for (let block = this.#empty.pop(); block !== undefined; block = this.#empty.pop()) {
      this.#isListedEmpty[block] = 0;
      if (this.#isEmpty(block)) return block;
    }
    return undefined;
  }

  /** Into as many frames as the block has bytes for, and the budget views. */
  #divide(block: number, pageBytes: number): void {
    const before = this.#slots[block] as number;
    this.#memoryBytes -= before * VIEW_BYTES;
    const affordable = Math.floor((this.#budgetBytes - this.#memoryBytes) / VIEW_BYTES);
    const fitting = Math.floor(this.#blockBytes / pageBytes);
    const slots = Math.min(fitting, this.slotsPerBlock, affordable);
    assert(slots > 0, "a block without a frame");
    this.#memoryBytes += slots * VIEW_BYTES;
    const { buffer } = this.#blocks[block] as Uint8Array;
    const first = block * this.slotsPerBlock;
    for (let slot = 0; slot < this.slotsPerBlock; slot += 1) {
      const offset = slot * pageBytes;
      this.views[first + slot] =
        slot < slots ? new Uint8Array(buffer, offset, pageBytes) : undefined;
    }
    this.#pageBytes[block] = pageBytes;
    this.#slots[block] = slots;
    this.#free[block] = allFree(slots);
    this.#listOpen(block);
  }

  #listOpen(block: number): void {
    const pageBytes = this.#pageBytes[block] as number;
    const open = this.#open.get(pageBytes);
    if (open === undefined) this.#open.set(pageBytes, [block]);
    else open.push(block);
  }

  #isOpen(block: number, pageBytes: number): boolean {
    return this.#pageBytes[block] === pageBytes && this.#free[block] !== 0;
  }

  #isEmpty(block: number): boolean {
    return this.#free[block] === allFree(this.#slots[block] as number);
  }
}

/** What a table of free frames says when all of them are. */
function allFree(slots: number): number {
  return slots === 32 ? 0xffff_ffff : (1 << slots) - 1;
}

function isPageSize(bytes: number): boolean {
  return bytes >= PAGE_BYTES_MIN && (bytes & (bytes - 1)) === 0;
}

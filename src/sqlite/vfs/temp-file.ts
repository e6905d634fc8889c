/**
 * JOURNALS AND TEMPORARY FILES. The journal of a small commit is written in seven pieces and cut to
 * nothing at its end, so it must cost next to nothing: its first bytes stay in a buffer within the
 * instance's memory, where a piece is moved by one instruction. What outgrows a small buffer moves
 * to a large one, which holds the journal of a group of commits, and from there to a scratch file
 * of the world.
 *
 * (1) Everything is in one buffer or everything is in the scratch file.
 * (2) A buffer belongs to a file only while there is something in it. The pools keep a few; the
 *     number in use is that of the transactions that are open at the same time.
 * (3) Bytes between the old end and a write behind it are zeros.
 */
import type { ScratchFile, Storage } from "../../base/env.ts";
import type { Heap } from "../wasm/heap.ts";
import type { Pointer, RawFunctions } from "../wasm/raw.ts";

/** `small`: fifteen pages of 4 KiB and their frame. `large`: a page for each of many commits. */
const SIZES = {
  small: { bytes: 64 * 1024, kept: 16 },
  large: { bytes: 1024 * 1024, kept: 2 },
} as const;

class BufferPool {
  readonly bytes: number;
  readonly #keptMax: number;
  readonly #c: RawFunctions;
  readonly #heap: Heap;
  readonly #kept: Pointer[] = [];

  constructor(memory: InstanceMemory, { bytes, kept }: (typeof SIZES)[keyof typeof SIZES]) {
    this.bytes = bytes;
    this.#keptMax = kept;
    this.#c = memory.c;
    this.#heap = memory.heap;
  }

  /** 0 if there is no memory. */
  take(): Pointer {
    const kept = this.#kept.pop();
    if (kept !== undefined) return kept;
    const buffer = this.#c.sqlite3_malloc(this.bytes);
    this.#heap.fresh();
    return buffer;
  }

  give(buffer: Pointer): void {
    if (this.#kept.length < this.#keptMax) this.#kept.push(buffer);
    else this.#c.sqlite3_free(buffer);
  }
}

interface InstanceMemory {
  readonly c: RawFunctions;
  readonly heap: Heap;
}

/** The pools of one instance, smallest buffers first. */
export type BufferPools = readonly BufferPool[];

export const bufferPools = (memory: InstanceMemory): BufferPools => [
  new BufferPool(memory, SIZES.small),
  new BufferPool(memory, SIZES.large),
];

export interface TempFileWorld {
  readonly heap: Heap;
  readonly pools: BufferPools;
  readonly storage: Storage;
}

export class TempFile {
  readonly #world: TempFileWorld;
  readonly #heap: Heap;
  /** Where `#buffer` is from; undefined without one. */
  #pool: BufferPool | undefined;
  #buffer: Pointer = 0;
  #bufferedBytes = 0;
  #scratch: ScratchFile | undefined;

  constructor(world: TempFileWorld) {
    this.#world = world;
    this.#heap = world.heap;
  }

  get sizeBytes(): number {
    return this.#scratch?.sizeBytes ?? this.#bufferedBytes;
  }

  /** Writes `bytes` bytes that lie at `address`. */
  write(address: Pointer, bytes: number, offset: number): void {
    const end = offset + bytes;
    if (this.#scratch === undefined && this.#hasBuffer(end)) {
      const { u8 } = this.#heap;
      const at = this.#buffer;
      if (offset > this.#bufferedBytes) u8.fill(0, at + this.#bufferedBytes, at + offset);
      u8.copyWithin(at + offset, address, address + bytes);
      if (end > this.#bufferedBytes) this.#bufferedBytes = end;
      return;
    }
    this.#onScratch().write(this.#heap.u8.subarray(address, address + bytes), offset);
  }

  /** Reads up to `bytes` bytes to `address`; returns how many there were. */
  read(address: Pointer, bytes: number, offset: number): number {
    if (this.#scratch !== undefined) {
      return this.#scratch.read(this.#heap.u8.subarray(address, address + bytes), offset);
    }
    const count = Math.max(0, Math.min(bytes, this.#bufferedBytes - offset));
    const from = this.#buffer + offset;
    if (count > 0) this.#heap.u8.copyWithin(address, from, from + count);
    return count;
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes === 0) {
      this.close();
    } else if (this.#scratch === undefined && sizeBytes <= this.#bufferedBytes) {
      this.#bufferedBytes = sizeBytes;
    } else {
      this.#onScratch().truncate(sizeBytes);
    }
  }

  /** Gives everything back. The file is empty then, and may be used again. */
  close(): void {
    this.#leaveBuffer();
    this.#scratch?.close();
    this.#scratch = undefined;
  }

  /** True if there is a buffer that holds so many bytes, and what the file has is in it. */
  #hasBuffer(bytes: number): boolean {
    if (this.#pool !== undefined && bytes <= this.#pool.bytes) return true;
    const pool = this.#world.pools.find((candidate) => bytes <= candidate.bytes);
    const buffer = pool?.take() ?? 0;
    if (pool === undefined || buffer === 0) return false;
    const from = this.#buffer;
    const count = this.#bufferedBytes;
    if (count > 0) this.#heap.u8.copyWithin(buffer, from, from + count);
    this.#leaveBuffer();
    this.#pool = pool;
    this.#buffer = buffer;
    this.#bufferedBytes = count;
    return true;
  }

  #leaveBuffer(): void {
    this.#pool?.give(this.#buffer);
    this.#pool = undefined;
    this.#buffer = 0;
    this.#bufferedBytes = 0;
  }

  /** See (1). A scratch file that refuses the move leaves the buffer as it was. */
  #onScratch(): ScratchFile {
    if (this.#scratch !== undefined) return this.#scratch;
    const scratch = this.#world.storage.scratch();
    if (this.#bufferedBytes > 0) {
      const from = this.#buffer;
      try {
        scratch.write(this.#heap.u8.subarray(from, from + this.#bufferedBytes), 0);
      } catch (error) {
        scratch.close();
        throw error;
      }
    }
    this.#leaveBuffer();
    this.#scratch = scratch;
    return scratch;
  }
}

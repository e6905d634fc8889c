/**
 * JOURNALS AND TEMPORARY FILES. The journal of a small commit is written in seven pieces and cut to
 * nothing at its end, so it must cost next to nothing: its first bytes stay in a buffer within the
 * instance's memory, where a piece is moved by one instruction. What outgrows the buffer moves to a
 * scratch file of the world.
 *
 * (1) Either everything is in the buffer or everything is in the scratch file.
 * (2) A buffer belongs to a file only while there is something in it. The pool keeps a few; the
 *     number in use is that of the transactions that are open at the same time.
 * (3) Bytes between the old end and a write behind it are zeros.
 */
import type { ScratchFile, Storage } from "../base/env.ts";
import type { Heap } from "./heap.ts";
import type { Pointer, RawFunctions } from "./raw.ts";

/** Fifteen pages of 4 KiB and their frame. */
const BUFFER_BYTES = 64 * 1024;
const KEPT_BUFFERS = 16;

export class BufferPool {
  readonly #c: RawFunctions;
  readonly #heap: Heap;
  readonly #kept: Pointer[] = [];

  constructor(c: RawFunctions, heap: Heap) {
    this.#c = c;
    this.#heap = heap;
  }

  /** 0 if there is no memory. */
  take(): Pointer {
    const kept = this.#kept.pop();
    if (kept !== undefined) return kept;
    const buffer = this.#c.sqlite3_malloc(BUFFER_BYTES);
    this.#heap.fresh();
    return buffer;
  }

  give(buffer: Pointer): void {
    if (this.#kept.length < KEPT_BUFFERS) this.#kept.push(buffer);
    else this.#c.sqlite3_free(buffer);
  }
}

export interface TempFileWorld {
  readonly heap: Heap;
  readonly pool: BufferPool;
  readonly storage: Storage;
}

export class TempFile {
  readonly #world: TempFileWorld;
  readonly #heap: Heap;
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
    if (this.#scratch === undefined && end <= BUFFER_BYTES && this.#hasBuffer()) {
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
    if (this.#buffer !== 0) this.#world.pool.give(this.#buffer);
    this.#buffer = 0;
    this.#bufferedBytes = 0;
    this.#scratch?.close();
    this.#scratch = undefined;
  }

  #hasBuffer(): boolean {
    if (this.#buffer === 0) this.#buffer = this.#world.pool.take();
    return this.#buffer !== 0;
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
    if (this.#buffer !== 0) this.#world.pool.give(this.#buffer);
    this.#buffer = 0;
    this.#bufferedBytes = 0;
    this.#scratch = scratch;
    return scratch;
  }
}

/**
 * MEMORY TO WRITE FROM, where the system takes any: the collector keeps it for as long as an
 * operation reads it. It holds callers to the rules of drivers that are not so patient.
 */
import type { WriteMemory } from "../base/driver.ts";
import { roundUp } from "../base/units.ts";
import { assertBlocks, foreignMemory } from "./blocks.ts";

export class PlainMemory implements WriteMemory {
  readonly #blockBytes: number;
  readonly #onRelease: (memory: Uint8Array) => void;
  readonly #ours = new WeakSet<ArrayBufferLike>();

  /** `onRelease` may spoil what was released, so that whoever still uses it is found out. */
  constructor(blockBytes: number, onRelease: (memory: Uint8Array) => void = () => undefined) {
    this.#blockBytes = blockBytes;
    this.#onRelease = onRelease;
  }

  allocate(bytes: number): Uint8Array {
    const memory = new Uint8Array(roundUp(bytes, this.#blockBytes));
    this.#ours.add(memory.buffer);
    return memory;
  }

  release(memory: Uint8Array): void {
    if (!this.#ours.delete(memory.buffer)) throw foreignMemory("released");
    this.#onRelease(memory);
  }

  /** Throws a RangeError for what `LogFile.write` does not take. */
  assertWritable(from: Uint8Array, at: number): void {
    assertBlocks(from, { at, blockBytes: this.#blockBytes });
    if (!this.#ours.has(from.buffer)) throw foreignMemory("written from");
  }
}

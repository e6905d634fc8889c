/**
 * PRIVATE TEMPORARY FILES: SQLite's rollback journals, sorters and temporary tables. Nothing in
 * them is needed after a crash, so nothing is ever synced.
 *
 * (1) Up to `memoryBytesMax` a file is memory; when it outgrows that, it moves to a file without a
 *     name, which the system frees when the process ends, however it ends.
 * (2) Truncating to nothing moves it back to memory, and keeps at most KEEP_BYTES of it: a journal
 *     is written and truncated at every commit, and a thousand idle connections must stay small.
 * (3) Bytes between the old end and a write behind it are zero, also where the buffer held others.
 */

import { randomBytes } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { assert } from "../base/assert.ts";
import type { ScratchFile } from "../base/env.ts";
import { KIB, MIB } from "../base/units.ts";

const FIRST_BYTES = 4 * KIB;
const KEEP_BYTES = 64 * KIB;
const MEMORY_BYTES_MAX = MIB;
const NOTHING = new Uint8Array(0);

/** A scratch file that moves to `directory` when it outgrows memory. */
export function spillingScratch(directory: string): ScratchFile {
  return new Scratch(MEMORY_BYTES_MAX, () => openNameless(directory));
}

/** A scratch file that never leaves memory: for simulation. */
export function memoryScratch(): ScratchFile {
  return new Scratch(Number.POSITIVE_INFINITY, () => {
    throw new RangeError("a scratch file of the simulation has no file to move to");
  });
}

interface Spilled {
  readonly fd: number;
  /** Gives the descriptor back, and the name where it could not be removed before. */
  readonly remove: () => void;
}

class Scratch implements ScratchFile {
  readonly #memoryBytesMax: number;
  readonly #openSpilled: () => Spilled;
  #memory: Uint8Array = NOTHING;
  #spilled: Spilled | undefined;
  #sizeBytes = 0;
  #open = true;

  constructor(memoryBytesMax: number, openSpilled: () => Spilled) {
    this.#memoryBytesMax = memoryBytesMax;
    this.#openSpilled = openSpilled;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  read(into: Uint8Array, at: number): number {
    this.#assertOpen();
    const count = Math.max(0, Math.min(into.length, this.#sizeBytes - at));
    if (count === 0) return 0;
    if (this.#spilled === undefined) into.set(this.#memory.subarray(at, at + count));
    else readFully(this.#spilled.fd, into.subarray(0, count), at);
    return count;
  }

  write(from: Uint8Array, at: number): void {
    this.#assertOpen();
    const end = at + from.length;
    if (this.#spilled === undefined && end > this.#memoryBytesMax) this.#spill();
    if (this.#spilled !== undefined) {
      writeFully(this.#spilled.fd, from, at);
    } else {
      if (end > this.#memory.length) this.#grow(end);
      if (at > this.#sizeBytes) this.#memory.fill(0, this.#sizeBytes, at);
      this.#memory.set(from, at);
    }
    if (end > this.#sizeBytes) this.#sizeBytes = end;
  }

  truncate(bytes: number): void {
    this.#assertOpen();
    if (bytes === 0) {
      this.#leaveFile();
      if (this.#memory.length > KEEP_BYTES) this.#memory = NOTHING;
    } else if (this.#spilled === undefined && bytes > this.#memoryBytesMax) {
      this.#spill();
    }
    if (this.#spilled !== undefined) {
      ftruncateSync(this.#spilled.fd, bytes);
    } else if (bytes > this.#sizeBytes) {
      if (bytes > this.#memory.length) this.#grow(bytes);
      this.#memory.fill(0, this.#sizeBytes, bytes);
    }
    this.#sizeBytes = bytes;
  }

  close(): void {
    this.#open = false;
    this.#leaveFile();
    this.#memory = NOTHING;
    this.#sizeBytes = 0;
  }

  #grow(bytes: number): void {
    const doubled = Math.max(FIRST_BYTES, this.#memory.length * 2);
    const grown = new Uint8Array(Math.min(Math.max(doubled, bytes), this.#memoryBytesMax));
    grown.set(this.#memory.subarray(0, this.#sizeBytes));
    this.#memory = grown;
  }

  #spill(): void {
    const spilled = this.#openSpilled();
    try {
      writeFully(spilled.fd, this.#memory.subarray(0, this.#sizeBytes), 0);
    } catch (error) {
      spilled.remove(); // The file stays as it was, in memory, and the caller hears why.
      throw error;
    }
    this.#spilled = spilled;
    this.#memory = NOTHING;
  }

  #leaveFile(): void {
    this.#spilled?.remove();
    this.#spilled = undefined;
  }

  #assertOpen(): void {
    assert(this.#open, "a scratch file is used after it was closed");
  }
}

function openNameless(directory: string): Spilled {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `scratch-${process.pid}-${randomBytes(8).toString("hex")}`);
  const fd = openSync(path, "wx+", 0o600);
  // Windows keeps the name of an open file; there it goes with the descriptor.
  const unlinkLate = process.platform === "win32";
  if (!unlinkLate) unlinkSync(path);
  return {
    fd,
    remove() {
      closeSync(fd);
      if (unlinkLate) unlinkSync(path);
    },
  };
}

function readFully(fd: number, into: Uint8Array, at: number): void {
  for (let done = 0; done < into.length; ) {
    const count = readSync(fd, into, done, into.length - done, at + done);
    assert(count > 0, "a scratch file is shorter than what was written to it");
    done += count;
  }
}

function writeFully(fd: number, from: Uint8Array, at: number): void {
  for (let done = 0; done < from.length; ) {
    done += writeSync(fd, from, done, from.length - done, at + done);
  }
}

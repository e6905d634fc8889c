/**
 * THE STANDARD DRIVER: buffered writes, made durable by fdatasync. It works everywhere.
 *
 * (1) A small write is copied into the page cache within the call: that takes less of this thread
 *     than to wake one of the pool, and the sync is then the only trip.
 * (2) `sync` covers every write that returned before it, whoever made it: SystemFile (2).
 */
import type { Driver, LogFile } from "../base/driver.ts";
import { KIB } from "../base/units.ts";
import { PlainMemory } from "./plain-memory.ts";
import type { SystemFile } from "./system-file.ts";

/** Writes up to this size are copied within the call; it takes some tens of microseconds. */
const COPIED_BYTES_MAX = 128 * KIB;
export const LOG_BLOCK_BYTES = 4 * KIB;

export interface StandardDriverOptions {
  readonly openFile: (path: string) => Promise<SystemFile>;
  readonly backend: "threads" | "io_uring";
  readonly fallback: string | undefined;
  readonly warnings: readonly string[];
}

export function standardDriver(options: StandardDriverOptions): Driver {
  const { openFile, backend, fallback, warnings } = options;
  const memory = new PlainMemory(LOG_BLOCK_BYTES);
  return {
    kind: "standard",
    backend,
    fallback,
    warnings,
    blockBytes: LOG_BLOCK_BYTES,
    allocate: (bytes) => memory.allocate(bytes),
    release: (released) => memory.release(released),
    open: async (path) => new StandardFile(await openFile(path), memory),
    close: async () => undefined,
  };
}

class StandardFile implements LogFile {
  readonly writesAreDurable = false;
  readonly #file: SystemFile;
  readonly #memory: PlainMemory;

  constructor(file: SystemFile, memory: PlainMemory) {
    this.#file = file;
    this.#memory = memory;
  }

  async write(from: Uint8Array, at: number): Promise<void> {
    this.#memory.assertWritable(from, at);
    if (from.length <= COPIED_BYTES_MAX) this.#file.writeSync(from, at);
    else await this.#file.write(from, at);
  }

  writeSync(from: Uint8Array, at: number): void {
    this.#memory.assertWritable(from, at);
    this.#file.writeSync(from, at);
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  syncSync(): void {
    this.#file.syncSync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

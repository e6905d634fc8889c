/**
 * THE DIRECT DRIVER: `O_DIRECT | O_DSYNC`. One positioned write of aligned blocks goes past the page
 * cache to the device and returns when it is durable: one trip through the thread pool for each
 * group of commits, and no copy.
 *
 * (1) Memory that an operation uses is not handed out again before it returned, whoever released it
 *     meanwhile: AlignedMemory (2).
 * (2) A short write is continued at a block: what the device took beyond the last whole one is
 *     written again.
 */
import { constants } from "node:fs";
import type { Driver, LogFile } from "../base/driver.ts";
import { AlignedMemory } from "./aligned-memory.ts";
import type { SystemFile } from "./system-file.ts";

/** Not all of them exist everywhere: 0 where the platform has no such thing. */
export const DIRECT_FLAGS = constants.O_RDWR | (constants.O_DIRECT ?? 0) | (constants.O_DSYNC ?? 0);
export const CAN_BE_DIRECT = constants.O_DIRECT !== undefined && constants.O_DSYNC !== undefined;

export interface DirectDriverOptions {
  /** Opens with DIRECT_FLAGS, writing in steps of whole blocks. */
  readonly openFile: (path: string) => Promise<SystemFile>;
  readonly backend: "threads" | "io_uring";
  readonly warnings: readonly string[];
  readonly blockBytes: number;
}

export function directDriver(options: DirectDriverOptions): Driver {
  const { openFile, backend, warnings, blockBytes } = options;
  const memory = new AlignedMemory(blockBytes);
  return {
    kind: "direct",
    backend,
    fallback: undefined,
    warnings,
    blockBytes,
    allocate: (bytes) => memory.allocate(bytes),
    release: (released) => memory.release(released),
    open: async (path) => new DirectFile(await openFile(path), memory),
    close: async () => undefined,
  };
}

class DirectFile implements LogFile {
  readonly writesAreDurable = true;
  readonly #file: SystemFile;
  readonly #memory: AlignedMemory;

  constructor(file: SystemFile, memory: AlignedMemory) {
    this.#file = file;
    this.#memory = memory;
  }

  async write(from: Uint8Array, at: number): Promise<void> {
    const used = this.#memory.assertWritable(from, at);
    this.#memory.use(used);
    try {
      await this.#file.write(from, at);
    } finally {
      this.#memory.unuse(used);
    }
  }

  writeSync(from: Uint8Array, at: number): void {
    this.#memory.assertWritable(from, at);
    this.#file.writeSync(from, at);
  }

  async sync(): Promise<void> {
    this.syncSync();
  }

  syncSync(): void {
    this.#file.assertOpen("fdatasync");
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

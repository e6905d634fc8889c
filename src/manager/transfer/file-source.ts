/**
 * A FILE AS BYTES TO LOOK AT, through a window that moves along it: what inspection and verification
 * read from. Synchronous, for they run where nobody waits for anything else.
 *
 * (1) A view is valid until the next one is asked for.
 * (2) What the device refuses to read is BOP_IO, never the end of the file.
 */
import type { File, Storage } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import { MIB } from "../../base/units.ts";
import type { ByteSource } from "../../wal/index.ts";

const WINDOW_BYTES = 4 * MIB;

export class FileSource implements ByteSource {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #file: File;
  #window = new Uint8Array(0);
  #windowAt = 0;

  private constructor(path: string, file: File, sizeBytes: number) {
    this.path = path;
    this.#file = file;
    this.sizeBytes = sizeBytes;
  }

  static async open(storage: Storage, path: string): Promise<FileSource> {
    try {
      const file = await storage.open(path, "read");
      return new FileSource(path, file, await file.size());
    } catch (cause) {
      throw ioError("opening", path, cause);
    }
  }

  view(offset: number, length: number): Uint8Array {
    const end = Math.min(offset + length, this.sizeBytes);
    if (offset >= end) return this.#window.subarray(0, 0);
    const windowEnd = this.#windowAt + this.#window.length;
    if (offset < this.#windowAt || end > windowEnd) this.#load(offset, end - offset);
    return this.#window.subarray(offset - this.#windowAt, end - this.#windowAt);
  }

  /** The whole file, in memory of its own. */
  whole(): Uint8Array {
    return this.view(0, this.sizeBytes).slice();
  }

  async close(): Promise<void> {
    this.#window = new Uint8Array(0);
    // Nothing was written through it, so that its closing failed is nobody's loss.
    await this.#file.close().catch(() => undefined);
  }

  #load(offset: number, length: number): void {
    const size = Math.min(Math.max(length, WINDOW_BYTES), this.sizeBytes - offset);
    const window = new Uint8Array(size);
    try {
      for (let done = 0; done < size; ) {
        const count = this.#file.readSync(window.subarray(done), offset + done);
        if (count === 0) throw new Error(`the file ends at ${offset + done}`);
        done += count;
      }
    } catch (cause) {
      throw ioError("reading", this.path, cause);
    }
    this.#window = window;
    this.#windowAt = offset;
  }
}

/**
 * A CHUNK AS WHO CAN WAIT READS IT, wherever it is: each read goes to where it is then.
 *
 * (1) A file is closed when the chunk has moved and no read of it is under way any more.
 */
import { AssertionError } from "../../base/assert.ts";
import type { File } from "../../base/env.ts";
import { StorageError, systemCode } from "../../base/errors.ts";
import type { ByteRange } from "./remote-chunks.ts";
import { ChunkMoved } from "./resident-file.ts";

export interface ChunkSource {
  open(): Promise<File>;
  /** The device does not give it back. False if it cannot be had elsewhere. */
  refused(range: ByteRange, why: string): boolean;
  closed(): void;
}

interface Handle {
  readonly file: Promise<File>;
  readers: number;
  isOver: boolean;
}

export class OpenedChunk implements File {
  readonly #source: ChunkSource;
  readonly #signal: AbortSignal | undefined;
  #handle: Handle | undefined;
  #isClosed = false;

  constructor(source: ChunkSource, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  read(into: Uint8Array, at: number): Promise<number> {
    return untilAborted(this.#read(into, at), this.#signal);
  }

  async size(): Promise<number> {
    return this.#with((file) => file.size());
  }

  /** See (1). */
  moved(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle === undefined) return;
    handle.isOver = true;
    if (handle.readers === 0) closeQuietly(handle);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.moved();
    this.#source.closed();
  }

  readSync(): number {
    throw refused();
  }

  write(): Promise<void> {
    throw refused();
  }

  writeSync(): void {
    throw refused();
  }

  sync(): Promise<void> {
    throw refused();
  }

  syncSync(): void {
    throw refused();
  }

  truncate(): Promise<void> {
    throw refused();
  }

  preallocate(): Promise<void> {
    throw refused();
  }

  async #read(into: Uint8Array, at: number): Promise<number> {
    for (;;) {
      try {
        return await this.#with((file) => file.read(into, at));
      } catch (error) {
        if (error instanceof ChunkMoved) continue;
        const code = error instanceof StorageError ? undefined : systemCode(error);
        if (code === undefined) throw error;
        const range = { offset: at, bytes: into.length };
        if (!this.#source.refused(range, `it cannot be read: ${code}`)) throw error;
      }
    }
  }

  async #with<T>(use: (file: File) => Promise<T>): Promise<T> {
    this.#handle ??= { file: this.#source.open(), readers: 0, isOver: false };
    const handle = this.#handle;
    handle.readers += 1;
    try {
      return await use(await handle.file);
    } catch (error) {
      if (this.#handle === handle) this.moved();
      throw error;
    } finally {
      handle.readers -= 1;
      if (handle.isOver && handle.readers === 0) closeQuietly(handle);
    }
  }
}

/** What it waited for goes on, for others. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const aborted = () => reject(signal.reason);
    if (signal.aborted) aborted();
    signal.addEventListener("abort", aborted, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}

/** Nothing was written through it. */
function closeQuietly({ file }: Handle): void {
  void file.then((open) => open.close()).catch(() => undefined);
}

function refused(): AssertionError {
  return new AssertionError("a chunk never changes, and is not read without waiting here");
}

/**
 * ONE SEGMENT READ BACK from front to end, through a window that moves along the file while the
 * bytes behind it are already being read. A read that the device refuses is BOP_IO, never the end of
 * the log; neither is one that it cut short.
 *
 *   memory   │ what is left of the window before │ window            │
 *   other    │                                   │ is being filled   │
 *
 * (1) A view is valid until the next one is asked for.
 * (2) Two stretches of memory take turns. A view that begins in one window and ends in the next is
 *     put together by copying its front before the next one, as long as that is not too much.
 * (3) `close` waits for the read that is under way: its memory is used again.
 */
import type { File, Storage } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import { MIB, roundUp } from "../../base/units.ts";
import { BATCH_HEADER, type BatchHeader, BLOCK_BYTES, readBatchHeader } from "../../wal/index.ts";

export interface SegmentIdentity {
  readonly path: string;
  readonly storeId: Uint8Array;
  readonly sequence: number;
}

/** At once, unless something must be read first. */
type Ready<T> = T | Promise<T>;

/** Memory of one reader after the other. */
export class ReadMemory {
  readonly #buffers: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#buffers.pop() ?? new Uint8Array(FRONT_BYTES + WINDOW_BYTES);
  }

  give(buffer: Uint8Array): void {
    if (buffer.length === FRONT_BYTES + WINDOW_BYTES) this.#buffers.push(buffer);
  }
}

interface Window {
  /** Where in the file it begins, and what lies there. */
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly buffer: Uint8Array;
}

const WINDOW_BYTES = 4 * MIB;
/** The largest front of a view that is copied; one of a batch of the usual size fits. */
const FRONT_BYTES = 2 * MIB;
const NOTHING = new Uint8Array(0);

export class SegmentReader {
  readonly identity: SegmentIdentity;
  readonly sizeBytes: number;
  readonly #file: File;
  readonly #memory: ReadMemory;
  #window: Window | undefined;
  #ahead: Promise<Window> | undefined;
  #aheadAt = 0;

  private constructor(file: File, about: Omit<OpenedSegment, "storage">) {
    this.identity = about.identity;
    this.sizeBytes = about.sizeBytes;
    this.#memory = about.memory;
    this.#file = file;
  }

  static async open(
    storage: Storage,
    identity: SegmentIdentity,
    memory = new ReadMemory(),
  ): Promise<SegmentReader> {
    try {
      const file = await storage.open(identity.path, "read");
      try {
        return new SegmentReader(file, { identity, memory, sizeBytes: await file.size() });
      } catch (cause) {
        await file.close().catch(() => undefined);
        throw cause;
      }
    } catch (cause) {
      throw ioError("opening", identity.path, cause);
    }
  }

  /** The first block, or as much of it as there is. */
  head(): Promise<Uint8Array> {
    return this.bytesAt(0, BLOCK_BYTES);
  }

  /** Bytes of their own, past the window; fewer where the file ends. */
  async bytesAt(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.sizeBytes - offset)));
    await this.#fill(bytes, offset);
    return bytes;
  }

  /** The header at this offset; undefined if there is none that belongs here. */
  headerAt(offset: number): Ready<BatchHeader | undefined> {
    const bytes = this.#view(offset, BATCH_HEADER.sizeBytes);
    if (bytes instanceof Promise) return bytes.then((it) => readBatchHeader(it, this.identity));
    return readBatchHeader(bytes, this.identity);
  }

  /** What lies where the frames of this batch should, unchecked; undefined beyond the file. */
  payloadAt(offset: number, header: BatchHeader): Ready<Uint8Array | undefined> {
    const length = BATCH_HEADER.sizeBytes + header.payloadBytes;
    if (length > this.sizeBytes - offset) return undefined;
    const from = offset + BATCH_HEADER.sizeBytes;
    return this.#view(from, header.payloadBytes);
  }

  /** The first header from `offset` on that `wanted` accepts; undefined if there is none. */
  async findHeader(
    offset: number,
    wanted: (header: BatchHeader, offset: number) => boolean,
  ): Promise<{ readonly header: BatchHeader; readonly offset: number } | undefined> {
    for (let at = offset; at < this.sizeBytes; at += BLOCK_BYTES) {
      const found = this.headerAt(at);
      const header = found instanceof Promise ? await found : found;
      if (header !== undefined && wanted(header, at)) return { header, offset: at };
    }
    return undefined;
  }

  async close(): Promise<void> {
    const ahead = await this.#ahead?.catch(() => undefined);
    for (const window of [this.#window, ahead]) {
      if (window !== undefined) this.#memory.give(window.buffer);
    }
    this.#window = this.#ahead = undefined;
    await this.#file.close().catch(() => undefined);
  }

  #view(offset: number, length: number): Ready<Uint8Array> {
    const window = this.#window;
    const end = Math.min(offset + length, this.sizeBytes);
    if (end <= offset) return NOTHING;
    if (window !== undefined && offset >= window.at && end <= window.at + window.bytes.length) {
      return window.bytes.subarray(offset - window.at, end - window.at);
    }
    return this.#move({ offset, end });
  }

  /** The next window, with what is wanted of this one copied before it; or one made to measure. */
  async #move({ offset, end }: Wanted): Promise<Uint8Array> {
    const before = this.#window;
    const front = before === undefined ? 0 : Math.max(0, before.at + before.bytes.length - offset);
    const follows = this.#ahead !== undefined && offset >= (before?.at ?? 0);
    const reaches = end <= this.#aheadAt + WINDOW_BYTES && offset <= this.#aheadAt;
    if (before !== undefined && follows && reaches && front <= FRONT_BYTES) {
      const next = await (this.#ahead as Promise<Window>);
      const kept = before.bytes.subarray(before.bytes.length - front);
      next.buffer.set(kept, FRONT_BYTES - front);
      const filled = FRONT_BYTES + next.bytes.length;
      const bytes = next.buffer.subarray(FRONT_BYTES - front, filled);
      this.#memory.give(before.buffer);
      this.#window = { at: next.at - front, bytes, buffer: next.buffer };
      this.#readAhead(next.at + next.bytes.length);
      return bytes.subarray(0, end - offset);
    }
    await this.#forget();
    this.#window = await this.#load(offset, end - offset);
    this.#readAhead(offset + this.#window.bytes.length);
    return this.#window.bytes.subarray(0, end - offset);
  }

  async #forget(): Promise<void> {
    const ahead = await this.#ahead?.catch(() => undefined);
    if (ahead !== undefined) this.#memory.give(ahead.buffer);
    if (this.#window !== undefined) this.#memory.give(this.#window.buffer);
    this.#window = this.#ahead = undefined;
  }

  #readAhead(at: number): void {
    this.#ahead = undefined;
    if (at >= this.sizeBytes) return;
    this.#aheadAt = at;
    this.#ahead = this.#load(at, WINDOW_BYTES);
    this.#ahead.catch(() => undefined); // Told to whoever comes to that place, if anybody does.
  }

  async #load(at: number, length: number): Promise<Window> {
    const rest = this.sizeBytes - at;
    const size = Math.min(rest, Math.max(WINDOW_BYTES, roundUp(length, BLOCK_BYTES)));
    const buffer = this.#bufferFor(size);
    const bytes = buffer.subarray(buffer.length > size ? FRONT_BYTES : 0).subarray(0, size);
    await this.#fill(bytes, at);
    return { at, bytes, buffer };
  }

  /** Small files are read at once, into memory of their size. */
  #bufferFor(size: number): Uint8Array {
    const isUsual = size <= WINDOW_BYTES && this.sizeBytes > WINDOW_BYTES;
    if (isUsual) return this.#memory.take();
    return new Uint8Array(this.sizeBytes > WINDOW_BYTES ? FRONT_BYTES + size : size);
  }

  async #fill(into: Uint8Array, at: number): Promise<void> {
    try {
      for (let done = 0; done < into.length; ) {
        const read = await this.#file.read(into.subarray(done), at + done);
        if (read === 0) throw new Error(`the file ends at ${at + done}`);
        done += read;
      }
    } catch (cause) {
      throw ioError("reading", this.identity.path, cause);
    }
  }
}

interface OpenedSegment {
  readonly storage: Storage;
  readonly identity: SegmentIdentity;
  readonly memory: ReadMemory;
  readonly sizeBytes: number;
}

interface Wanted {
  readonly offset: number;
  readonly end: number;
}

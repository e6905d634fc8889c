/**
 * ONE SEGMENT READ BACK, through a window that moves along the file. A read that the device refuses
 * is BOP_IO, never the end of the log; neither is one that it cut short.
 *
 * (1) A view is valid until the next one is asked for.
 */
import type { File, Storage } from "../base/env.ts";
import { ioError } from "../base/errors.ts";
import { MIB, roundUp } from "../base/units.ts";
import {
  BATCH_HEADER,
  type BatchHeader,
  BLOCK_BYTES,
  readBatchHeader,
  readPayload,
} from "../wal/index.ts";

export interface SegmentIdentity {
  readonly path: string;
  readonly storeId: Uint8Array;
  readonly sequence: number;
}

const WINDOW_BYTES = 2 * MIB;
const NOTHING = new Uint8Array(0);

export class SegmentReader {
  readonly identity: SegmentIdentity;
  readonly sizeBytes: number;
  readonly #file: File;
  #buffer = NOTHING;
  #window = NOTHING;
  #windowAt = 0;

  private constructor(identity: SegmentIdentity, file: File, sizeBytes: number) {
    this.identity = identity;
    this.sizeBytes = sizeBytes;
    this.#file = file;
  }

  static async open(storage: Storage, identity: SegmentIdentity): Promise<SegmentReader> {
    try {
      const file = await storage.open(identity.path, "read");
      return new SegmentReader(identity, file, await file.size());
    } catch (cause) {
      throw ioError("opening", identity.path, cause);
    }
  }

  /** The first block, or as much of it as there is. */
  head(): Promise<Uint8Array> {
    return this.#view(0, BLOCK_BYTES);
  }

  /** The header at this offset; undefined if there is none that belongs here. */
  async headerAt(offset: number): Promise<BatchHeader | undefined> {
    const bytes = await this.#view(offset, BATCH_HEADER.sizeBytes);
    return readBatchHeader(bytes, this.identity);
  }

  /** The frames of the batch at this offset; undefined if they are not all there. */
  async payloadAt(offset: number, header: BatchHeader): Promise<Uint8Array | undefined> {
    const length = BATCH_HEADER.sizeBytes + header.payloadBytes;
    if (length > this.sizeBytes - offset) return undefined;
    return readPayload(await this.#view(offset, length), header);
  }

  /** The first header from `offset` on that `wanted` accepts; undefined if there is none. */
  async findHeader(
    offset: number,
    wanted: (header: BatchHeader, offset: number) => boolean,
  ): Promise<{ readonly header: BatchHeader; readonly offset: number } | undefined> {
    for (let at = offset; at < this.sizeBytes; at += BLOCK_BYTES) {
      const header = await this.headerAt(at);
      if (header !== undefined && wanted(header, at)) return { header, offset: at };
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.#window = this.#buffer = NOTHING;
    await this.#file.close().catch(() => undefined);
  }

  async #view(offset: number, length: number): Promise<Uint8Array> {
    if (offset >= this.sizeBytes) return NOTHING;
    const end = Math.min(offset + length, this.sizeBytes);
    const loaded = this.#windowAt + this.#window.length;
    if (offset < this.#windowAt || end > loaded) await this.#load(offset, end - offset);
    return this.#window.subarray(offset - this.#windowAt, end - this.#windowAt);
  }

  async #load(offset: number, length: number): Promise<void> {
    const wanted = Math.max(WINDOW_BYTES, roundUp(length, BLOCK_BYTES));
    if (this.#buffer.length < wanted) {
      this.#buffer = new Uint8Array(Math.max(wanted, WINDOW_BYTES));
    }
    const size = Math.min(wanted, this.sizeBytes - offset);
    const into = this.#buffer.subarray(0, size);
    try {
      for (let done = 0; done < size; ) {
        const read = await this.#file.read(into.subarray(done), offset + done);
        if (read === 0) throw new Error(`the file ends at ${offset + done}`);
        done += read;
      }
      this.#window = into;
      this.#windowAt = offset;
    } catch (cause) {
      throw ioError("reading", this.identity.path, cause);
    }
  }
}

/**
 * CHUNK ENCODER: pages → the bytes of a chunk, into a buffer that the caller empties to a file now
 * and then.
 *
 *   header  record record record …  directory  footer
 *     ▲        └─ `add` fills the buffer, the caller drains it ─┘      ▲
 *     └ known last, written last: `finish` returns both ends ──────────┘
 *
 * (1) `fits` before `add`: neither the buffer nor the chunk ever overflows.
 * (2) The header's place holds zeros until the end, so an unfinished file is no chunk.
 * (3) Room is asked for as if nothing could be packed, since only packing tells.
 */
import { assert } from "../base/assert.ts";
import type { ChunkId, Lsn } from "../base/units.ts";
import { lsn, MIB } from "../base/units.ts";
import { DirectoryEncoder } from "./chunk-directory.ts";
import { CHUNK_BODY_OFFSET, encodeHeader } from "./chunk-header.ts";
import type { ImageCodec } from "./file-header.ts";
import { isPacked, type PackedImage, packImage } from "./packing.ts";
import {
  encodePackedRecord,
  encodeRecord,
  type PageAddress,
  pageSeed,
  recordBytes,
} from "./page-record.ts";

/** A location has 24 bits for an offset in steps of 8 bytes; half of that is enough. */
export const CHUNK_BYTES_MAX = 64 * MIB;

export interface ChunkStart {
  readonly chunk: ChunkId;
  readonly generation: number;
  readonly storeId: Uint8Array;
  /** Of the store's owner; 0 if it is not given. */
  readonly epoch?: number;
  /** What its images are packed with, where that pays. Absent is "none". */
  readonly codec?: ImageCodec;
}

export interface PageToStore extends PageAddress {
  readonly lsn: Lsn;
  readonly image: Uint8Array;
  /** The same image from a chunk with the same codec, so that it need not be packed again. */
  readonly packed?: PackedImage;
}

interface EncodedRecord {
  readonly recordBytes: number;
  readonly isPacked: boolean;
  readonly crc: number;
}

export class ChunkEncoder {
  readonly #start: ChunkStart;
  readonly #buffer: Uint8Array;
  readonly #bytesMax: number;
  readonly #seed: number;
  readonly #codec: ImageCodec;
  readonly #directory = new DirectoryEncoder();
  #firstLsn = Number.MAX_SAFE_INTEGER;
  #lastLsn = 0;
  /** Undefined before the first page. */
  #pageBytes: number | undefined;
  readonly #streams = new Set<number>();
  #used: number;
  /** Offset in the file of the buffer's first byte. */
  #drained = 0;

  /** Fills `buffer`, which it owns until it is finished. */
  constructor(start: ChunkStart, buffer: Uint8Array, bytesMax: number = CHUNK_BYTES_MAX) {
    assert(bytesMax <= CHUNK_BYTES_MAX, "a chunk larger than its offsets can say");
    this.#start = start;
    this.#buffer = buffer;
    this.#bytesMax = bytesMax;
    this.#seed = pageSeed(start.storeId, start.chunk);
    this.#codec = start.codec ?? "none";
    this.#used = CHUNK_BODY_OFFSET;
    buffer.fill(0, 0, CHUNK_BODY_OFFSET);
  }

  get chunk(): ChunkId {
    return this.#start.chunk;
  }

  get pageCount(): number {
    return this.#directory.count;
  }

  /** `drain`: the buffer has to be emptied first. `full`: the page belongs in the next chunk. */
  fits(imageBytes: number): "yes" | "drain" | "full" {
    const size = recordBytes(imageBytes, this.#codec);
    const endBytes = this.#directory.endBytesAfterNext;
    if (this.#drained + this.#used + size + endBytes > this.#bytesMax) return "full";
    return this.#used + size > this.#buffer.length ? "drain" : "yes";
  }

  /** Returns the offset of the page's record in the file. */
  add(page: PageToStore): number {
    const { stream, pageNumber, lsn, image } = page;
    assert(this.fits(image.length) === "yes", "a page that does not fit");
    const offset = this.#drained + this.#used;
    const record = this.#encode(page);
    this.#directory.add({ stream, pageNumber, lsn, offset, ...record });
    this.#firstLsn = Math.min(this.#firstLsn, lsn);
    this.#lastLsn = Math.max(this.#lastLsn, lsn);
    this.#pageBytes = this.#pageBytes === undefined ? image.length : this.#shared(image.length);
    this.#streams.add(stream);
    this.#used += record.recordBytes;
    return offset;
  }

  /** What is to be written now, and where. `drained` says that it was. */
  pending(): { readonly bytes: Uint8Array; readonly at: number } {
    return { bytes: this.#buffer.subarray(0, this.#used), at: this.#drained };
  }

  drained(): void {
    this.#drained += this.#used;
    this.#used = 0;
  }

  /** Both ends of the file. Everything between must have been drained. */
  finish(): { readonly header: Uint8Array; readonly end: Uint8Array; readonly endAt: number } {
    assert(this.#used === 0, "finished a chunk that is not drained");
    const { chunk, generation, storeId, epoch = 0 } = this.#start;
    const codec = this.#codec;
    const directoryOffset = this.#drained;
    const header = encodeHeader({
      chunk,
      generation,
      storeId,
      epoch,
      pageBytes: this.#pageBytes ?? 0,
      streamCount: this.#streams.size,
      firstLsn: lsn(Math.min(this.#firstLsn, this.#lastLsn)),
      lastLsn: lsn(this.#lastLsn),
      pageCount: this.#directory.count,
      directoryOffset,
      codec,
    });
    return {
      header,
      end: this.#directory.finish({ chunk, directoryOffset }),
      endAt: directoryOffset,
    };
  }

  #encode(page: PageToStore): EncodedRecord {
    const { stream, pageNumber, lsn, image } = page;
    const into = this.#buffer.subarray(this.#used);
    const place = { stream, pageNumber, lsn, seed: this.#seed };
    if (this.#codec === "none") {
      const crc = encodeRecord(into, { ...place, image });
      return { recordBytes: recordBytes(image.length), isPacked: false, crc };
    }
    const packed = page.packed ?? packImage(image);
    const crc = encodePackedRecord(into, { ...place, packed });
    const size = recordBytes(packed.stored.length, this.#codec);
    return { recordBytes: size, isPacked: isPacked(packed), crc };
  }

  /** See `pageBytes` of the header. */
  #shared(imageBytes: number): number {
    return this.#pageBytes === imageBytes ? imageBytes : 0;
  }
}

/**
 * SLOTTED CHUNK: the bytes of a page chunk whose pages are written more than once before it is
 * finished, as a transaction does that has outgrown its memory. All pages have one size, so that
 * every record has a place of its own, its slot, and is simply written there again.
 *
 *   header  slot 0  slot 1  slot 2 …  directory  footer
 *
 * (1) A page has one slot, and a slot one page; the finished file is a page chunk like any other.
 * (2) The header is written last, so an unfinished file is no chunk.
 * (3) Beside the images it takes 8 bytes of memory for a slot.
 * (4) Its images are never packed: what is written a second time must fit where it lay before.
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import type { ChunkId, Lsn } from "../base/units.ts";
import { DIRECTORY_ENTRY, DirectoryEncoder, FOOTER } from "./chunk-directory.ts";
import type { ChunkStart } from "./chunk-encoder.ts";
import { CHUNK_BODY_OFFSET, encodeHeader } from "./chunk-header.ts";
import { encodeRecord, pageSeed, recordBytes } from "./page-record.ts";

export interface SlottedShape {
  readonly stream: number;
  /** Of every record: above the commit before, at or below the one to come. */
  readonly lsn: Lsn;
  readonly pageBytes: number;
  readonly slotsMax: number;
}

export interface FinishedSlots {
  readonly header: Uint8Array;
  readonly end: Uint8Array;
  readonly endAt: number;
  readonly directoryCrc: number;
}

/** Pages of one size that a chunk of `bytesMax` holds. */
export function slotsIn(bytesMax: number, pageBytes: number): number {
  const room = bytesMax - CHUNK_BODY_OFFSET - FOOTER.sizeBytes;
  return Math.floor(room / (recordBytes(pageBytes) + DIRECTORY_ENTRY.sizeBytes));
}

/** Offset of a slot's record in the file. */
export function slotOffset(slot: number, pageBytes: number): number {
  return CHUNK_BODY_OFFSET + slot * recordBytes(pageBytes);
}

export class SlottedChunk {
  readonly seed: number;
  readonly #start: ChunkStart;
  readonly #shape: SlottedShape;
  readonly #pageNumbers: Uint32Array;
  readonly #crcs: Uint32Array;
  #count = 0;

  constructor(start: ChunkStart, shape: SlottedShape) {
    this.#start = start;
    this.#shape = shape;
    this.seed = pageSeed(start.storeId, start.chunk);
    this.#pageNumbers = new Uint32Array(shape.slotsMax);
    this.#crcs = new Uint32Array(shape.slotsMax);
  }

  get chunk(): ChunkId {
    return this.#start.chunk;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.#shape.slotsMax;
  }

  /** Gives a page the next slot. */
  add(pageNumber: number): number {
    assert(!this.isFull, "a page more than the chunk has slots");
    const slot = this.#count;
    this.#pageNumbers[slot] = pageNumber;
    this.#count += 1;
    return slot;
  }

  pageNumber(slot: number): number {
    assert(slot < this.#count, "a slot without a page");
    return this.#pageNumbers[slot] ?? 0;
  }

  /** The record of a slot, to the beginning of `into`. */
  encode(into: Uint8Array, slot: number, image: Uint8Array): void {
    const { stream, lsn, pageBytes } = this.#shape;
    assert(image.length === pageBytes, "an image of another size");
    const record = { stream, pageNumber: this.pageNumber(slot), lsn, image, seed: this.seed };
    this.#crcs[slot] = encodeRecord(into, record);
  }

  /** Both ends of the file. The records between have been written. */
  finish(): FinishedSlots {
    const { chunk, generation, storeId, epoch = 0 } = this.#start;
    const { stream, lsn, pageBytes } = this.#shape;
    const directory = new DirectoryEncoder();
    for (let slot = 0; slot < this.#count; slot += 1) {
      directory.add({
        stream,
        pageNumber: this.pageNumber(slot),
        lsn,
        offset: slotOffset(slot, pageBytes),
        recordBytes: recordBytes(pageBytes),
        isPacked: false,
        crc: this.#crcs[slot] ?? 0,
      });
    }
    const endAt = slotOffset(this.#count, pageBytes);
    const end = directory.finish({ chunk, directoryOffset: endAt });
    const header = encodeHeader({
      chunk,
      generation,
      storeId,
      epoch,
      pageBytes,
      streamCount: 1,
      firstLsn: lsn,
      lastLsn: lsn,
      pageCount: this.#count,
      directoryOffset: endAt,
      codec: "none",
      spilled: true,
    });
    const directoryCrc = crc32(end.subarray(0, end.length - FOOTER.sizeBytes));
    return { header, end, endAt, directoryCrc };
  }
}

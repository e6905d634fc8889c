/**
 * WHAT A WRITE TRANSACTION HAS CHANGED SO FAR: whole pages by number, and the size of the file.
 *
 * (1) Pages are in `pageBytes`, the size that the pager used when it began to write.
 * (2) Below `basePageCount` a page that is not here is the base's; above it, it is zeros.
 * (3) `finished` hands the pages over: they are not touched again unless the commit is discarded.
 */
import { assert } from "../base/assert.ts";
import { pageNumber } from "../base/units.ts";
import type { PageSpace, Snapshot } from "../page-store/index.ts";
import { HEADER } from "./abi.ts";

/** `bytes` bytes at `address` in the instance's memory are those at `offset` of the file. */
export interface Piece {
  readonly address: number;
  readonly bytes: number;
  readonly offset: number;
}

export interface FinishedPages {
  readonly pageCount: number;
  readonly pageBytes: number;
  readonly pages: ReadonlyMap<number, Uint8Array>;
}

export class PendingPages {
  readonly pageBytes: number;
  readonly #pages = new Map<number, Uint8Array>();
  readonly #base: Snapshot;
  readonly #space: PageSpace;
  #fileBytes: number;
  #basePageCount: number;
  #finalBytes: number | undefined;

  /** `pageBytes` counts for an empty base only. */
  constructor(base: Snapshot, pageBytes: number, space: PageSpace) {
    this.pageBytes = base.pageCount === 0 ? pageBytes : base.pageBytes;
    this.#base = base;
    this.#space = space;
    this.#fileBytes = base.pageCount * this.pageBytes;
    this.#basePageCount = base.pageCount;
  }

  get fileBytes(): number {
    return this.#fileBytes;
  }

  get basePageCount(): number {
    return this.#basePageCount;
  }

  /** Size of the file once the commit that `finished` described is in it. */
  get finalBytes(): number | undefined {
    return this.#finalBytes;
  }

  get(number: number): Uint8Array | undefined {
    return this.#pages.get(number);
  }

  /** Takes a piece of `u8`: a whole page nearly always. */
  write(u8: Uint8Array, piece: Piece): void {
    const { pageBytes } = this;
    const { address, bytes, offset } = piece;
    const end = offset + bytes;
    const number = offset / pageBytes + 1;
    if (bytes === pageBytes && Number.isInteger(number)) {
      let page = this.#pages.get(number);
      if (page === undefined) {
        page = this.#space.takeBuffer(pageBytes);
        this.#pages.set(number, page);
      }
      page.set(u8.subarray(address, address + bytes));
    } else {
      this.#writePieces(u8, piece);
    }
    if (end > this.#fileBytes) this.#fileBytes = end;
  }

  /** VACUUM writes pieces of pages around the first gigabyte when it changes their size. */
  #writePieces(u8: Uint8Array, { address, bytes, offset }: Piece): void {
    const { pageBytes } = this;
    for (let done = 0; done < bytes; ) {
      const at = offset + done;
      const index = Math.floor(at / pageBytes);
      const start = at - index * pageBytes;
      const count = Math.min(pageBytes - start, bytes - done);
      const from = address + done;
      this.#own(index + 1).set(u8.subarray(from, from + count), start);
      done += count;
    }
  }

  #own(number: number): Uint8Array {
    const known = this.#pages.get(number);
    if (known !== undefined) return known;
    const page = new Uint8Array(this.pageBytes);
    if (number <= this.#basePageCount) page.set(this.#space.read(this.#base, pageNumber(number)));
    this.#pages.set(number, page);
    return page;
  }

  truncate(fileBytes: number): void {
    this.#fileBytes = fileBytes;
    const pageCount = Math.ceil(fileBytes / this.pageBytes);
    if (pageCount < this.#basePageCount) this.#basePageCount = pageCount;
    this.#forgetAbove(pageCount);
  }

  #forgetAbove(pageCount: number): void {
    for (const number of this.#pages.keys()) if (number > pageCount) this.#pages.delete(number);
  }

  /** The commit in whole pages of the size that its own header names. */
  finished(): FinishedPages {
    const first = this.#own(1);
    const view = new DataView(first.buffer, first.byteOffset, first.length);
    const named = view.getUint16(HEADER.pageBytes);
    const pageBytes = named === 1 ? 65536 : named;
    const pageCount = this.#pageCount(view, pageBytes);
    this.#finalBytes = pageCount * pageBytes;
    if (pageBytes !== this.pageBytes) {
      return { pageCount, pageBytes, pages: this.#recut(pageBytes, pageCount) };
    }
    if (this.#finalBytes < this.#fileBytes) this.#forgetAbove(pageCount);
    return { pageCount, pageBytes, pages: this.#pages };
  }

  /**
   * The header's count, which is smaller than the file before the pager cuts it. The file's own
   * size where the header does not vouch for its count, as a writer older than 3.7 leaves it.
   */
  #pageCount(view: DataView, pageBytes: number): number {
    const vouched = view.getUint32(HEADER.changeCounter) === view.getUint32(HEADER.versionValidFor);
    const count = view.getUint32(HEADER.pageCount);
    const byFile = Math.ceil(this.#fileBytes / pageBytes);
    if (!vouched || count === 0) return byFile;
    assert(count <= byFile, () => `the header counts ${count} pages, the file has ${byFile}`);
    return count;
  }

  #recut(pageBytes: number, pageCount: number): Map<number, Uint8Array> {
    const pages = new Map<number, Uint8Array>();
    for (let number = 1; number <= pageCount; number++) {
      const page = new Uint8Array(pageBytes);
      this.#copyInto(page, (number - 1) * pageBytes);
      pages.set(number, page);
    }
    return pages;
  }

  #copyInto(into: Uint8Array, offset: number): void {
    const end = Math.min(offset + into.length, this.#fileBytes);
    for (let at = offset; at < end; ) {
      const index = Math.floor(at / this.pageBytes);
      const start = at - index * this.pageBytes;
      const count = Math.min(this.pageBytes - start, end - at);
      const page = this.#pages.get(index + 1) ?? this.#baseOrZeros(index + 1);
      into.set(page.subarray(start, start + count), at - offset);
      at += count;
    }
  }

  #baseOrZeros(number: number): Uint8Array {
    if (number <= this.#basePageCount) return this.#space.read(this.#base, pageNumber(number));
    return new Uint8Array(this.pageBytes);
  }
}

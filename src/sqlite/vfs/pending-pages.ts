/**
 * WHAT A WRITE TRANSACTION HAS CHANGED SO FAR: whole pages by number, and the size of the file.
 *
 *   page asked for: in memory ─► in the spill ─► of the base, or zeros
 *
 * (1) Pages are in `pageBytes`, the size that the pager used when it began to write.
 * (2) Below `basePageCount` a page that is not here is the base's; above it, it is zeros.
 * (3) `finished` hands the pages over: they are not touched again unless the commit is discarded.
 * (4) When memory is full, all pages but the first move to the spill, and those that were there are
 *     overwritten: what is in memory is always newer.
 * (5) A spill that failed fails the commit. Until SQLite has rolled back, what it writes is lost on
 *     nobody, and is not even tried.
 */
import { assert } from "../../base/assert.ts";
import { pageNumber } from "../../base/units.ts";
import type { PageSetChange, PageSpace, PageSpill, Snapshot } from "../../page-store/index.ts";
import { HEADER } from "../wasm/abi.ts";

/** `bytes` bytes at `address` in the instance's memory are those at `offset` of the file. */
export interface Piece {
  readonly address: number;
  readonly bytes: number;
  readonly offset: number;
}

/** Too few would be written one by one. */
const MEMORY_PAGES_MIN = 8;

export class PendingPages {
  readonly pageBytes: number;
  readonly #pages = new Map<number, Uint8Array>();
  readonly #memoryPages: number;
  /** Pages in memory from which on a new one is not simply added; 0 once there is a spill. */
  #plainPages: number;
  #spill: PageSpill | undefined;
  /** The same pages in another size: see `finished`. */
  #recutSpill: PageSpill | undefined;
  /** The one that went with the commit. */
  #finishedSpill: PageSpill | undefined;
  #spillFailed = false;
  /** Of pages that were spilled. */
  readonly #buffers: Uint8Array[] = [];
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
    const memoryPages = Math.floor(space.transactionMemoryBytes / this.pageBytes);
    this.#memoryPages = Math.max(MEMORY_PAGES_MIN, memoryPages);
    this.#plainPages = this.#memoryPages;
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

  /** Page 1, as changed so far. */
  get first(): Uint8Array | undefined {
    return this.#pages.get(1);
  }

  /** A changed page, good until the next call; undefined if it is not changed. */
  get(number: number): Uint8Array | undefined {
    return this.#pages.get(number) ?? this.#spill?.get(number);
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
        const isPlain = this.#pages.size < this.#plainPages;
        page = isPlain ? this.#space.takeBuffer(pageBytes) : this.#makeRoom();
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
    if (this.#pages.size >= this.#memoryPages) this.#spillOver();
    const page = new Uint8Array(this.pageBytes);
    page.set(this.#spill?.get(number) ?? this.#baseOrZeros(number));
    this.#pages.set(number, page);
    return page;
  }

  /** A buffer for one page more. Throws what the spill throws: see (5). */
  #makeRoom(): Uint8Array {
    if (this.#pages.size >= this.#memoryPages) this.#spillOver();
    return this.#buffers.pop() ?? this.#space.takeBuffer(this.pageBytes);
  }

  #spillOver(): void {
    if (!this.#spillFailed) {
      this.#spillFailed = true;
      this.#spill ??= this.#space.spill(this.#base, this.pageBytes);
      this.#spill.put(this.#pages);
      this.#spillFailed = false;
      this.#plainPages = 0;
    }
    const first = this.#pages.get(1);
    for (const [number, page] of this.#pages) if (number !== 1) this.#buffers.push(page);
    this.#pages.clear();
    if (first !== undefined) this.#pages.set(1, first);
  }

  /** The commit was sealed, and what it needs is the page space's, or nothing came of it. */
  end({ isSealed }: { readonly isSealed: boolean }): void {
    if (this.#spill === undefined && this.#recutSpill === undefined) return;
    for (const spill of [this.#spill, this.#recutSpill]) {
      if (isSealed && spill === this.#finishedSpill) spill?.close();
      else spill?.discard();
    }
  }

  truncate(fileBytes: number): void {
    this.#fileBytes = fileBytes;
    const pageCount = Math.ceil(fileBytes / this.pageBytes);
    if (pageCount < this.#basePageCount) this.#basePageCount = pageCount;
    this.#forgetAbove(pageCount);
  }

  #forgetAbove(pageCount: number): void {
    this.#spill?.truncate(pageCount);
    for (const number of this.#pages.keys()) if (number > pageCount) this.#pages.delete(number);
  }

  /** The commit in whole pages of the size that its own header names. */
  finished(): PageSetChange {
    const first = this.#own(1);
    const view = new DataView(first.buffer, first.byteOffset, first.length);
    const named = view.getUint16(HEADER.pageBytes);
    const pageBytes = named === 1 ? 65536 : named;
    const pageCount = this.#pageCount(view, pageBytes);
    this.#finalBytes = pageCount * pageBytes;
    if (pageBytes !== this.pageBytes) {
      const pages = this.#recut(pageBytes, pageCount);
      return this.#withSpill({ base: this.#base, pageCount, pageBytes, pages }, this.#recutSpill);
    }
    if (this.#finalBytes < this.#fileBytes) this.#forgetAbove(pageCount);
    const pages = this.#pages;
    return this.#withSpill({ base: this.#base, pageCount, pageBytes, pages }, this.#spill);
  }

  #withSpill(finished: PageSetChange, spill: PageSpill | undefined): PageSetChange {
    this.#finishedSpill = spill;
    return spill === undefined ? finished : { ...finished, spill };
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

  /** What of the pages in the new size does not fit in memory goes to a spill of its own. */
  #recut(pageBytes: number, pageCount: number): Map<number, Uint8Array> {
    this.#recutSpill?.discard();
    this.#recutSpill = undefined;
    const pages = new Map<number, Uint8Array>();
    const memoryPages = Math.floor((this.#memoryPages * this.pageBytes) / pageBytes);
    for (let number = 1; number <= pageCount; number++) {
      if (pages.size > Math.max(MEMORY_PAGES_MIN, memoryPages)) {
        this.#recutSpill ??= this.#space.spill(this.#base, pageBytes);
        this.#recutSpill.put(pages);
        pages.clear();
      }
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
      const page = this.get(index + 1) ?? this.#baseOrZeros(index + 1);
      into.set(page.subarray(start, start + count), at - offset);
      at += count;
    }
  }

  #baseOrZeros(number: number): Uint8Array {
    if (number <= this.#basePageCount) return this.#space.read(this.#base, pageNumber(number));
    return new Uint8Array(this.pageBytes);
  }
}

/**
 * A PAGE OF A B-TREE, looked at by itself. Integers are big-endian.
 *
 *   offset  size  field          meaning
 *        0     1  kind           2 index, 5 table, 10 leaf of an index, 13 leaf of a table
 *        1     2  firstFree      first block of free bytes among the cells; 0 for none
 *        3     2  cells          how many cells
 *        5     2  contentAt      where the cells begin; 0 stands for 65536
 *        7     1  fragmentBytes  free bytes in pieces too small for a block
 *        8     4  rightChild     the last child; leaves lack this field
 *
 *   header │ where each cell lies │ (free) │ cells, free blocks, fragments │ reserved bytes
 *
 * (1) Each byte behind `contentAt` is of one cell, of one free block or of a fragment, and there are
 *     as many of the last as the header says.
 * (2) Rowids ascend, above what the parent has before this page and up to what it has for it.
 * (3) No byte is believed before it was looked at: a page of anything is a Damage or a TreePage.
 *     Children and overflow pages are named and not looked at.
 */
import { layout } from "../base/layout.ts";
import { Damage } from "./damage.ts";
import { SQLITE_HEADER } from "./header.ts";
import { whyNotRecord } from "./record.ts";
import { Varint, type Wide } from "./varint.ts";

export const TREE_PAGE_HEADER = layout(12, [
  ["kind", "u8", "2 index, 5 table, 10 leaf of an index, 13 leaf of a table"],
  ["firstFree", "bytes[2]", "first block of free bytes among the cells; 0 for none"],
  ["cells", "bytes[2]", "how many cells"],
  ["contentAt", "bytes[2]", "where the cells begin; 0 stands for 65536"],
  ["fragmentBytes", "u8", "free bytes in pieces too small for a block"],
  ["rightChild", "u32", "the last child; leaves lack this field"],
]);

export type TreeKind = "table" | "index";

/** Payload of a cell that goes on in other pages. */
export interface Chain {
  readonly first: number;
  readonly pages: number;
}

export interface LocalRecord {
  /** What of it lies in the page. */
  readonly local: Uint8Array;
  readonly payloadBytes: number;
  readonly chain: Chain | undefined;
}

export interface TreePage {
  readonly kind: TreeKind;
  readonly isLeaf: boolean;
  /** Rows of the table, or entries of the index, that are in this page. */
  readonly entries: number;
  readonly children: readonly number[];
  /** Between the children of a table: the largest rowid that is in the child before. */
  readonly keys: readonly Wide[];
  readonly chains: readonly Chain[];
  /** If they were asked for. */
  readonly records: readonly LocalRecord[];
}

export interface TreePlace {
  readonly page: number;
  /** What it must be; undefined for any. */
  readonly kind: TreeKind | undefined;
  /** See (2). Undefined for no bound. */
  readonly above: Wide | undefined;
  readonly upTo: Wide | undefined;
  readonly keepsRecords: boolean;
}

const KINDS: Readonly<Record<number, { readonly kind: TreeKind; readonly isLeaf: boolean }>> = {
  2: { kind: "index", isLeaf: false },
  5: { kind: "table", isLeaf: false },
  10: { kind: "index", isLeaf: true },
  13: { kind: "table", isLeaf: true },
};

const POINTER_BYTES = 2;
const PAGE_NUMBER_BYTES = 4;
const CELL_BYTES_MIN = 4;
/** Next block and size. */
const FREE_BLOCK_BYTES_MIN = 4;
const SPAN = 65536;

/** Reads pages of one file, one at a time. */
export class TreePages {
  readonly #usable: number;
  readonly #fileBytes: number;
  readonly #varint = new Varint();
  /** Begin and end of what lies in the page, in one number each. */
  readonly #spans: Uint32Array;
  #spanCount = 0;

  constructor(usableBytes: number, fileBytes: number) {
    this.#usable = usableBytes;
    this.#fileBytes = fileBytes;
    // As many as a page has room for cells, and for free blocks.
    this.#spans = new Uint32Array(usableBytes);
  }

  /** Throws Damage. Nothing of the answer is a view of the image. */
  read(image: Uint8Array, place: TreePlace): TreePage {
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    const page = new PageBeingRead(view, place, this.#usable);
    this.#spanCount = 0;
    let last = place.above;
    for (let index = 0; index < page.cellCount; index += 1) {
      const at = page.cellAt(index);
      last = this.#cell(page, at, last);
    }
    if (!page.isLeaf) page.children.push(page.rightChild);
    this.#freeBlocks(page);
    this.#refuseOverlaps(page);
    return page;
  }

  /** Returns its rowid, if it is of a table. */
  #cell(page: PageBeingRead, at: number, last: Wide | undefined): Wide | undefined {
    const { view, isLeaf, kind } = page;
    let next = at;
    if (!isLeaf) {
      page.children.push(view.getUint32(at));
      next += PAGE_NUMBER_BYTES;
    }
    let payloadBytes = 0;
    if (isLeaf || kind === "index") {
      next = this.#number(page, next);
      payloadBytes = this.#payloadBytes(page);
    }
    let rowid: Wide | undefined;
    if (kind === "table") {
      next = this.#number(page, next);
      rowid = this.#varint.value;
      this.#refuseDisorder(page, rowid, last);
      if (!isLeaf) page.keys.push(rowid);
    }
    if (isLeaf || kind === "index") next = this.#payload(page, next, payloadBytes);
    this.#take(page, at, Math.max(next, at + CELL_BYTES_MIN));
    return rowid;
  }

  #number(page: PageBeingRead, at: number): number {
    const next = this.#varint.read(page.view, at, this.#usable);
    if (next === undefined) throw page.damage(`the cell at byte ${at} is cut off`);
    return next;
  }

  #payloadBytes(page: PageBeingRead): number {
    const { value } = this.#varint;
    if (value >= 0 && value <= this.#fileBytes) return Number(value);
    throw page.damage(`a cell claims ${value} bytes, more than the file has`);
  }

  /** See (2). */
  #refuseDisorder(page: PageBeingRead, rowid: Wide, last: Wide | undefined): void {
    const { upTo } = page.place;
    if ((last === undefined || rowid > last) && (upTo === undefined || rowid <= upTo)) return;
    throw page.damage(`rowid ${rowid} is out of order`);
  }

  /** Returns where the cell ends. */
  #payload(page: PageBeingRead, at: number, payloadBytes: number): number {
    const localBytes = this.#localBytes(page, payloadBytes);
    const end = at + localBytes + (localBytes < payloadBytes ? PAGE_NUMBER_BYTES : 0);
    if (end > this.#usable) throw page.damage(`the cell at byte ${at} runs over the page's end`);
    const why = whyNotRecord(page.view, { at, localBytes, payloadBytes });
    if (why !== undefined) throw page.damage(why);
    let chain: Chain | undefined;
    if (localBytes < payloadBytes) {
      const perPage = this.#usable - PAGE_NUMBER_BYTES;
      const pages = Math.ceil((payloadBytes - localBytes) / perPage);
      chain = { first: page.view.getUint32(at + localBytes), pages };
      page.chains.push(chain);
    }
    if (page.place.keepsRecords) {
      const { buffer, byteOffset } = page.view;
      const local = new Uint8Array(buffer, byteOffset + at, localBytes).slice();
      page.records.push({ local, payloadBytes, chain });
    }
    return end;
  }

  /** How much of a payload lies in the page itself: the format's own arithmetic. */
  #localBytes({ kind, isLeaf }: PageBeingRead, payloadBytes: number): number {
    const usable = this.#usable;
    const isTableLeaf = kind === "table" && isLeaf;
    const most = isTableLeaf ? usable - 35 : Math.floor(((usable - 12) * 64) / 255) - 23;
    if (payloadBytes <= most) return payloadBytes;
    const least = Math.floor(((usable - 12) * 32) / 255) - 23;
    const fitting = least + ((payloadBytes - least) % (usable - PAGE_NUMBER_BYTES));
    return fitting <= most ? fitting : least;
  }

  #freeBlocks(page: PageBeingRead): void {
    const { view, contentAt } = page;
    let least = contentAt;
    for (let at = page.firstFree; at !== 0; at = view.getUint16(at)) {
      if (at < least || at + FREE_BLOCK_BYTES_MIN > this.#usable) {
        throw page.damage(`a free block lies at byte ${at}, where none can be`);
      }
      const end = at + view.getUint16(at + POINTER_BYTES);
      if (end < at + FREE_BLOCK_BYTES_MIN || end > this.#usable) {
        throw page.damage(`the free block at byte ${at} has an impossible size`);
      }
      this.#take(page, at, end);
      least = end + FREE_BLOCK_BYTES_MIN; // Nearer ones are made one block with the bytes between.
    }
  }

  #take(page: PageBeingRead, from: number, end: number): void {
    if (end > this.#usable) throw page.damage(`the cell at byte ${from} runs over the page's end`);
    this.#spans[this.#spanCount] = from * SPAN + (end - 1);
    this.#spanCount += 1;
  }

  /** See (1). */
  #refuseOverlaps(page: PageBeingRead): void {
    let [end, fragments] = [page.contentAt, 0];
    for (const span of this.#spans.subarray(0, this.#spanCount).sort()) {
      const from = Math.floor(span / SPAN);
      if (from < end) throw page.damage(`byte ${from} is used twice`);
      fragments += from - end;
      end = (span % SPAN) + 1;
    }
    fragments += this.#usable - end;
    if (fragments === page.fragmentBytes) return;
    throw page.damage(`${fragments} bytes are of nothing, and it says ${page.fragmentBytes}`);
  }
}

class PageBeingRead implements TreePage {
  readonly view: DataView;
  readonly place: TreePlace;
  readonly kind: TreeKind;
  readonly isLeaf: boolean;
  readonly cellCount: number;
  readonly entries: number;
  readonly contentAt: number;
  readonly firstFree: number;
  readonly fragmentBytes: number;
  readonly rightChild: number;
  readonly children: number[] = [];
  readonly keys: Wide[] = [];
  readonly chains: Chain[] = [];
  readonly records: LocalRecord[] = [];
  readonly #pointersAt: number;
  readonly #usable: number;

  constructor(view: DataView, place: TreePlace, usable: number) {
    this.view = view;
    this.place = place;
    this.#usable = usable;
    const { offset, sizeBytes } = TREE_PAGE_HEADER;
    const at = place.page === 1 ? SQLITE_HEADER.sizeBytes : 0;
    const kind = KINDS[view.getUint8(at + offset.kind)];
    if (kind === undefined) throw this.damage("it is no page of a table or index");
    const { kind: wanted = kind.kind } = place;
    if (kind.kind !== wanted) throw this.damage(`it is of no ${wanted}, as it must be`);
    this.kind = kind.kind;
    this.isLeaf = kind.isLeaf;
    this.firstFree = view.getUint16(at + offset.firstFree);
    this.cellCount = view.getUint16(at + offset.cells);
    this.entries = this.isLeaf || this.kind === "index" ? this.cellCount : 0;
    this.contentAt = view.getUint16(at + offset.contentAt) || SPAN;
    this.fragmentBytes = view.getUint8(at + offset.fragmentBytes);
    this.rightChild = this.isLeaf ? 0 : view.getUint32(at + offset.rightChild);
    this.#pointersAt = at + (this.isLeaf ? offset.rightChild : sizeBytes);
    const end = this.#pointersAt + this.cellCount * POINTER_BYTES;
    if (this.contentAt >= end && this.contentAt <= usable) return;
    throw this.damage(
      `it has ${this.cellCount} cells from byte ${this.contentAt}, beyond its size`,
    );
  }

  cellAt(index: number): number {
    const at = this.view.getUint16(this.#pointersAt + index * POINTER_BYTES);
    if (at >= this.contentAt && at <= this.#usable - CELL_BYTES_MIN) return at;
    throw this.damage(`cell ${index} lies at byte ${at}, where none can be`);
  }

  damage(why: string): Damage {
    return new Damage(this.place.page, why);
  }
}

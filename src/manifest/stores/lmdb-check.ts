/**
 * WHETHER LMDB CAN READ ITS FILE. LMDB maps it and believes it: a file that was cut short ends the
 * process with SIGBUS, a page that is not what it should be with an assertion of its own. So every
 * page that can be reached is looked at before the file is opened.
 *
 *   page    number u64, transaction u64, pad u16, flags u16, lower u16, upper u16, then offsets u16
 *           of nodes; of an overflow page pages u32 instead of lower and upper. All four count from
 *           the end of these fields, byte 24
 *   node    low u16, high u16, flags u16, key bytes u16, key, value
 *           branch: the page beneath is low + high × 2^16 + flags × 2^32
 *           leaf: low + high × 2^16 bytes of value; with flag 1 the value is number u64, transaction
 *           u64, pages u64 of an overflow
 *   meta    a page whose node part is magic u32, version u32, address u64, map bytes u64, two trees,
 *           last page u64, transaction u64
 *   tree    page bytes u32, flags u16, depth u16, branch pages u64, leaf pages u64, overflow pages
 *           u64, entries u64, root u64 (all ones: empty)
 *
 * (1) Any bytes give an answer, in a number of steps that the size of the file bounds: a page that is
 *     reached twice is damage.
 * (2) What is found sound can be read without LMDB failing. Whether the values are what was written
 *     is for their checksums (envelope.ts).
 * (3) The file must be at rest: whoever has it open may change pages while they are looked at.
 */
import { readU64 } from "../../base/layout.ts";

/** What is looked at. */
export interface LmdbFile {
  readonly bytes: number;
  /** Fills `into` from `at` as far as the file reaches. */
  read(into: Uint8Array, at: number): void;
}

export type LmdbVerdict =
  | { readonly type: "sound"; readonly transaction: number; readonly pages: number }
  | { readonly type: "empty" }
  | { readonly type: "damaged"; readonly why: string; readonly offset: number };

const HEADER_BYTES = 24;
const NODE_BYTES = 8;
const META_BYTES = 160;
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const FLAG = { branch: 1, leaf: 2, overflow: 4, meta: 8 } as const;
const BIG_VALUE = 1;
const TREES = [48, 96];
const DEPTH_MAX = 32;

interface Meta {
  readonly pageBytes: number;
  readonly transaction: number;
  readonly trees: readonly { readonly depth: number; readonly root: number | undefined }[];
}

class Damage extends Error {
  readonly offset: number;

  constructor(why: string, offset: number) {
    super(why);
    this.offset = offset;
  }
}

export function checkLmdb(file: LmdbFile): LmdbVerdict {
  if (file.bytes === 0) return { type: "empty" };
  try {
    const meta = newestMeta(file);
    const walk = new Walk(file, meta);
    for (const { depth, root } of meta.trees) {
      if (root !== undefined) walk.tree(root, depth);
    }
    return { type: "sound", transaction: meta.transaction, pages: walk.pages };
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    return { type: "damaged", why: error.message, offset: error.offset };
  }
}

/** Of two, both of which must be there. */
function newestMeta(file: LmdbFile): Meta {
  const first = metaAt(file, { number: 0, offset: 0 });
  const second = metaAt(file, { number: 1, offset: first.pageBytes });
  if (first.pageBytes !== second.pageBytes) throw new Damage("two sizes of pages", 0);
  return second.transaction > first.transaction ? second : first;
}

function metaAt(file: LmdbFile, { number, offset }: { number: number; offset: number }): Meta {
  const bytes = new Uint8Array(META_BYTES);
  if (offset + bytes.length > file.bytes) throw new Damage("the file ends in its header", offset);
  file.read(bytes, offset);
  const view = new DataView(bytes.buffer);
  const pageBytes = view.getUint32(TREES[0] ?? 0, true);
  const isMeta =
    readU64(view, 0) === number &&
    view.getUint16(18, true) === FLAG.meta &&
    view.getUint32(24, true) === MAGIC &&
    view.getUint32(28, true) === VERSION &&
    [512, 1024, 2048, 4096, 8192, 16_384, 32_768].includes(pageBytes);
  const transaction = readU64(view, 152);
  if (!isMeta || transaction === undefined) throw new Damage("a header page is damaged", offset);
  const trees = TREES.map((at) => ({
    depth: view.getUint16(at + 6, true),
    root: isEmptyRoot(view, at + 40) ? undefined : (readU64(view, at + 40) ?? Number.NaN),
  }));
  return { pageBytes, transaction, trees };
}

function isEmptyRoot(view: DataView, at: number): boolean {
  return view.getUint32(at, true) === 0xffff_ffff && view.getUint32(at + 4, true) === 0xffff_ffff;
}

class Walk {
  readonly #file: LmdbFile;
  readonly #meta: Meta;
  readonly #pageCount: number;
  readonly #reached: Uint8Array;
  readonly #levels: { readonly bytes: Uint8Array; readonly view: DataView }[] = [];
  pages = 0;

  constructor(file: LmdbFile, meta: Meta) {
    this.#file = file;
    this.#meta = meta;
    this.#pageCount = Math.floor(file.bytes / meta.pageBytes);
    this.#reached = new Uint8Array(this.#pageCount);
  }

  /** A tree of `depth` levels; each level has a buffer of its own. */
  tree(page: number, depth: number): void {
    if (depth < 1 || depth > DEPTH_MAX) throw new Damage(`a tree of ${depth} levels`, 0);
    const { bytes, view } = this.#level(depth);
    this.#reach(page, 1);
    const offset = page * this.#meta.pageBytes;
    this.#file.read(bytes, offset);
    this.#checkHeader(view, { page, flags: depth === 1 ? FLAG.leaf : FLAG.branch });
    const lower = HEADER_BYTES + view.getUint16(20, true);
    const upper = HEADER_BYTES + view.getUint16(22, true);
    const inOrder = lower <= upper && upper <= bytes.length;
    if (!inOrder || lower % 2 !== 0) throw new Damage("a page's bounds are damaged", offset);
    if (depth > 1 && lower < HEADER_BYTES + 4) throw new Damage("a branch without pages", offset);
    for (let at = HEADER_BYTES; at < lower; at += 2) {
      const node = HEADER_BYTES + view.getUint16(at, true);
      if (node < upper || node % 2 !== 0) throw new Damage("a node outside its page", offset);
      if (depth === 1) this.#leafNode(view, { node, offset });
      else this.tree(this.#below(view, { node, offset }), depth - 1);
    }
  }

  #below(view: DataView, { node, offset }: { node: number; offset: number }): number {
    const end = view.byteLength - NODE_BYTES;
    if (node > end || node + view.getUint16(node + 6, true) > end) {
      throw new Damage("a node reaches over the end of its page", offset);
    }
    return view.getUint32(node, true) + view.getUint16(node + 4, true) * 2 ** 32;
  }

  #leafNode(view: DataView, { node, offset }: { node: number; offset: number }): void {
    const end = view.byteLength;
    const value =
      node + NODE_BYTES + (node + NODE_BYTES <= end ? view.getUint16(node + 6, true) : end);
    const flags = value <= end ? view.getUint16(node + 4, true) : 0;
    const isBig = flags === BIG_VALUE;
    const bytes = value <= end && !isBig ? view.getUint32(node, true) : HEADER_BYTES;
    if (value + bytes > end) throw new Damage("a value reaches over the end of its page", offset);
    if (flags > BIG_VALUE) throw new Damage(`a value of kind ${flags}`, offset);
    if (!isBig) return;
    const [page, pages] = [readU64(view, value), readU64(view, value + 16)];
    if (page === undefined || pages === undefined) throw new Damage("an overflow nowhere", offset);
    const needed = Math.ceil((view.getUint32(node, true) + HEADER_BYTES) / this.#meta.pageBytes);
    if (pages < needed) throw new Damage("an overflow is too short for its value", offset);
    this.#reach(page, pages);
    const header = new Uint8Array(HEADER_BYTES);
    this.#file.read(header, page * this.#meta.pageBytes);
    this.#checkHeader(new DataView(header.buffer), { page, flags: FLAG.overflow });
  }

  #checkHeader(view: DataView, wanted: { readonly page: number; readonly flags: number }): void {
    const offset = wanted.page * this.#meta.pageBytes;
    if (readU64(view, 0) !== wanted.page)
      throw new Damage("another page lies in its place", offset);
    if (view.getUint16(18, true) !== wanted.flags) {
      throw new Damage("a page is not of the kind that it should be", offset);
    }
    const transaction = readU64(view, 8);
    if (transaction === undefined || transaction > this.#meta.transaction) {
      throw new Damage("a page of a transaction that never was", offset);
    }
  }

  /** See (1). */
  #reach(first: number, count: number): void {
    const isThere = Number.isSafeInteger(first) && first >= 2 && count >= 1;
    if (!isThere || first + count > this.#pageCount) {
      throw new Damage(`page ${first} lies behind the end of the file`, this.#file.bytes);
    }
    for (let page = first; page < first + count; page++) {
      if (this.#reached[page] === 1) {
        throw new Damage("a page is used twice", page * this.#meta.pageBytes);
      }
      this.#reached[page] = 1;
    }
    this.pages += count;
  }

  #level(depth: number): { readonly bytes: Uint8Array; readonly view: DataView } {
    const known = this.#levels[depth];
    if (known !== undefined) return known;
    const bytes = new Uint8Array(this.#meta.pageBytes);
    const level = { bytes, view: new DataView(bytes.buffer) };
    this.#levels[depth] = level;
    return level;
  }
}

/**
 * A WALK OVER ALL PAGES OF A SQLITE FILE, to find what is wrong with its structure. It asks for a page,
 * is given its image, and asks for the next; whoever gives may let others run between.
 *
 *   header → free list → schema ─┬─► each table and index: pages, overflow pages → no page is left over
 *
 * (1) Each page is reached once: as a page of one table or index, as overflow, as free, as a page of
 *     the pointer map, or as the page of SQLite's locks, which nothing names. What would reach one
 *     twice is refused before it is followed, so that no bytes make the walk go on for ever.
 * (2) All leaves of a tree are equally deep, and of the kind of its root.
 * (3) The pointer map, if there is one, says of each page what the walk finds.
 * (4) It keeps a bit a page, the way down to where it is, a few pages of the pointer map, and the
 *     names of tables and indexes.
 * (5) An image is looked at before the next page is asked for, and not kept.
 *
 * What SQLite's own check finds beyond that: docs/decisions/0090-imports-are-walked.md.
 */
import { Damage } from "./damage.ts";
import { decodeHeader, LOCK_OFFSET, type SqliteHeader } from "./header.ts";
import { PageSet } from "./page-set.ts";
import { MAP_ENTRY, PAGE_KIND, type PageKind, PointerMapPlaces } from "./pointer-map.ts";
import { SchemaRow } from "./schema-row.ts";
import { type Chain, type TreeKind, type TreePage, TreePages } from "./tree-page.ts";
import type { Wide } from "./varint.ts";

export interface WalkedTree {
  readonly type: "table" | "index";
  readonly name: string;
  /** The table itself, or the one that the index is of. */
  readonly table: string;
  readonly pages: number;
  /** Rows, or entries. */
  readonly entries: number;
}

export type WalkVerdict =
  | { readonly type: "sound"; readonly trees: readonly WalkedTree[] }
  | { readonly type: "damaged"; readonly page: number; readonly why: string };

/** Asks for pages by number, 1 to `pageCount`; 0 asks for nothing: what is given is not looked at. */
export type PageWalk<Answer = WalkVerdict> = Generator<number, Answer, Uint8Array>;

const PAGE_NUMBER_BYTES = 4;
/** Next trunk and how many leaves. */
const TRUNK_HEAD_BYTES = 8;
/** SQLite goes no deeper. */
const DEPTH_MAX = 20;
const MAP_PAGES_KEPT = 16;
/** That are only asked whether they were reached. */
const PAGES_AT_ONCE = 16_384;

/** Bad bytes are an answer and never an exception. */
export function* walkPages(size: {
  readonly pageBytes: number;
  readonly pageCount: number;
}): PageWalk {
  if (size.pageCount === 0) return { type: "sound", trees: [] };
  try {
    const first = yield 1;
    const decoded = decodeHeader(first);
    if (decoded.type === "unreadable") throw new Damage(1, decoded.why);
    return { type: "sound", trees: yield* new Walk(decoded.header, size).run() };
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    return { type: "damaged", page: error.page, why: error.message };
  }
}

/** A page on the way down, and which of its children come next. */
interface Level extends Pick<TreePage, "children" | "keys"> {
  readonly page: number;
  readonly above: Wide | undefined;
  readonly upTo: Wide | undefined;
  next: number;
}

interface Tree extends Pick<WalkedTree, "pages" | "entries"> {
  readonly kind: TreeKind;
}

class Walk {
  readonly #header: SqliteHeader;
  readonly #pageCount: number;
  readonly #usable: number;
  readonly #lockPage: number;
  readonly #reached: PageSet;
  readonly #treePages: TreePages;
  /** Undefined if the file has no pointer map. */
  readonly #places: PointerMapPlaces | undefined;
  readonly #maps = new Map<number, DataView>();

  constructor(header: SqliteHeader, size: { pageBytes: number; pageCount: number }) {
    const { pageBytes, reservedBytes, pageCount = size.pageCount } = header;
    if (pageBytes !== size.pageBytes) throw new Damage(1, `its pages have ${size.pageBytes} bytes`);
    if (pageCount > size.pageCount) {
      throw new Damage(1, `its header says ${pageCount} pages, and there are ${size.pageCount}`);
    }
    this.#header = header;
    this.#pageCount = pageCount;
    this.#usable = pageBytes - reservedBytes;
    this.#lockPage = LOCK_OFFSET / pageBytes + 1;
    this.#reached = new PageSet(pageCount);
    this.#treePages = new TreePages(this.#usable, pageBytes * pageCount);
    if (header.largestRoot === 0) return;
    this.#places = new PointerMapPlaces(this.#usable, this.#lockPage);
  }

  *run(): PageWalk<WalkedTree[]> {
    const { largestRoot, incremental } = this.#header;
    if (largestRoot === 0 && incremental !== 0) {
      throw new Damage(1, "its header says incremental vacuum, and that there is no pointer map");
    }
    yield* this.#freeList();
    const rows: SchemaRow[] = [];
    yield* this.#tree(1, rows);
    const largest = rows.reduce((most, { root }) => Math.max(most, root), 1);
    if (largestRoot !== 0 && largestRoot !== largest) {
      throw new Damage(1, `its header says ${largestRoot} is the largest root, and ${largest} is`);
    }
    const trees: WalkedTree[] = [];
    for (const { type, name, table, root } of rows) {
      if (root === 0 || (type !== "table" && type !== "index")) continue;
      yield* this.#expect(root, PAGE_KIND.root, 0);
      const tree = yield* this.#tree(root);
      if (type === "index" && tree.kind === "table") {
        throw new Damage(root, `it is of a table, and the schema names it as index ${name}`);
      }
      trees.push({ type, name, table, pages: tree.pages, entries: tree.entries });
    }
    yield* this.#refuseLeftOver();
    return trees;
  }

  *#freeList(): PageWalk<void> {
    const { freeTrunk, freePages } = this.#header;
    const leavesMax = this.#usable / PAGE_NUMBER_BYTES - 2;
    let [count, from] = [0, 1];
    for (let trunk = freeTrunk; trunk !== 0; ) {
      this.#reach(trunk, from);
      yield* this.#expect(trunk, PAGE_KIND.free, 0);
      const image = yield trunk;
      const view = viewOf(image);
      const leafCount = view.getUint32(PAGE_NUMBER_BYTES);
      if (leafCount > leavesMax) throw new Damage(trunk, `it lists ${leafCount} free pages`);
      const leaves: number[] = [];
      for (let index = 0; index < leafCount; index += 1) {
        leaves.push(view.getUint32(TRUNK_HEAD_BYTES + index * PAGE_NUMBER_BYTES));
      }
      const next = view.getUint32(0); // The image is gone once another page is asked for.
      for (const leaf of leaves) {
        this.#reach(leaf, trunk);
        yield* this.#expect(leaf, PAGE_KIND.free, 0);
      }
      count += 1 + leafCount;
      from = trunk;
      trunk = next;
    }
    if (count === freePages) return;
    throw new Damage(1, `its header says ${freePages} pages are free, and ${count} are listed`);
  }

  /** The schema's rows go to `rows`. */
  *#tree(root: number, rows?: SchemaRow[]): PageWalk<Tree> {
    const path: Level[] = [];
    let [pages, entries] = [0, 0];
    let kind: TreeKind | undefined = root === 1 ? "table" : undefined;
    let leafDepth: number | undefined;
    let [page, parent]: [number, number] = [root, 1];
    let [above, upTo]: [Wide | undefined, Wide | undefined] = [undefined, undefined];
    for (;;) {
      this.#reach(page, parent);
      const keepsRecords = rows !== undefined;
      const found = this.#treePages.read(yield page, { page, kind, above, upTo, keepsRecords });
      kind = found.kind;
      entries += found.entries;
      pages += 1;
      pages += yield* this.#payloads(page, found, rows);
      if (found.isLeaf) {
        leafDepth ??= path.length;
        if (leafDepth !== path.length) throw new Damage(page, "it is not as deep as other leaves");
      } else {
        if (path.length === DEPTH_MAX) throw new Damage(page, "it is deeper than trees can be");
        const { children, keys } = found;
        path.push({ children, keys, page, above, upTo, next: 0 });
      }
      const level = nextLevel(path);
      if (level === undefined) return { kind, pages, entries };
      const { children, keys, next } = level;
      level.next += 1;
      parent = level.page;
      page = children[next] ?? 0;
      above = next === 0 ? level.above : keys[next - 1];
      upTo = next < keys.length ? keys[next] : level.upTo;
      yield* this.#expect(page, PAGE_KIND.tree, parent);
    }
  }

  /** Follows what the page's cells have elsewhere. Returns how many pages that is. */
  *#payloads(page: number, found: TreePage, rows: SchemaRow[] | undefined): PageWalk<number> {
    let pages = 0;
    if (rows === undefined || !found.isLeaf) {
      for (const chain of found.chains) pages += yield* this.#chain(chain, page);
      return pages;
    }
    for (const { local, payloadBytes, chain } of found.records) {
      const row = new SchemaRow(local, payloadBytes);
      if (chain !== undefined) pages += yield* this.#chain(chain, page, row);
      row.decode(page);
      rows.push(row);
    }
    return pages;
  }

  *#chain(chain: Chain, cell: number, row?: SchemaRow): PageWalk<number> {
    let [page, parent]: [number, number] = [chain.first, cell];
    for (let count = 0; count < chain.pages; count += 1) {
      this.#reach(page, parent);
      const kind = count === 0 ? PAGE_KIND.overflowFirst : PAGE_KIND.overflowNext;
      yield* this.#expect(page, kind, parent);
      const image = yield page;
      row?.take(image.subarray(PAGE_NUMBER_BYTES, this.#usable));
      parent = page;
      page = viewOf(image).getUint32(0);
    }
    if (page === 0) return chain.pages;
    throw new Damage(parent, "it is the last overflow page of a cell, and names another");
  }

  /** See (1). */
  #reach(page: number, from: number): void {
    if (page < 1 || page > this.#pageCount) {
      throw new Damage(from, `it names page ${page} of ${this.#pageCount}`);
    }
    if (page === this.#lockPage || this.#places?.isMap(page)) {
      throw new Damage(from, `it names page ${page}, which is none of tables and indexes`);
    }
    if (!this.#reached.add(page)) throw new Damage(page, "it is named twice");
  }

  /** See (3). */
  *#expect(page: number, kind: PageKind, parent: number): PageWalk<void> {
    if (this.#places === undefined || page <= 1 || page > this.#pageCount) return;
    const mapPage = this.#places.mapOf(page);
    if (mapPage === page) return; // Refused by whoever reaches it.
    const map = yield* this.#map(mapPage);
    const at = this.#places.offsetOf(page);
    const { offset } = MAP_ENTRY;
    const found = [map.getUint8(at + offset.kind), map.getUint32(at + offset.parent)];
    if (found[0] === kind && found[1] === parent) return;
    const has = `kind ${found[0]} under ${found[1]}`;
    throw new Damage(mapPage, `it says page ${page} is of ${has}, not ${kind} under ${parent}`);
  }

  *#map(page: number): PageWalk<DataView> {
    const kept = this.#maps.get(page);
    if (kept !== undefined) return kept;
    const [oldest] = this.#maps.keys();
    if (oldest !== undefined && this.#maps.size >= MAP_PAGES_KEPT) this.#maps.delete(oldest);
    const map = viewOf((yield page).slice());
    this.#maps.set(page, map);
    return map;
  }

  *#refuseLeftOver(): PageWalk<void> {
    for (let page = 1; page <= this.#pageCount; page += 1) {
      if (page % PAGES_AT_ONCE === 0) yield 0;
      if (this.#reached.has(page) || page === this.#lockPage || this.#places?.isMap(page)) continue;
      throw new Damage(page, "nothing names it");
    }
  }
}

/** The nearest level that has children left; those below it are done. */
function nextLevel(path: Level[]): Level | undefined {
  for (let level = path.at(-1); level !== undefined; level = path.at(-1)) {
    if (level.next < level.children.length) return level;
    path.pop();
  }
  return undefined;
}

function viewOf(image: Uint8Array): DataView {
  return new DataView(image.buffer, image.byteOffset, image.byteLength);
}

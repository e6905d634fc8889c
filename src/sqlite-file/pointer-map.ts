/**
 * THE POINTER MAP of a file that can be vacuumed a little at a time: for each page what it is and
 * which page names it, so that it can be moved.
 *
 *   offset  size  field   meaning
 *        0     1  kind    what the page is
 *        1     4  parent  the page that names it; 0 for roots and free pages
 *
 * (1) Page 2 is the first page of the map. Each describes those behind it, as many as fit it, and the
 *     next one follows those. The page of SQLite's locks is no page of the map: the one that would lie
 *     there is the page behind it.
 */
import { layout } from "../base/layout.ts";

export const MAP_ENTRY = layout(5, [
  ["kind", "u8", "what the page is"],
  ["parent", "u32", "the page that names it; 0 for roots and free pages"],
]);

export const PAGE_KIND = { root: 1, free: 2, overflowFirst: 3, overflowNext: 4, tree: 5 } as const;
export type PageKind = (typeof PAGE_KIND)[keyof typeof PAGE_KIND];

const FIRST_MAP_PAGE = 2;

export class PointerMapPlaces {
  readonly #perMap: number;
  readonly #lockPage: number;

  constructor(usableBytes: number, lockPage: number) {
    this.#perMap = Math.floor(usableBytes / MAP_ENTRY.sizeBytes);
    this.#lockPage = lockPage;
  }

  /** The page of the map that describes the page; the page itself if it is one of the map. */
  mapOf(page: number): number {
    const group = Math.floor((page - FIRST_MAP_PAGE) / (this.#perMap + 1));
    const map = group * (this.#perMap + 1) + FIRST_MAP_PAGE;
    return map === this.#lockPage ? map + 1 : map;
  }

  isMap(page: number): boolean {
    return page >= FIRST_MAP_PAGE && this.mapOf(page) === page;
  }

  /** Where in its page of the map the entry of a page lies. */
  offsetOf(page: number): number {
    return (page - this.mapOf(page) - 1) * MAP_ENTRY.sizeBytes;
  }
}

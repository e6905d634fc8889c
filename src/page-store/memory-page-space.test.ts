import { describe, expect, test } from "vitest";
import { lsn, pageNumber } from "../base/units.ts";
import { MemoryPageSpace } from "./memory-page-space.ts";

const filled = (value: number, bytes = 512) => new Uint8Array(bytes).fill(value);

/** Commits pages by number; returns the commit's LSN. */
function commit(
  space: MemoryPageSpace,
  pages: Readonly<Record<number, Uint8Array>>,
  { pageCount, pageBytes = 512 }: { pageCount: number; pageBytes?: number },
) {
  const base = space.pin(space.newestLsn);
  const numbered = new Map(Object.entries(pages).map(([number, page]) => [Number(number), page]));
  const staged = space.stage({ base, pageCount, pageBytes, pages: numbered });
  space.unpin(base);
  return staged.seal();
}

describe("a page space in memory", () => {
  test("a snapshot sees the newest version at or below it, whatever comes later", () => {
    const space = new MemoryPageSpace();
    const first = commit(space, { 1: filled(1), 2: filled(2) }, { pageCount: 2 });
    const old = space.pin(first);
    const second = commit(space, { 2: filled(3) }, { pageCount: 2 });
    const now = space.pin(second);
    expect(space.read(old, pageNumber(2))).toEqual(filled(2));
    expect(space.read(now, pageNumber(2))).toEqual(filled(3));
    expect(space.read(now, pageNumber(1))).toEqual(filled(1));
    expect(space.pin(lsn(second - 1)).lsn).toBe(first);
    expect(space.pin(lsn(second + 1)).lsn).toBe(second);
  });

  test("what is staged is seen only once it is sealed, and never if it is discarded", () => {
    const space = new MemoryPageSpace();
    const base = space.pin(space.newestLsn);
    const change = { base, pageCount: 1, pageBytes: 512, pages: new Map([[1, filled(1)]]) };
    space.stage(change).discard();
    expect(space.newestLsn).toBe(0);
    const staged = space.stage(change);
    expect(space.pin(lsn(1000)).pageCount).toBe(0);
    expect(staged.seal()).toBe(space.newestLsn);
    expect(space.pin(space.newestLsn).pageCount).toBe(1);
    expect(() => staged.seal()).toThrow("once");
  });

  test("a page that was cut off is zeros when the file grows again", () => {
    const space = new MemoryPageSpace();
    commit(space, { 1: filled(1), 2: filled(2), 3: filled(3) }, { pageCount: 3 });
    commit(space, { 1: filled(4) }, { pageCount: 1 });
    commit(space, { 3: filled(5) }, { pageCount: 3 });
    const now = space.pin(space.newestLsn);
    expect(space.read(now, pageNumber(2))).toEqual(filled(0));
    expect(space.read(now, pageNumber(3))).toEqual(filled(5));
    expect(space.read(now, pageNumber(9))).toEqual(filled(0));
  });

  test("pages of another size replace all of the size before", () => {
    const space = new MemoryPageSpace();
    const before = commit(space, { 1: filled(1), 2: filled(2) }, { pageCount: 2 });
    const old = space.pin(before);
    commit(space, { 1: filled(3, 1024) }, { pageCount: 2, pageBytes: 1024 });
    const now = space.pin(space.newestLsn);
    expect(space.read(now, pageNumber(2))).toEqual(filled(0, 1024));
    expect(space.read(old, pageNumber(2))).toEqual(filled(2));
  });

  test("a commit that is not against the newest moment is our own mistake", () => {
    const space = new MemoryPageSpace();
    const old = space.pin(space.newestLsn);
    commit(space, { 1: filled(1) }, { pageCount: 1 });
    const pages = new Map([[1, filled(2)]]);
    expect(() => space.stage({ base: old, pageCount: 1, pageBytes: 512, pages })).toThrow("newest");
  });

  test("pins are counted, and none is given back twice", () => {
    const space = new MemoryPageSpace();
    const one = space.pin(lsn(0));
    const two = space.pin(lsn(0));
    expect(space.pinned).toBe(2);
    space.unpin(one);
    space.unpin(two);
    expect(space.pinned).toBe(0);
    expect(() => space.unpin(one)).toThrow("not pinned");
    expect(() => space.read(one, pageNumber(1))).toThrow("not pinned");
  });
});

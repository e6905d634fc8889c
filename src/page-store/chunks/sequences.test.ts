import { describe, expect, test } from "vitest";
import { Sequences } from "./sequences.ts";

/** One reader, and what its cache did with what was read ahead. */
class Reader {
  readonly #sequences: Sequences;
  readonly #readerLsn: number;
  /** Locations that were read ahead and not asked for. */
  readonly unused = new Set<number>();

  constructor(sequences: Sequences, readerLsn: number) {
    this.#sequences = sequences;
    this.#readerLsn = readerLsn;
  }

  /** A miss; reads ahead as far as it may. Returns the window. */
  miss(pageNumber: number): number {
    const miss = { stream: 1, readerLsn: this.#readerLsn, pageNumber };
    const sequence = this.#sequences.missed(miss, (location) => this.unused.has(location));
    const { window } = sequence;
    const ahead = Array.from({ length: Math.max(0, window - 1) }, (_, index) => ({
      pageNumber: pageNumber + 1 + index,
      location: 1000 + pageNumber + 1 + index,
    }));
    sequence.took(ahead);
    return window;
  }
}

function scan(reader: Reader, from: number, misses: number): number[] {
  const windows: number[] = [];
  let page = from;
  for (let count = 0; count < misses; count += 1) {
    const window = reader.miss(page);
    windows.push(window);
    page += Math.max(1, window);
  }
  return windows;
}

describe("reading ahead", () => {
  test("begins at the second miss in a row and doubles while all of it is used", () => {
    const reader = new Reader(new Sequences(), 10);
    expect(scan(reader, 1, 8)).toEqual([0, 4, 8, 16, 32, 64, 64, 64]);
  });

  test("does not begin for misses here and there, nor for a scan backwards", () => {
    const reader = new Reader(new Sequences(), 10);
    const misses = [500, 20, 700, 90, 300, 299, 298, 297, 10];
    expect(misses.map((page) => reader.miss(page))).toEqual(misses.map(() => 0));
  });

  test("goes on behind a page that lies elsewhere, as those of an index do", () => {
    const reader = new Reader(new Sequences(), 10);
    expect([7, 8, 900, 12, 901, 20].map((page) => reader.miss(page))).toEqual([0, 4, 0, 8, 4, 16]);
  });

  test("halves when most of what was passed was not asked for, and closes in the end", () => {
    const reader = new Reader(new Sequences(), 10);
    expect(scan(reader, 1, 5)).toEqual([0, 4, 8, 16, 32]);
    for (let location = 1000; location < 2000; location += 1) reader.unused.add(location);
    expect([62, 80, 90, 96].map((page) => reader.miss(page))).toEqual([16, 8, 4, 0]);
    // Closed for sixteen misses that follow.
    const later = Array.from({ length: 17 }, (_, index) => reader.miss(97 + index));
    expect(later).toEqual([...Array(16).fill(0), 4]);
  });

  test("halves when a page was gone before it was asked for: the cache is too small for it", () => {
    const reader = new Reader(new Sequences(), 10);
    expect(scan(reader, 1, 4)).toEqual([0, 4, 8, 16]);
    expect(reader.miss(20)).toBe(8);
  });

  test("of one reader does not disturb that of another at the same pages", () => {
    const sequences = new Sequences();
    const readers = [10, 11, 12].map((readerLsn) => new Reader(sequences, readerLsn));
    const [first, second, third] = readers as [Reader, Reader, Reader];
    expect([first.miss(1), second.miss(1), first.miss(2), second.miss(2)]).toEqual([0, 0, 4, 4]);
    expect(third.miss(3)).toBe(0);
    expect([first.miss(6), second.miss(6)]).toEqual([8, 8]);
  });

  test("survives any number of misses here and there of the same and of other readers", () => {
    const sequences = new Sequences();
    const scanning = new Reader(sequences, 10);
    let page = 1;
    for (let round = 0; round < 20; round += 1) {
      page += Math.max(1, scanning.miss(page));
      for (let other = 0; other < 3; other += 1) scanning.miss(100_000 + (round * 7 + other) * 97);
      for (let other = 0; other < 20; other += 1) {
        new Reader(sequences, 1000 + round * 100 + other).miss(5);
      }
    }
    expect(scanning.miss(page)).toBe(64);
  });
});

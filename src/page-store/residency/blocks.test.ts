import { describe, expect, test } from "vitest";
import { BLOCK_BYTES, Blocks, runsOf } from "./blocks.ts";

const FILE_BYTES = 3 * BLOCK_BYTES + 100;
const WHOLE = { offset: 0, bytes: FILE_BYTES };
const at = (block: number, bytes = 10) => ({ offset: block * BLOCK_BYTES, bytes });

describe("the blocks of a chunk that is away", () => {
  test("are read up to the first that is not here, and the last ends with the file", () => {
    const blocks = new Blocks(FILE_BYTES, false);
    expect(blocks.missing(WHOLE)).toEqual([0, 1, 2, 3]);
    blocks.fetched(0);
    blocks.fetched(1);
    blocks.fetched(3);
    expect(blocks.pieces({ offset: 10, bytes: FILE_BYTES })).toEqual([
      { from: "part", offset: 10, bytes: 2 * BLOCK_BYTES - 10 },
    ]);
    expect(blocks.pieces({ offset: 3 * BLOCK_BYTES, bytes: 1000 })).toEqual([
      { from: "part", offset: 3 * BLOCK_BYTES, bytes: 100 },
    ]);
    expect(blocks.isWhole).toBe(false);
    blocks.fetched(2);
    blocks.fetched(2);
    expect([blocks.isWhole, blocks.partBytes]).toEqual([true, FILE_BYTES]);
    expect(blocks.missing({ offset: FILE_BYTES, bytes: 10 })).toEqual([]);
  });

  test("are fetched again when they are not what they should be, until that is said, and then anew", () => {
    const blocks = new Blocks(FILE_BYTES, false);
    for (let statement = 0; statement < 2; statement += 1) {
      for (const isAgain of [true, true, false]) {
        blocks.fetched(1);
        expect(blocks.damaged(at(1))).toBe(isAgain);
        expect(blocks.missing(at(1))).toEqual([1]);
      }
    }
    blocks.fetched(1);
    blocks.lost(at(1));
    expect(blocks.missing(at(1))).toEqual([1]);
    blocks.fetched(1);
    blocks.reset();
    expect(blocks.isHere(1)).toBe(false);
  });
});

describe("the blocks of a chunk whose own file is damaged", () => {
  test("are read from it but where it is damaged, and there from what was fetched", () => {
    const blocks = new Blocks(FILE_BYTES, true);
    expect(blocks.missing(WHOLE)).toEqual([]);
    expect(blocks.damaged({ offset: BLOCK_BYTES + 100, bytes: 10 })).toBe(true);
    expect(blocks.missing({ offset: BLOCK_BYTES + 105, bytes: 1 })).toEqual([1]);
    expect(blocks.missing({ offset: BLOCK_BYTES, bytes: 100 })).toEqual([]);
    blocks.fetched(1);
    expect(blocks.pieces(WHOLE)).toEqual([
      { from: "mine", offset: 0, bytes: BLOCK_BYTES },
      { from: "part", offset: BLOCK_BYTES, bytes: BLOCK_BYTES },
      { from: "mine", offset: 2 * BLOCK_BYTES, bytes: BLOCK_BYTES + 100 },
    ]);
    expect(blocks.unfetched()).toEqual([0, 2, 3]);
  });

  test("are not read from it any more once it was damaged in many places", () => {
    const blocks = new Blocks(FILE_BYTES, true);
    for (let place = 0; place < 65; place += 1) blocks.damaged({ offset: place * 100, bytes: 1 });
    expect(blocks.missing(at(3))).toEqual([3]);
  });
});

test("blocks that follow each other are fetched together, up to a limit", () => {
  expect(runsOf([1, 2, 3, 5, 6, 9], 2)).toEqual([
    [1, 2],
    [3, 1],
    [5, 2],
    [9, 1],
  ]);
});

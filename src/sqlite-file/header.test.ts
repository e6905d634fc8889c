import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeHeader, pageOneForRollback, SQLITE_HEADER } from "./header.ts";

const PLAIN = readFileSync("test/fixtures/sqlite-file/plain.sqlite");
const { offset } = SQLITE_HEADER;

describe("sqlite header", () => {
  test("the header of a file that SQLite wrote is read whole", () => {
    const { header } = decoded(PLAIN);
    expect(header).toMatchObject({ pageBytes: 512, reservedBytes: 0, pageCount: 7 });
  });

  test("a stored page size of 1 means 65536", () => {
    const bytes = changed((copy) => copy.writeUInt16BE(1, offset.pageBytes));
    expect(decoded(bytes).header.pageBytes).toBe(65536);
  });

  test("a page count that an old writer left behind is not believed", () => {
    const bytes = changed((copy) => copy.writeUInt32BE(99, offset.validFor));
    expect(decoded(bytes).header.pageCount).toBeUndefined();
  });

  test.each([
    ["another magic", (copy: Buffer) => copy.write("SQLite format 4"), /not a SQLite database/],
    ["an odd page size", (copy: Buffer) => copy.writeUInt16BE(513, 16), /impossible page size/],
    ["a tiny page", (copy: Buffer) => copy.writeUInt16BE(256, 16), /impossible page size/],
    ["too much reserved", (copy: Buffer) => copy.writeUInt8(33, 20), /reserves 33 bytes/],
    ["a later format", (copy: Buffer) => copy.writeUInt8(3, 19), /format version 1\/3/],
    ["other fractions", (copy: Buffer) => copy.writeUInt8(63, 21), /payload fractions/],
    ["a later schema", (copy: Buffer) => copy.writeUInt32BE(5, 44), /schema format 5/],
    ["UTF-16le", (copy: Buffer) => copy.writeUInt32BE(2, 56), /UTF-16.*\.dump/],
    ["UTF-16be", (copy: Buffer) => copy.writeUInt32BE(3, 56), /UTF-16.*\.dump/],
    ["no known encoding", (copy: Buffer) => copy.writeUInt32BE(4, 56), /text encoding 4/],
  ])("%s is refused with the reason", (_what, change, why) => {
    const answer = decodeHeader(changed(change));
    expect(answer.type).toBe("unreadable");
    expect(answer.type === "unreadable" && answer.why).toMatch(why);
  });

  test("a file shorter than a header is not a database", () => {
    expect(decodeHeader(PLAIN.subarray(0, 99)).type).toBe("unreadable");
  });

  test("whatever the bytes behind the magic, the answer is a header in range or a reason", () => {
    const tail = fc.uint8Array({ minLength: 84, maxLength: 84 });
    fc.assert(
      fc.property(tail, (bytes) => {
        const answer = decodeHeader(Buffer.concat([PLAIN.subarray(0, 16), bytes]));
        if (answer.type === "unreadable") expect(answer.why).not.toBe("");
        else expect(answer.header.pageBytes - answer.header.reservedBytes).toBeGreaterThan(479);
      }),
    );
  });

  test("page 1 for rollback mode differs in the two version bytes alone", () => {
    const image = readFileSync("test/fixtures/sqlite-file/wal.sqlite").subarray(0, 512);
    const page = pageOneForRollback(image);
    expect([image[18], image[19]]).toEqual([2, 2]);
    expect([page[18], page[19]]).toEqual([1, 1]);
    expect(Buffer.compare(page.subarray(20), image.subarray(20))).toBe(0);
  });
});

function changed(change: (copy: Buffer) => unknown): Buffer {
  const copy = Buffer.from(PLAIN);
  change(copy);
  return copy;
}

function decoded(bytes: Uint8Array) {
  const answer = decodeHeader(bytes);
  if (answer.type === "unreadable") throw new Error(answer.why);
  return answer;
}

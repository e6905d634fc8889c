import { describe, expect, test } from "vitest";
import { AssertionError } from "../../base/assert.ts";
import { lsn } from "../../base/units.ts";
import { inOrder, type Marks, marksWithin } from "./watermarks.ts";

const marks = ([archived, durable, written, reserved]: readonly number[]): Marks => ({
  archivedLsn: lsn(archived ?? 0),
  durableLsn: lsn(durable ?? 0),
  writtenLsn: lsn(written ?? 0),
  reservedLsn: lsn(reserved ?? 0),
});

describe("the marks of the log", () => {
  test("stand in order or are refused, whichever two have changed places", () => {
    expect(inOrder(marks([1, 2, 3, 4]))).toEqual(marks([1, 2, 3, 4]));
    expect(inOrder(marks([7, 7, 7, 7]))).toEqual(marks([7, 7, 7, 7]));
    for (const wrong of [
      [3, 2, 3, 4],
      [1, 4, 3, 4],
      [1, 2, 5, 4],
    ]) {
      expect(() => inOrder(marks(wrong))).toThrow(AssertionError);
    }
  });

  test("of a segment are those of the store, as far as they lie in it", () => {
    const store = marks([100, 250, 270, 400]);
    const within = (first: number, end: number) =>
      marksWithin(store, { firstLsn: lsn(first), endLsn: lsn(end) });
    expect(within(0, 90)).toEqual(marks([90, 90, 90, 90]));
    expect(within(90, 200)).toEqual(marks([100, 200, 200, 200]));
    expect(within(200, 300)).toEqual(marks([200, 250, 270, 300]));
    expect(within(300, 500)).toEqual(marks([300, 300, 300, 400]));
  });
});

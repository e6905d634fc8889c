import { describe, expect, test } from "vitest";
import { ioError, StorageError } from "../../base/errors.ts";
import { dueReason, pauseAfter } from "./checkpoint-plan.ts";

const MAXIMA = { checkpointLogBytes: 1000, overlayBytes: 500, maxInflightSegments: 8 };
const LIMITS = { ...MAXIMA, checkpointAgeMs: 1 };
const NOTHING = { logBytes: 0, segments: 0, heldSegments: 0, changedBytes: 0, heldBytes: 0 };

describe("a checkpoint is due", () => {
  test.each([
    ["never while nothing has gathered", NOTHING, undefined],
    ["not at a limit", { ...NOTHING, logBytes: 1000, segments: 4, changedBytes: 500 }, undefined],
    ["for the log beyond its limit", { ...NOTHING, logBytes: 1001 }, "log"],
    [
      "for more than half of the segments, however little is in them",
      { ...NOTHING, segments: 5 },
      "log",
    ],
    ["not for segments that stayed", { ...NOTHING, segments: 7, heldSegments: 7 }, undefined],
    ["for one on top of them", { ...NOTHING, segments: 8, heldSegments: 7 }, "log"],
    ["for memory beyond its limit", { ...NOTHING, changedBytes: 501 }, "memory"],
    ["for memory first", { ...NOTHING, logBytes: 1001, changedBytes: 501 }, "memory"],
    ["not for what readers hold", { ...NOTHING, changedBytes: 900, heldBytes: 400 }, undefined],
    ["for what comes on top of it", { ...NOTHING, changedBytes: 901, heldBytes: 400 }, "memory"],
  ] as const)("%s", (_, gathered, reason) => {
    expect(dueReason(gathered, LIMITS)).toBe(reason);
  });
});

describe("after failures in a row", () => {
  const failure = new StorageError("BOP_IO", "no", { details: { operation: "sync", file: "c" } });
  const full = ioError("write", "c", Object.assign(new Error("full"), { code: "ENOSPC" }));
  const pauses = (error: unknown) => [1, 2, 3, 4, 7, 1000].map((n) => pauseAfter(error, n));

  test("the pause doubles up to a minute", () => {
    expect(pauses(failure)).toEqual([1000, 2000, 4000, 8000, 60_000, 60_000]);
  });

  test("a full disk is looked at every second", () => {
    expect(pauses(full)).toEqual([1000, 1000, 1000, 1000, 1000, 1000]);
  });
});

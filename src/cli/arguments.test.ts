import { describe, expect, test } from "vitest";
import { momentOf } from "./arguments.ts";

describe("a moment on the command line", () => {
  test.each([
    ["2026-11-22T12:00:00Z", "2026-11-22T12:00:00.000Z"],
    ["2026-11-22T12:00:00.250Z", "2026-11-22T12:00:00.250Z"],
    ["2026-11-22T12:00+02:00", "2026-11-22T10:00:00.000Z"],
    ["2026-11-22", "2026-11-22T00:00:00.000Z"],
  ])("%s is a time", (text, expected) => {
    expect((momentOf(text) as Date).toISOString()).toBe(expected);
  });

  test("digits are a position in the log", () => {
    expect(momentOf("81920")).toEqual({ lsn: 81_920 });
  });

  test.each(["-5", "1.5", "yesterday", "", "5 may", "12:00", "2026-13-01", "2026-11-22T25:00Z"])(
    "%j is none, so no day of 2001 is taken for it",
    (text) => {
      expect(() => momentOf(text)).toThrow("neither an LSN nor a time");
    },
  );
});

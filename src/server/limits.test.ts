import { describe, expect, test } from "vitest";
import { resolveLimits } from "./limits.ts";

describe("limits of the server", () => {
  test("without any, all have their default", () => {
    expect(resolveLimits()).toMatchObject({ requestBytes: 16 * 1024 * 1024, streamIdleMs: 10_000 });
  });

  test("a misspelt one is refused by name", () => {
    const misspelt = { requestByte: 1 } as object;
    expect(() => resolveLimits(misspelt)).toThrow(/unknown limit "requestByte"/);
  });

  test.each([0, 1.5, Number.NaN, -1])("%s streams are out of range", (streams) => {
    expect(() => resolveLimits({ streams })).toThrow(RangeError);
  });
});

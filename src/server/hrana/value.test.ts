import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SqlReal, type SqlValue } from "../../sqlite/index.ts";
import { HranaError } from "./error.ts";
import { decodeValue, encodedBytes, encodeValue } from "./value.ts";

const roundTrip = (value: SqlValue) => decodeValue(JSON.parse(encodeValue(value)), "value");

describe("values in JSON", () => {
  test("a value of any type survives the way there and back", () => {
    const anyValue = fc.oneof(
      fc.constant(null),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n)),
      fc.string({ unit: "binary" }),
      fc.uint8Array(),
    );
    fc.assert(
      fc.property(anyValue, (value) => {
        const back = roundTrip(value);
        if (value instanceof Uint8Array) expect(new Uint8Array(back as Uint8Array)).toEqual(value);
        else expect(back instanceof SqlReal ? back.value : back).toBe(value);
      }),
    );
  });

  test("an integer travels as a string, so that it is exact beyond 2^53", () => {
    expect(encodeValue(9223372036854775807n)).toBe(
      '{"type":"integer","value":"9223372036854775807"}',
    );
  });

  test("a float that is whole stays a float", () => {
    expect(roundTrip(1)).toEqual(new SqlReal(1));
  });

  test("a float that JSON cannot carry is sent as null", () => {
    expect(encodeValue(Number.POSITIVE_INFINITY)).toBe('{"type":"null"}');
  });

  test("a blob is sent without padding and read with or without", () => {
    expect(encodeValue(new Uint8Array([1]))).toBe('{"type":"blob","base64":"AQ"}');
    for (const base64 of ["AQ", "AQ=="]) {
      expect([...(decodeValue({ type: "blob", base64 }, "v") as Uint8Array)]).toEqual([1]);
    }
  });

  test("the estimate of an answer's size is never below what it takes", () => {
    for (const value of [null, -(2n ** 63n), -1.234567890123456e-300, "", new Uint8Array(1000)]) {
      expect(encodedBytes(value)).toBeGreaterThanOrEqual(encodeValue(value).length);
    }
  });

  test.each([
    ["not an object", 7],
    ["an unknown type", { type: "date", value: "now" }],
    ["an integer as a number", { type: "integer", value: 7 }],
    ["an integer that is none", { type: "integer", value: "7.5" }],
    ["an integer beyond 64 bits", { type: "integer", value: "9223372036854775808" }],
    ["a float as a string", { type: "float", value: "1" }],
    ["a text as a number", { type: "text", value: 1 }],
    ["a blob with characters that are not base64", { type: "blob", base64: "A*B=" }],
    ["a blob of an impossible length", { type: "blob", base64: "AAAAA" }],
  ])("%s is a protocol error", (_what, json) => {
    expect(() => decodeValue(json, "value")).toThrow(HranaError);
  });
});

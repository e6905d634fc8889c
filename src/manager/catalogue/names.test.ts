import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { databaseName } from "./names.ts";

describe("names of databases", () => {
  test("what people call their tenants is a name", () => {
    for (const name of ["tenant-42", "my_db", "Üñï çødé", "数据库", "a/b", "..", "CON", "🦊"]) {
      expect(databaseName(name)).toBe(name);
    }
  });

  test("a name that cannot be printed, normalised or measured is refused with the reason", () => {
    expect(() => databaseName("")).toThrow(/must not be empty/);
    expect(() => databaseName("a\u0000b")).toThrow(/cannot be printed/);
    expect(() => databaseName("a\u202eb")).toThrow(/cannot be printed/);
    expect(() => databaseName("\ud800")).toThrow(/cannot be printed/);
    expect(() => databaseName("e\u0301")).toThrow(/not in NFC/);
    expect(() => databaseName("é".repeat(128))).toThrow(/256 bytes; at most 255/);
    expect(() => databaseName(42)).toThrow(TypeError);
  });

  test("whatever is accepted comes back unchanged and fits 255 bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        try {
          expect(databaseName(text)).toBe(text);
          expect(Buffer.byteLength(text)).toBeLessThanOrEqual(255);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
        }
      }),
    );
  });
});

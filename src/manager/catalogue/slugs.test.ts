import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DatabaseName, databaseName } from "./names.ts";
import { nameOfSlug, slugOf } from "./slugs.ts";

const slug = slugOf;

/** Names of all kinds: what people choose, and whatever else is a name. */
const names = fc
  .oneof(
    fc.string({ unit: fc.constantFrom("a", "A", "_", "-", ".", "5", "f", " "), minLength: 1 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 80 }),
  )
  .map((text) => text.normalize("NFC"))
  .filter((text): text is DatabaseName => isName(text));

function isName(text: string): boolean {
  try {
    databaseName(text);
    return true;
  } catch {
    return false;
  }
}

describe("slugs of names", () => {
  test("what is plain stays readable, and what is not is spelt out", () => {
    expect(slug("tenant-42")).toBe("tenant-42");
    expect(slug("my_db")).toBe("my_5fdb");
    expect(slug("My db")).toBe("_4dy_20db");
    expect(slug("é")).toBe("_c3_a9");
    expect(slug("..")).toBe("_2e_2e");
    expect(slug("a/b")).toBe("a_2fb");
  });

  test("names that look alike never meet, and no slug needs case or quoting", () => {
    fc.assert(
      fc.property(names, names, (a, b) => {
        expect(slug(a) === slug(b)).toBe(a === b);
        expect(slug(a)).toMatch(/^[a-z0-9_-]+$/);
        expect(encodeURIComponent(slug(a))).toBe(slug(a));
      }),
    );
    const alike = ["my-db", "my_db", "my db", "My-db", "my.db", "my_5fdb", "mydb"];
    expect(new Set(alike.map((name) => slug(name).toLowerCase())).size).toBe(alike.length);
  });

  test("a slug leads back to its name", () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(nameOfSlug(slugOf(name))).toBe(name);
      }),
    );
  });

  test("text that is the slug of no name is told as such", () => {
    for (const text of ["", "A", "a_", "a_4", "a_4G", "_61", "a b", "_00", "_ff", "é", "_C3_A9"]) {
      expect(nameOfSlug(text)).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const name = nameOfSlug(text);
        if (name !== undefined) expect(slugOf(name)).toBe(text);
      }),
    );
  });
});

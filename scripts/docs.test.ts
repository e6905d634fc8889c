import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { apiIn } from "./docs.ts";

const ROOT = join(import.meta.dirname, "..");

describe("the public API", () => {
  test("is what docs/api says; a change is shown by `npm run docs` and then reviewed", () => {
    // What was built before any test (test/support/build.ts), from these sources.
    for (const [path, text] of apiIn(join(ROOT, "dist"))) {
      expect(text, path).toBe(readFileSync(join(ROOT, path), "utf8"));
    }
  });
});

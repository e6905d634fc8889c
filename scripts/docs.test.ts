import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { currentApi } from "./docs.ts";

describe("the public API", () => {
  test("is what docs/api says; a change is shown by `npm run docs` and then reviewed", () => {
    for (const [path, text] of currentApi()) {
      const snapshot = readFileSync(join(import.meta.dirname, "..", path), "utf8");
      expect(text, path).toBe(snapshot);
    }
  });
});

import { expect, test } from "vitest";
import { namedFiles } from "./named-files.ts";
import { repositoryOf } from "./repository.ts";

test("a text that names a file which moved is told so; prose and code are left alone", () => {
  const problems = namedFiles(
    repositoryOf({
      "src/wal/frame.ts": [
        "/** FRAMES. See wal/frame.ts, ../wal/frame.ts, gone.ts, and wal/gone.ts (1). */",
        'export const example = "wal/another.ts";',
        "// As in src/wal/lost.ts.",
      ].join("\n"),
      "docs/page.md": "`wal/frame.ts` is there; (`log/frame.ts`) is not.",
    }),
  );
  expect(problems).toEqual([
    "docs/page.md:1: there is no log/frame.ts",
    "src/wal/frame.ts:1: there is no wal/gone.ts",
    "src/wal/frame.ts:3: there is no src/wal/lost.ts",
  ]);
});

import { describe, expect, test } from "vitest";
import { circles, layers } from "./check-layers.ts";
import { repositoryOf } from "./tidy/repository.ts";

const problems = (path: string, specifier: string) =>
  layers(repositoryOf({ [path]: `import { a } from "${specifier}";` }));

describe("layers", () => {
  test.each([
    ["src/manager/a.ts", "../write/index.ts"],
    ["src/manager/a.ts", "./b.ts"],
    ["src/manager/deep/a.ts", "../b.ts"],
    ["src/wal/a.ts", "../base/units.ts"],
    ["src/index.ts", "./manager/index.ts"],
    ["src/write/a.test.ts", "../manager/index.ts"],
    ["src/write/a.test.ts", "../io/simulated/index.ts"],
    ["src/wal/core.ts", "./batch.ts"],
    ["src/wal/a.ts", "lmdb"],
  ])("%s may import %s", (path, specifier) => {
    expect(problems(path, specifier)).toEqual([]);
  });

  test.each([
    ["upwards", "src/wal/a.ts", "../write/index.ts"],
    ["the root", "src/wal/a.ts", "../index.ts"],
    ["past the door", "src/manager/a.ts", "../write/log.ts"],
    ["past the door from a test", "src/manager/a.test.ts", "../write/log.ts"],
    ["its own door", "src/wal/a.ts", "./index.ts"],
    ["a stranger", "src/manifest/a.ts", "../wal/index.ts"],
    ["out of src", "src/wal/a.ts", "../../sim/world.ts"],
    ["from a folder without a place", "src/misc/a.ts", "../base/units.ts"],
    ["out of a core", "src/write/core.ts", "../wal/index.ts"],
    ["out of a second core", "src/write/queue-core.ts", "../io/index.ts"],
  ])("an import %s is refused", (_why, path, specifier) => {
    expect(problems(path, specifier)).toHaveLength(1);
  });

  test("re-exports, types and dynamic imports are imports", () => {
    for (const text of [
      'export { a } from "../write/index.ts";',
      'import type { A } from "../write/index.ts";',
      'const a = await import("../write/index.ts");',
    ]) {
      expect(layers(repositoryOf({ "src/wal/a.ts": text }))).toHaveLength(1);
    }
  });
});

describe("circles", () => {
  test("modules that import each other are reported once, for a type too", () => {
    const files = {
      "src/a.ts": 'import { b } from "./b.ts";',
      "src/b.ts": 'import { c } from "./c.ts";',
      "src/c.ts": 'import { a } from "./a.ts";',
      "src/d.ts": 'import type { E } from "./e.ts";',
      "src/e.ts": 'import { d } from "./d.ts"; export type E = 1;',
      "src/f.ts": 'import type { D } from "./d.ts"; import { a } from "./a.ts";',
      "sim/g.ts": 'import { a } from "../src/a.ts"; import { h } from "./h.ts";',
      "sim/h.ts": 'import type { G } from "./g.ts"; export const h = 1;',
    };
    expect(circles(repositoryOf(files))).toEqual([
      "src/a.ts: imports itself: src/a.ts → src/b.ts → src/c.ts → src/a.ts",
      "sim/g.ts: imports itself: sim/g.ts → sim/h.ts → sim/g.ts",
      "src/d.ts: imports itself: src/d.ts → src/e.ts → src/d.ts",
    ]);
  });
});

import { describe, expect, test } from "vitest";
import { repositoryOf } from "./repository.ts";
import { world } from "./world.ts";

const problems = (text: string, path = "src/wal/a.ts") => world(repositoryOf({ [path]: text }));

describe("the world", () => {
  test.each([
    "const t = Date.now();",
    "const t = new Date();",
    "const t = Date();",
    "const t = performance.now();",
    "const t = globalThis.performance;",
    "const f = setTimeout;",
    "setImmediate(() => {});",
    "const f = { setTimeout };",
    "const n = Math.random();",
    'const n = Math["random"]();',
    "const n = crypto.randomUUID();",
    'import { randomBytes } from "node:crypto";',
    'import * as fs from "node:fs";',
    'import fs from "fs";',
    'import { readFile } from "node:fs/promises";',
    'import { Worker } from "node:worker_threads";',
    'const fs = await import("node:fs");',
    "const t = process.hrtime.bigint();",
    "const s = AbortSignal.timeout(5);",
    'import { open } from "lmdb";',
    'import { createServer } from "node:http";',
  ])("%s is refused outside src/io", (text) => {
    expect(problems(text)).toHaveLength(1);
    expect(problems(text, "src/io/a.ts")).toEqual([]);
  });

  test.each([
    "const t = new Date(ms);",
    "interface Row { readonly at: Date }",
    "const isDate = x instanceof Date;",
    "await clock.performance;",
    "const world = { setTimeout: 1 };",
    'import { createHash } from "node:crypto";',
    'import { crc32 } from "node:zlib";',
  ])("%s looks at nothing and passes", (text) => {
    expect(problems(text)).toEqual([]);
  });

  test("tests, servers and command lines live in the world; the simulator does not", () => {
    const text = "const t = Date.now();";
    expect(problems(text, "src/wal/a.test.ts")).toEqual([]);
    expect(problems(text, "src/server/a.ts")).toEqual([]);
    expect(problems(text, "src/cli/a.ts")).toEqual([]);
    expect(problems(text, "sim/run.ts")).toEqual([]);
    expect(problems(text, "sim/model.ts")).toHaveLength(1);
  });

  test("the manifest opens LMDB", () => {
    expect(problems('import { open } from "lmdb";', "src/manifest/stores/lmdb-store.ts")).toEqual(
      [],
    );
  });
});

import { describe, expect, test } from "vitest";
import { deadFiles, entriesOf, exportForms, fileNames, headers } from "./files.ts";
import { parseProblems, repositoryOf } from "./repository.ts";

describe("files", () => {
  test("a file named after nothing is refused", () => {
    const files = { "src/utils.ts": "", "src/wal/types.ts": "", "src/wal/frame.ts": "" };
    expect(fileNames(repositoryOf(files))).toHaveLength(2);
  });

  test("names are in kebab-case", () => {
    const files = { "src/pageStore.ts": "", "src/page-store.test.ts": "", "sim/page_store.ts": "" };
    expect(fileNames(repositoryOf(files))).toEqual([
      "sim/page_store.ts: names are in kebab-case",
      "src/pageStore.ts: names are in kebab-case",
    ]);
  });

  test("a file without an opening comment is refused, a shebang may stand before it", () => {
    const files = {
      "a.ts": "const a = 1; /** late */",
      "b.ts": "// a line is not a header\nconst a = 1;",
      "c.ts": "/** True. */\nconst a = 1;",
      "d.ts": "#!/usr/bin/env node\n/** True. */\nconst a = 1;",
      "e.test.ts": "const a = 1;",
    };
    const refused = headers(repositoryOf(files)).map((problem) => problem.slice(0, 4));
    expect(refused).toEqual(["a.ts", "b.ts"]);
  });

  test("exports without a name are refused", () => {
    const files = {
      "a.ts": 'export * from "./b.ts";',
      "b.ts": "export default 1;",
      "vitest.config.ts": "export default {};",
    };
    expect(exportForms(repositoryOf(files))).toHaveLength(2);
  });

  test("a file that only tests beside it import is dead, an entry, a worker and a rig are not", () => {
    const files = {
      "package.json": '{"bin":{"bop":"./dist/cli/main.js"},"exports":{".":"./dist/index.js"}}',
      "src/index.ts": 'import "./used.ts"; new URL("./worker.ts", import.meta.url);',
      "src/cli/main.ts": "",
      "src/used.ts": "",
      "src/worker.ts": "",
      "src/dead.ts": "",
      "src/dead.test.ts": 'import "./dead.ts"; import "./test-rig.ts";',
      "src/test-rig.ts": 'import "./dead.ts";',
    };
    expect(deadFiles(repositoryOf(files))).toEqual([
      "src/dead.ts: nobody imports it, but for tests at most (….fixture.ts)",
    ]);
  });

  test("entries are what package.json installs and exports", () => {
    const json = '{"exports":{"./x":{"types":"./dist/x.d.ts","default":"./dist/x/index.js"}}}';
    expect([...entriesOf(json)]).toEqual(["src/x/index.ts"]);
  });

  test("a file that does not parse is reported", () => {
    expect(parseProblems(repositoryOf({ "a.ts": "const = 1" }))).not.toEqual([]);
  });
});

import { describe, expect, test } from "vitest";
import { decisions, dependencies, errorCodes, evidence, promises } from "./documents.ts";
import { repositoryOf } from "./repository.ts";

describe("documents", () => {
  test("a code without a row and a row without a code are both refused", () => {
    const files = {
      "src/base/errors.ts": "export interface ErrorDetails { BOP_A: {}; BOP_B: {} }",
      "docs/errors.md": "| `BOP_B` | b |\n| `BOP_C` | c |\n",
    };
    expect(errorCodes(repositoryOf(files))).toEqual([
      "docs/errors.md: BOP_A has no row",
      "docs/errors.md: no code throws BOP_C",
    ]);
  });

  test("a promise without evidence and evidence without a promise are both refused", () => {
    const files = {
      "docs/guarantees.md": "## G1 Kept\n## G2 Forgotten\n",
      "src/a.test.ts": '// evidence: G1, G3\ntest("a fact", () => {});',
      "src/b.ts": "// evidence: G2 counts only in tests",
    };
    expect(promises(repositoryOf(files))).toEqual([
      "docs/guarantees.md: no test is evidence of G2",
      "docs/guarantees.md: a test proves G3, unknown here",
    ]);
  });

  test("evidence is named by the test that follows it, with what that test is in", () => {
    const text = `// evidence: G1 "long"
      describe("a store", () => {
        test("first", f);
        // evidence: G1
        test.each([1])(\`second\`, f);
      });`;
    const found = evidence(repositoryOf({ "src/a.test.ts": text })).get("G1");
    expect(found?.map(({ title }) => title)).toEqual(["a store: first", "a store: second"]);
  });

  test("seeds that are evidence are named by the fact that they show, wherever other tests are", () => {
    const text = `test("first", f);
      // evidence: G1
      describe("a store", () => {
        seedTests("crash", { seeds: 8, fact: "nothing is lost" });
      });
      test("last", f);`;
    const found = evidence(repositoryOf({ "sim/a.test.ts": text })).get("G1");
    expect(found?.map(({ title }) => title)).toEqual(["a store: nothing is lost"]);
  });

  test("a dependency without a line and a line without a dependency are both refused", () => {
    const files = {
      "package.json": '{"dependencies":{"@x/a":"1"},"devDependencies":{"b":"1"}}',
      "docs/dependencies.md": "| `b` | why |\n| `gone` | why |\n",
    };
    expect(dependencies(repositoryOf(files))).toEqual([
      "docs/dependencies.md: @x/a is not justified",
      "docs/dependencies.md: gone is not used any more",
    ]);
  });

  test("decisions have one number each, and a status", () => {
    const files = {
      "docs/decisions/0001-a.md": "Status: accepted",
      "docs/decisions/0001-b.md": "Status: rejected",
      "docs/decisions/c.md": "no status",
    };
    expect(decisions(repositoryOf(files))).toHaveLength(3);
  });
});

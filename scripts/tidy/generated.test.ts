import { describe, expect, test } from "vitest";
import { documentedLayouts, filled, generatedParts } from "./generated.ts";
import { layoutTables } from "./layouts.ts";
import { optionComments } from "./options.ts";
import { repositoryOf } from "./repository.ts";

const CODE = `const BYTES = 4;
export const PAIR = layout(BYTES, [["left", "u16", "the " + "first"], ["right", "u16", "second"]]);`;
const TABLE = `offset  size  field  meaning
     0     2  left   the first
     2     2  right  second`;
const HEADER = `/**\n * PAIR:\n *\n *   ${TABLE.replaceAll("\n", "\n *   ")}\n */\n`;
const PAGE = `# Pair\n<!-- layout src/wal/pair.ts PAIR -->\n\n\`\`\`text\n${TABLE}\n\`\`\`\n\n<!-- end -->\n`;

describe("layout tables", () => {
  test("a table in the header that equals the code passes", () => {
    expect(layoutTables(repositoryOf({ "src/wal/pair.ts": HEADER + CODE }))).toEqual([]);
  });

  test("a table that differs from the code in one digit is refused", () => {
    const stale = HEADER.replace("2     2", "3     2") + CODE;
    expect(layoutTables(repositoryOf({ "src/wal/pair.ts": stale }))).toHaveLength(1);
  });

  test("a table that must be run to be read is refused", () => {
    const text = "/** x */ export const P = layout(f(), []);";
    expect(layoutTables(repositoryOf({ "src/wal/pair.ts": text }))).toHaveLength(1);
  });

  test("a layout that no page prints is refused", () => {
    const code = { "src/wal/pair.ts": HEADER + CODE };
    expect(documentedLayouts(repositoryOf(code))).toHaveLength(1);
    const both = { ...code, "docs/format/pair.md": PAGE };
    expect(documentedLayouts(repositoryOf(both))).toEqual([]);
  });
});

describe("printed parts", () => {
  test("a fresh page passes, a stale one is refused and filled", () => {
    const files = { "src/wal/pair.ts": HEADER + CODE, "docs/format/pair.md": PAGE };
    expect(generatedParts(repositoryOf(files))).toEqual([]);
    const stale = PAGE.replace("second", "other");
    const repository = repositoryOf({ ...files, "docs/format/pair.md": stale });
    expect(generatedParts(repository)).toHaveLength(1);
    expect(filled(repository, stale).text).toBe(PAGE);
  });

  test("a marker that names what is gone is refused", () => {
    const page =
      "<!-- layout src/a.ts GONE -->\n<!-- end -->\n<!-- evidence G9 -->\n<!-- end -->\n";
    expect(generatedParts(repositoryOf({ "docs/x.md": page }))).toHaveLength(2);
  });

  test("evidence is printed as the names of the tests", () => {
    const test = '// evidence: G1\ntest("a fact and its consequence", f);';
    const repository = repositoryOf({ "src/a.test.ts": test });
    const { text } = filled(repository, "<!-- evidence G1 -->\n<!-- end -->");
    expect(text).toContain("- a fact and its consequence (`src/a.test.ts`)");
  });

  test("options are printed with their comments, and one without a comment is refused", () => {
    const code =
      "export interface O {\n  /** Size.\n   * Bytes. */\n  readonly a?: number;\n  b?: 1;\n}";
    const page = "<!-- options src/o.ts O -->\n<!-- end -->";
    const repository = repositoryOf({ "src/o.ts": code, "docs/options.md": page });
    expect(filled(repository, page).text).toContain("| `a` | Size. Bytes. |");
    expect(optionComments(repository)).toEqual(["src/o.ts: option O.b has no comment"]);
  });
});

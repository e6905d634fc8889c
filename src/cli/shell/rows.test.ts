import { describe, expect, test } from "vitest";
import type { SqlValue } from "../../sqlite/index.ts";
import { type RowMode, rowWriter, valueText } from "./rows.ts";

const COLUMNS = ["id", "name", "score", "data"];
const ROWS: SqlValue[][] = [
  [1n, "Ada", 1, new Uint8Array([0, 255])],
  [10n, null, 2.5, null],
];

describe("rows as text", () => {
  test("a table shows NULL, aligns numbers right and the rest left", () => {
    expect(render("table", COLUMNS, ROWS)).toBe(
      [
        "id │ name │ score │ data",
        "───┼──────┼───────┼────────",
        " 1 │ Ada  │   1.0 │ x'00ff'",
        "10 │ NULL │   2.5 │ NULL",
        "",
      ].join("\n"),
    );
  });

  test("a table without rows is its header", () => {
    expect(render("table", ["a", "b"], [])).toBe("a │ b\n──┼──\n");
  });

  test("a wide table is cut to the terminal and says so with an ellipsis", () => {
    const rows: SqlValue[][] = [[1n, "x".repeat(200), "short"]];
    const lines = render({ mode: "table", width: 40 }, ["id", "long", "word"], rows)
      .trimEnd()
      .split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBe(40);
    expect(lines[2]).toMatch(/^ 1 │ x+… │ short$/);
  });

  test("more columns than the terminal has room for are drawn at their minimum", () => {
    const names = Array.from({ length: 30 }, (_, at) => `column${at}`);
    const [head = ""] = render({ mode: "table", width: 40 }, names, [names]).split("\n");
    expect(head.split(" │ ").every((title) => title === "col…")).toBe(true);
  });

  test("an East Asian value takes two columns a character, so that the bars stand in line", () => {
    const text = render(
      "table",
      ["w", "n"],
      [
        ["日本", 1n],
        ["abc", 2n],
      ],
    );
    expect(text.split("\n").slice(2, 4)).toEqual(["日本 │ 1", "abc  │ 2"]);
  });

  test("a value cannot speak to the terminal", () => {
    const value = "a\u001b[2Jb\nc\u202ed";
    for (const mode of ["table", "line"] as const) {
      expect(render(mode, ["v"], [[value]])).toContain("a\\x1b[2Jb\\nc\\u202ed");
    }
  });

  test("rows beyond the measured ones are all there, cut only where there is a width to fit", () => {
    const rows: SqlValue[][] = Array.from({ length: 1500 }, () => [1n, "x"]);
    rows.push([12345n, "longer than the rest"]);
    const lastOf = (text: string) => text.trimEnd().split("\n").at(-1);
    expect(render("table", ["n", "t"], rows).trimEnd().split("\n")).toHaveLength(2 + 1501);
    expect(lastOf(render("table", ["n", "t"], rows))).toBe("12345 │ longer than the rest");
    expect(lastOf(render({ mode: "table", width: 40 }, ["n", "t"], rows))).toBe("12345 │ …");
  });

  test("a number is never cut, however narrow the terminal", () => {
    const rows: SqlValue[][] = [[9223372036854775807n, "some text that is long"]];
    const lines = render({ mode: "table", width: 26 }, ["n", "t"], rows).split("\n");
    expect(lines[2]).toBe("9223372036854775807 │ som…");
  });

  test("line mode puts a value on a line and a blank line between rows", () => {
    expect(
      render(
        "line",
        ["id", "name"],
        [
          [1n, "a"],
          [2n, null],
        ],
      ),
    ).toBe("  id = 1\nname = a\n\n  id = 2\nname = NULL\n");
  });

  test("list mode is values alone, NULL being empty", () => {
    expect(render("list", COLUMNS, ROWS)).toBe("1|Ada|1.0|x'00ff'\n10||2.5|\n");
  });

  test("csv quotes what needs it and doubles quotes", () => {
    expect(render("csv", ["a", "b,c"], [['say "hi"', "two\nlines"]])).toBe(
      'a,"b,c"\r\n"say ""hi""","two\nlines"\r\n',
    );
  });

  test("json is an array that keeps all digits and names a column once", () => {
    const text = render("json", ["a", "a", "b"], [[9223372036854775807n, 1, new Uint8Array([1])]]);
    expect(text).toBe('[{"a":9223372036854775807,"a:1":1.0,"b":{"base64":"AQ=="}}]\n');
    expect(render("json", ["a"], [])).toBe("[]\n");
    expect(JSON.parse(render("json", ["a"], [[1n], [Number.NEGATIVE_INFINITY]]))).toEqual([
      { a: 1 },
      { a: Number.NEGATIVE_INFINITY },
    ]);
  });

  test("reals look like reals and integers like integers", () => {
    expect([1, -0.5, 1e300, Number.POSITIVE_INFINITY, 3n].map(valueText)).toEqual([
      "1.0",
      "-0.5",
      "1e+300",
      "Inf",
      "3",
    ]);
  });
});

function render(
  how: RowMode | { readonly mode: RowMode; readonly width: number },
  columns: readonly string[],
  rows: readonly (readonly SqlValue[])[],
): string {
  const { mode, width } = typeof how === "string" ? { mode: how, width: undefined } : how;
  let text = "";
  const write = (part: string) => {
    text += part;
  };
  const writer = rowWriter(mode, { columns, width, write });
  for (const row of rows) writer.row(row);
  writer.end();
  return text;
}

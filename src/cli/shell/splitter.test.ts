import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StatementSplitter } from "./splitter.ts";

describe("splitting SQL into statements", () => {
  test.each([
    ["one on a line", ["select 1;"], ["select 1;"]],
    ["two on a line", ["select 1; select 2;"], ["select 1;", " select 2;"]],
    ["one over lines", ["select", "1;"], ["select\n1;"]],
    ["a string", ["select 'a;", "b''c;';"], ["select 'a;\nb''c;';"]],
    ["quoted names", ['select ";" , `;`, [;];'], ['select ";" , `;`, [;];']],
    ["a line comment", ["select 1 -- no; end", ";"], ["select 1 -- no; end\n;"]],
    ["a block comment", ["select /* ; '", "' ; */ 1;"], ["select /* ; '\n' ; */ 1;"]],
    ["words that begin alike", ["create triggers;"], ["create triggers;"]],
  ])("%s: a semicolon ends it only where SQL says so", (_what, lines, expected) => {
    expect(split(lines).statements.map((statement) => statement.trimStart())).toEqual(
      expected.map((statement) => statement.trimStart()),
    );
  });

  test.each(["create trigger", "CREATE TEMP TRIGGER", "create temporary trigger"])(
    "the body of a %s keeps its semicolons up to END;",
    (head) => {
      const lines = [`${head} t after insert on a begin`, "  select 1;", "  select 2; end"];
      expect(split(lines).statements).toEqual([]);
      expect(split([...lines, ";"]).statements).toEqual([`${[...lines, ";"].join("\n")}`]);
    },
  );

  test("explaining a trigger keeps its body whole", () => {
    const line = "explain query plan create trigger t after insert on a begin select 1; end;";
    expect(split([line]).statements).toEqual([line]);
  });

  test("END as the end of a CASE within a body does not end the trigger", () => {
    const line = "create trigger t after insert on a begin select case 1 when 1 then 2 end; end;";
    expect(split([line]).statements).toEqual([line]);
  });

  test("the prompt can say what an open statement waits for", () => {
    expect(awaits("select 1")).toBe(";");
    expect(awaits("select 'a")).toBe("'");
    expect(awaits("select [a")).toBe("]");
    expect(awaits("select /* a")).toBe("*/");
    expect(awaits("create trigger t after insert on a begin select 1;")).toBe("END;");
  });

  test("white space and comments alone leave the splitter between statements", () => {
    const { splitter } = split(["", "  -- nothing", "/* still nothing */"]);
    expect(splitter.isBetween).toBe(true);
    expect(split(["/* open"]).splitter.isBetween).toBe(false);
  });

  test("reset forgets an open string, so that the next line is read afresh", () => {
    const splitter = new StatementSplitter();
    splitter.push("select 'open");
    splitter.reset();
    expect(splitter.push("select 1;")).toEqual(["select 1;"]);
  });

  test("whatever is pushed, statements and the rest are the text, and lines do not matter", () => {
    const piece = fc.constantFrom("select", ";", "'", '"', "--", "/*", "*/", "\n", "[", "]", " x ");
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), (pieces) => {
        const text = pieces.join("");
        const { statements, splitter } = split(text.split("\n"));
        expect(statements.join("") + splitter.pending).toBe(`${text}\n`);
      }),
    );
  });
});

function split(lines: readonly string[]) {
  const splitter = new StatementSplitter();
  const statements = lines.flatMap((line) => splitter.push(line));
  return { statements, splitter };
}

function awaits(line: string): string {
  return split([line]).splitter.awaits;
}

import { describe, expect, test } from "vitest";
import { repositoryOf } from "./repository.ts";
import { fileLength, functionLength, parameterCount } from "./sizes.ts";

const lines = (count: number) => "a();\n".repeat(count);

describe("sizes", () => {
  test("a file of 400 lines passes and one of 401 is refused", () => {
    expect(fileLength(repositoryOf({ "a.ts": lines(400) }))).toEqual([]);
    expect(fileLength(repositoryOf({ "a.ts": lines(401) }))).toHaveLength(1);
  });

  test("a header that says why excuses 401 lines, even broken over two, but not 601", () => {
    const excuse = "/**\n * A table. It is over 400\n * lines because it is one table.\n */\n";
    expect(fileLength(repositoryOf({ "a.ts": excuse + lines(401) }))).toEqual([]);
    expect(fileLength(repositoryOf({ "a.ts": excuse + lines(601) }))).toHaveLength(1);
  });

  test("a function of 71 lines is refused by name, however it is written", () => {
    const body = `{\n${lines(69)}}`;
    const text = `function f() ${body}\nconst g = () => ${body}\nclass C { m() ${body} }\n`;
    expect(functionLength(repositoryOf({ "a.ts": text }))).toEqual([
      "a.ts:1: f has 71 lines; 70 is the limit",
      "a.ts:72: g has 71 lines; 70 is the limit",
      "a.ts:143: m has 71 lines; 70 is the limit",
    ]);
  });

  test("a function of 70 lines and a long chapter of a test pass", () => {
    const long = `f(() => {\n${lines(90)}});\n`;
    expect(functionLength(repositoryOf({ "a.test.ts": long }))).toEqual([]);
    expect(functionLength(repositoryOf({ "a.ts": `function f() {\n${lines(68)}}\n` }))).toEqual([]);
  });

  test("a fourth parameter is refused, in constructors too", () => {
    const text = "class C { constructor(a, b, c, d) {} m(a, b, c) {} }\n";
    expect(parameterCount(repositoryOf({ "a.ts": text }))).toEqual([
      "a.ts:1: constructor has 4 parameters; 3 is the limit",
    ]);
    expect(parameterCount(repositoryOf({ "a.test.ts": "each((a, b, c, d) => {});" }))).toEqual([]);
    expect(parameterCount(repositoryOf({ "a.test.ts": "function f(a, b, c, d) {}" }))).toHaveLength(
      1,
    );
  });
});

import { describe, expect, test } from "vitest";
import { publicApi } from "./public-api.ts";

const FILES: Readonly<Record<string, string>> = {
  "index.d.ts":
    '/** Map. */\nexport { type B, A as Z } from "./deep/index.ts";\nexport { x } from "p";\n',
  "deep/index.d.ts": 'export { A } from "./a.ts";\nexport type { B } from "./a.ts";\n',
  "deep/a.d.ts":
    "/** Header. */\nexport declare class A {\n}\n/** What B is. */\nexport interface B {\n    /** n */ n: number;\n}\nexport interface Hidden {}\n",
};

describe("the public API", () => {
  test("names are followed through doors, sorted, with their comments and without the hidden", () => {
    expect(publicApi("index.d.ts", (path) => FILES[path] ?? "")).toBe(
      `${[
        "/** What B is. */\nexport interface B {\n    /** n */ n: number;\n}",
        "export declare class A {\n}",
        'export { x } from "p";',
      ].join("\n\n")}\n`,
    );
  });

  test("a name that leads nowhere throws instead of vanishing", () => {
    const broken = { "index.d.ts": 'export { gone } from "./a.ts";', "a.d.ts": "" };
    const read = (path: string) => broken[path as keyof typeof broken] ?? "";
    expect(() => publicApi("index.d.ts", read)).toThrow("a.d.ts does not export gone");
  });
});

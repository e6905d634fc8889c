/**
 * FILES AND WHAT THEY SHOW: names that say what is inside, a header that says what is true, no
 * exports that blind a reader, nothing that nobody uses.
 */
import { basename } from "node:path";
import { type Rule, walk } from "./repository.ts";

const EMPTY_NAMES = new Set(["utils", "util", "helpers", "helper", "common", "types", "misc"]);
const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z-]+)*$/;

/** Tools that insist on a default export in their own file. */
const DEFAULT_EXPORT_ALLOWED = new Set(["vitest.config.ts"]);

export const fileNames: Rule = ({ sources }) =>
  sources.flatMap(({ path }) => {
    const name = basename(path, ".ts");
    const words = name.split(/[.-]/);
    const empty = words.length === 1 && EMPTY_NAMES.has(name) ? [name] : [];
    if (empty.length > 0) return [`${path}: "${name}" says nothing; name the noun inside`];
    return KEBAB.test(name) ? [] : [`${path}: names are in kebab-case`];
  });

export const headers: Rule = ({ sources }) =>
  sources.flatMap(({ path, header }) => {
    if (path.endsWith(".test.ts") || path.endsWith(".config.ts")) return [];
    return header?.startsWith("*")
      ? []
      : [`${path}: does not open with a comment that says what is true`];
  });

export const exportForms: Rule = ({ sources }) =>
  sources.flatMap((source) => {
    const problems: string[] = [];
    walk(source.program, (node) => {
      const where = `${source.path}:${source.lineOf(node.start)}`;
      if (node.type === "ExportAllDeclaration") {
        problems.push(`${where}: export * hides what is exported; name it`);
      }
      if (node.type === "ExportDefaultDeclaration" && !DEFAULT_EXPORT_ALLOWED.has(source.path)) {
        problems.push(`${where}: a default export has no name; give it one`);
      }
    });
    return problems;
  });

/**
 * Files of src/ that neither the product nor sim/, test/, bench/ or examples/ import, and that
 * package.json does not name. What only the tests beside them use is called
 * `….fixture.ts` or `test-….ts`.
 */
export const deadFiles: Rule = ({ sources, text }) => {
  const entries = entriesOf(text("package.json") ?? "{}");
  const used = new Set(
    sources
      .filter(({ path, isTest }) => !isTest || !path.startsWith("src/"))
      .flatMap(({ imports }) => imports.flatMap(({ target }) => target ?? [])),
  );
  return sources
    .filter(({ path, isTest }) => path.startsWith("src/") && !isTest)
    .filter(({ path }) => !entries.has(path) && !used.has(path))
    .map(({ path }) => `${path}: nobody imports it, but for tests at most (….fixture.ts)`);
};

/** Sources of what package.json exports or installs. */
export function entriesOf(packageJson: string): ReadonlySet<string> {
  const { bin = {}, exports = {} } = JSON.parse(packageJson) as {
    bin?: Record<string, string>;
    exports?: Record<string, string | { default?: string }>;
  };
  const targets = Object.values(exports).map((one) =>
    typeof one === "string" ? one : one.default,
  );
  const built = [...Object.values(bin), ...targets].filter((one) => one?.startsWith("./dist/"));
  return new Set(
    built.map((one) => (one ?? "").replace("./dist/", "src/").replace(/\.js$/, ".ts")),
  );
}

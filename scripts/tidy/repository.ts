/**
 * THE REPOSITORY AS TIDY SEES IT: paths and texts, every TypeScript file parsed once. A rule takes a
 * repository and returns its problems, one line each; it never reads the disk itself, so that each
 * rule is tested on a repository of three lines.
 *
 * (1) Paths are relative to the root, with forward slashes, and sorted.
 * (2) A file that does not parse is a problem in itself: `parseProblems` reports it.
 */
import { readFileSync } from "node:fs";
import { extname, posix } from "node:path";
import { parseSync, visitorKeys } from "oxc-parser";

export interface Repository {
  readonly paths: readonly string[];
  readonly sources: readonly Source[];
  /** Undefined if there is no such file. */
  text(path: string): string | undefined;
}

export type Rule = (repository: Repository) => string[];

export interface Source {
  readonly path: string;
  readonly text: string;
  readonly program: Node;
  readonly imports: readonly Import[];
  /** Text of the first block comment, if nothing but a shebang stands before it. */
  readonly header: string | undefined;
  readonly errors: readonly string[];
  readonly isTest: boolean;
  /** 1-based line of an offset. */
  lineOf(offset: number): number;
}

/** `import`, `export … from`, `import()` and `new URL("./worker.ts", import.meta.url)`. */
export interface Import {
  readonly specifier: string;
  /** Path of the file that a relative specifier names; undefined for packages. */
  readonly target: string | undefined;
  /** Names as the target exports them; empty for side effects and `*`. */
  readonly names: readonly string[];
  readonly line: number;
}

/** Any node of the syntax tree. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export function repositoryOf(files: Readonly<Record<string, string>>): Repository {
  const paths = Object.keys(files).sort();
  const sources = paths
    .filter((path) => extname(path) === ".ts" && !path.endsWith(".d.ts"))
    .map((path) => parse(path, files[path] ?? ""));
  return { paths, sources, text: (path) => files[path] };
}

const TEXT_FILES = new Set([".ts", ".md", ".json"]);

/** The files of the list that rules look at; the list comes from git, so ignored files are out. */
export function readRepository(root: string, listed: readonly string[]): Repository {
  const files: Record<string, string> = {};
  for (const path of listed) {
    if (TEXT_FILES.has(extname(path))) files[path] = readFileSync(posix.join(root, path), "utf8");
  }
  return repositoryOf(files);
}

function parse(path: string, text: string): Source {
  const { program, module, errors, comments } = parseSync(path, text);
  const root = program as unknown as Node;
  const lineOf = lineFinder(text);
  const target = (specifier: string) =>
    specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : undefined;
  const imports: Import[] = [];
  const add = (specifier: string, start: number, names: readonly string[]) => {
    imports.push({ specifier, target: target(specifier), names, line: lineOf(start) });
  };
  for (const { moduleRequest, start, entries } of module.staticImports) {
    const names = entries.flatMap(({ importName }) => importName.name ?? []);
    add(moduleRequest.value, start, names);
  }
  for (const { start, entries } of module.staticExports) {
    const from = entries.find(({ moduleRequest }) => moduleRequest)?.moduleRequest;
    if (from)
      add(
        from.value,
        start,
        entries.flatMap(({ importName }) => importName.name ?? []),
      );
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^"([^"]+)"$/.exec(text.slice(moduleRequest.start, moduleRequest.end))?.[1];
    if (literal !== undefined) add(literal, moduleRequest.start, []);
  }
  for (const match of text.matchAll(/new URL\("(\.[^"]+\.ts)", import\.meta\.url\)/g)) {
    add(match[1] ?? "", match.index, []);
  }
  const first = comments[0];
  const opens =
    first?.type === "Block" && text.slice(0, first.start).replace(/^#!.*/, "").trim() === "";
  return {
    path,
    text,
    program: root,
    imports,
    header: opens ? first.value : undefined,
    errors: errors.map(({ message }) => message),
    isTest: isTestPath(path),
    lineOf,
  };
}

/** Tests, and what in src/ only tests use: `test-….ts` or `….fixture.ts`, neither is published. */
function isTestPath(path: string): boolean {
  return /\.(?:test|fixture)\.ts$/.test(path) || /(?:^|\/)test-[^/]+\.ts$/.test(path);
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** What is found out about a whole repository, once, however many rules and pages ask for it. */
export function once<T extends object>(find: (repository: Repository) => T): typeof find {
  const known = new WeakMap<Repository, T>();
  return (repository) => {
    const found = known.get(repository) ?? find(repository);
    known.set(repository, found);
    return found;
  };
}

/** Every node below `node`, itself included, parents first. `path` holds the ancestors. */
export function walk(
  node: Node,
  visit: (node: Node, ancestors: readonly Node[]) => void,
  ancestors: Node[] = [],
): void {
  visit(node, ancestors);
  ancestors.push(node);
  for (const key of visitorKeys[node.type] ?? []) {
    const child = node[key];
    for (const one of Array.isArray(child) ? child : [child]) {
      if (isNode(one)) walk(one, visit, ancestors);
    }
  }
  ancestors.pop();
}

export function isNode(value: unknown): value is Node {
  return typeof (value as { type?: unknown } | null)?.type === "string";
}

export const parseProblems: Rule = ({ sources }) =>
  sources.flatMap(({ path, errors }) => errors.map((error) => `${path}: ${error}`));

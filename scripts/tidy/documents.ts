/**
 * DOCUMENTS AND CODE SAY THE SAME: each list that stands in both is compared in both directions.
 *
 *   docs/errors.md         | `BOP_…` | rows          ↔  ErrorDetails in src/base/errors.ts
 *   docs/guarantees.md     headings "## G1 …"        ↔  `evidence: G1` in the comments of tests
 *   docs/dependencies.md   | `name` | rows           ↔  package.json
 *   docs/decisions/        one number each, and a status
 */
import { basename } from "node:path";
import {
  isNode,
  type Node,
  once,
  type Repository,
  type Rule,
  type Source,
  walk,
} from "./repository.ts";

/** One direction of a comparison: what of `listed` is not in `expected`. */
function missing(listed: Iterable<string>, expected: ReadonlySet<string>): string[] {
  return [...new Set(listed)].filter((one) => !expected.has(one));
}

function firstCells(markdown: string): Set<string> {
  return new Set([...markdown.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? ""));
}

export const errorCodes: Rule = (repository) => {
  const codes = new Set(errorCodesOf(repository));
  const documented = firstCells(repository.text("docs/errors.md") ?? "");
  return [
    ...missing(codes, documented).map((code) => `docs/errors.md: ${code} has no row`),
    ...missing(documented, codes).map((code) => `docs/errors.md: no code throws ${code}`),
  ];
};

function errorCodesOf({ sources }: Repository): string[] {
  const codes: string[] = [];
  const source = sources.find(({ path }) => path === "src/base/errors.ts");
  if (source === undefined) return codes;
  walk(source.program, (node, ancestors) => {
    if (node.type !== "TSPropertySignature" || !isNode(node.key)) return;
    const name = String(node.key.name);
    const owner = ancestors.find(({ type }) => type === "TSInterfaceDeclaration");
    const inDetails = isNode(owner?.id) && owner.id.name === "ErrorDetails";
    if (inDetails && name.startsWith("BOP_")) codes.push(name);
  });
  return codes;
}

/** The tests that prove a promise: the first test behind each `evidence: G<n>` comment. */
export const evidence = once(({ sources }: Repository): ReadonlyMap<string, Evidence[]> => {
  const found = new Map<string, Evidence[]>();
  for (const source of sources) {
    const { path, text } = source;
    if (!/^(?:test|sim)\/|^src\/.+\.test\.ts$/.test(path)) continue;
    const comments = [...text.matchAll(/\/\/ evidence: (G\d+(?:, ?G\d+)*)/g)];
    const tests = comments.length === 0 ? [] : testsOf(source);
    for (const match of comments) {
      const title = tests.find(({ start }) => start > match.index)?.title ?? basename(path);
      for (const promise of (match[1] ?? "").split(/, ?/)) {
        found.set(promise, [...(found.get(promise) ?? []), { path, title }]);
      }
    }
  }
  return found;
});

/** Tests in order, each with the names of what it is in: "a store: a fact and its consequence". */
function testsOf({ program }: Source): { readonly start: number; readonly title: string }[] {
  const tests: { start: number; title: string }[] = [];
  walk(program, (node, ancestors) => {
    const title = titleOf(node, /^(?:test|it)$/) ?? factOf(node);
    if (title === undefined) return;
    const around = ancestors.flatMap((one) => titleOf(one, /^describe$/) ?? []);
    tests.push({ start: node.start, title: [...around, title].join(": ") });
  });
  return tests.sort((a, b) => a.start - b.start);
}

/** The first argument of `test("…")`, `test.each(…)("…")` and the like. */
function titleOf(node: Node, caller: RegExp): string | undefined {
  if (node.type !== "CallExpression" || !isNode(node.callee)) return undefined;
  let callee: Node = node.callee;
  for (let inner: unknown = callee; isNode(inner); inner = inner.callee ?? inner.object)
    callee = inner;
  if (!caller.test(String(callee.name))) return undefined;
  const [first] = node.arguments as readonly unknown[];
  if (!isNode(first)) return undefined;
  if (typeof first.value === "string") return first.value;
  const quasis = first.quasis as { value: { cooked: string } }[] | undefined;
  return quasis?.map(({ value }) => value.cooked).join("…");
}

/** The fact of `seedTests("crash", { fact: "…", seeds: 80 })`, which makes its tests by itself. */
function factOf(node: Node): string | undefined {
  if (node.type !== "CallExpression" || !isNode(node.callee)) return undefined;
  if (node.callee.name !== "seedTests") return undefined;
  const [, how] = node.arguments as readonly unknown[];
  if (!isNode(how)) return undefined;
  const properties = how.properties as readonly Node[];
  const fact = properties.find(({ key }) => isNode(key) && key.name === "fact")?.value;
  return isNode(fact) && typeof fact.value === "string" ? fact.value : undefined;
}

export interface Evidence {
  readonly path: string;
  readonly title: string;
}

export const promises: Rule = (repository) => {
  const document = repository.text("docs/guarantees.md") ?? "";
  const promised = new Set([...document.matchAll(/^## (G\d+)\b/gm)].map((match) => match[1] ?? ""));
  const proven = new Set(evidence(repository).keys());
  return [
    ...missing(promised, proven).map((id) => `docs/guarantees.md: no test is evidence of ${id}`),
    ...missing(proven, promised).map(
      (id) => `docs/guarantees.md: a test proves ${id}, unknown here`,
    ),
  ];
};

export const dependencies: Rule = ({ text }) => {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(text("package.json") ?? "{}") as {
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
  };
  const used = new Set([...Object.keys(dependencies), ...Object.keys(devDependencies)]);
  const justified = firstCells(text("docs/dependencies.md") ?? "");
  return [
    ...missing(used, justified).map((name) => `docs/dependencies.md: ${name} is not justified`),
    ...missing(justified, used).map((name) => `docs/dependencies.md: ${name} is not used any more`),
  ];
};

export const decisions: Rule = ({ paths, text }) => {
  const seen = new Set<string>();
  return paths.filter(isDecision).flatMap((path) => {
    const problems: string[] = [];
    const number = /^\d{4}(?=-)/.exec(basename(path))?.[0];
    if (number === undefined) problems.push(`${path}: no number of four digits`);
    else if (seen.has(number)) problems.push(`${path}: ${number} is taken`);
    else seen.add(number);
    if (!/^Status: (?:accepted|rejected|superseded)/m.test(text(path) ?? "")) {
      problems.push(`${path}: no line "Status: accepted", "rejected" or "superseded by …"`);
    }
    return problems;
  });
};

function isDecision(path: string): boolean {
  return /^docs\/decisions\/.+\.md$/.test(path);
}

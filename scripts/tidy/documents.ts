/**
 * DOCUMENTS AND CODE SAY THE SAME: each list that stands in both is compared in both directions.
 *
 *   docs/errors.md         | `BOP_…` | rows          ↔  ErrorDetails in src/base/errors.ts
 *   docs/guarantees.md     headings "## G1 …"        ↔  `evidence: G1` in the comments of tests
 *   docs/dependencies.md   | `name` | rows           ↔  package.json
 *   docs/decisions/        one number each, and a status
 */
import { basename } from "node:path";
import { isNode, type Repository, type Rule, walk } from "./repository.ts";

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

/** The tests that prove a promise: the first test name behind each `evidence: G<n>` comment. */
export function evidence({ sources }: Repository): Map<string, Evidence[]> {
  const found = new Map<string, Evidence[]>();
  for (const { path, text } of sources) {
    if (!/^(?:test|sim)\/|^src\/.+\.test\.ts$/.test(path)) continue;
    for (const match of text.matchAll(/\/\/ evidence: (G\d+(?:, ?G\d+)*)/g)) {
      const behind = text.slice(match.index);
      const name = /\b(?:test|it|describe)(?:\.\w+)?\(\s*(?:"((?:[^"\\]|\\.)+)"|`([^`]+)`)/.exec(
        behind,
      );
      const title = (name?.[1] ?? name?.[2] ?? basename(path)).replaceAll('\\"', '"');
      for (const promise of (match[1] ?? "").split(/, ?/)) {
        found.set(promise, [...(found.get(promise) ?? []), { path, title }]);
      }
    }
  }
  return found;
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

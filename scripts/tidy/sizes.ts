/**
 * SIZES: what fits into a head. Files of at most 400 lines (600 if the header says why), functions of
 * at most 70 lines, three parameters. Width is Biome's business. In tests a `describe` is a chapter,
 * not a function, so its length is free; so are the parameters of a row of `test.each`.
 */
import { isNode, type Node, type Rule, type Source, walk } from "./repository.ts";

const FILE_LINES_MAX = 400;
const FILE_LINES_REFUSED = 600;
const FUNCTION_LINES_MAX = 70;
const PARAMETERS_MAX = 3;

/** What a header must say for a file to have more than 400 lines. */
const EXCUSE = "over 400 lines because";

/** Files whose functions have the signatures of somebody else, and whose. */
const FOREIGN_SIGNATURES: Readonly<Record<string, string>> = {
  "src/sqlite/vfs/io-methods.ts": "methods of sqlite3_io_methods, called by C",
  "src/sqlite/vfs/vfs.ts": "methods of sqlite3_vfs, called by C",
};

export const fileLength: Rule = ({ sources }) =>
  sources.flatMap(({ path, text, header }) => {
    const lines = text.trimEnd().split("\n").length;
    if (lines <= FILE_LINES_MAX) return [];
    if (lines > FILE_LINES_REFUSED) return [`${path}: ${lines} lines; 600 is refused`];
    const excused = unwrapped(header ?? "").includes(EXCUSE);
    return excused ? [] : [`${path}: ${lines} lines and its header does not say "${EXCUSE} …"`];
  });

/** The text of a comment with its line breaks and leading stars taken out. */
function unwrapped(comment: string): string {
  return comment.replace(/\s*\n\s*\*?\s*/g, " ");
}

export const functionLength: Rule = ({ sources }) =>
  sources
    .filter(({ isTest }) => !isTest)
    .flatMap((source) =>
      functionsOf(source).flatMap(({ node, name }) => {
        const from = source.lineOf(node.start);
        const lines = source.lineOf(node.end) - from + 1;
        if (lines <= FUNCTION_LINES_MAX) return [];
        return [`${source.path}:${from}: ${name} has ${lines} lines; 70 is the limit`];
      }),
    );

export const parameterCount: Rule = ({ sources }) =>
  sources
    .filter(({ path }) => !(path in FOREIGN_SIGNATURES))
    .flatMap((source) =>
      functionsOf(source).flatMap(({ node, name }) => {
        const count = (node.params as readonly unknown[]).length;
        const isRow = source.isTest && node.type === "ArrowFunctionExpression";
        if (count <= PARAMETERS_MAX || isRow) return [];
        const line = source.lineOf(node.start);
        return [`${source.path}:${line}: ${name} has ${count} parameters; 3 is the limit`];
      }),
    );

const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

function functionsOf(source: Source): { node: Node; name: string }[] {
  const found: { node: Node; name: string }[] = [];
  walk(source.program, (node, ancestors) => {
    if (FUNCTIONS.has(node.type)) found.push({ node, name: nameOf(node, ancestors.at(-1)) });
  });
  return found;
}

function nameOf(node: Node, parent: Node | undefined): string {
  const named = [node.id, parent?.key, parent?.id].find(isNode);
  return typeof named?.name === "string" ? named.name : "a function";
}

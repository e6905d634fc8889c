/**
 * LAYOUT TABLES: `export const X = layout(bytes, fields)` read from the syntax tree, so that nothing
 * of the engine runs. The table computed from the code must stand in the header of its file.
 *
 * (1) Arguments are literals, or constants of the same file that are literals: a table that has to
 *     be run to be read is not a table.
 */
import { type Field, layout } from "../../src/base/layout.ts";
import {
  isNode,
  type Node,
  once,
  type Repository,
  type Rule,
  type Source,
  walk,
} from "./repository.ts";

export interface LayoutTable {
  readonly path: string;
  readonly name: string;
  readonly table: string;
}

export const layoutTables: Rule = (repository) =>
  repository.sources.filter(hasLayouts).flatMap((source) => {
    const header = bare(source.header ?? "");
    return layoutsOf(source).flatMap(({ name, table }) => {
      if (table === undefined) return [`${source.path}: ${name} is not written in literals`];
      if (header.includes(bare(table))) return [];
      return [
        `${source.path}: the table of ${name} in the header is not that of the code:\n${table}`,
      ];
    });
  });

/** Every layout of src/, for docs/format. */
export const allLayouts = once(({ sources }: Repository): readonly LayoutTable[] =>
  sources
    .filter(hasLayouts)
    .flatMap((source) =>
      layoutsOf(source).flatMap(({ name, table }) =>
        table === undefined ? [] : [{ path: source.path, name, table }],
      ),
    ),
);

function hasLayouts({ path, isTest, text }: Source): boolean {
  return path.startsWith("src/") && !isTest && text.includes("layout(");
}

/** Lines without the stars of a comment, indentation and trailing blanks. */
function bare(comment: string): string {
  const lines = comment.split("\n").map((line) => line.replace(/^\s*\*?\s*/, "").trimEnd());
  return lines.join("\n");
}

function layoutsOf(source: Source): { name: string; table: string | undefined }[] {
  const constants = new Map<string, Node>();
  const found: { name: string; table: string | undefined }[] = [];
  walk(source.program, (node) => {
    if (node.type !== "VariableDeclarator" || !isNode(node.id) || !isNode(node.init)) return;
    const name = String(node.id.name);
    constants.set(name, node.init);
    const { init } = node;
    const isLayout = init.type === "CallExpression" && isNode(init.callee);
    if (!isLayout || !isNode(init.callee) || init.callee.name !== "layout") return;
    const [bytes, fields] = (init.arguments as Node[]).map((one) => evaluate(one, constants));
    const readable = typeof bytes === "number" && Array.isArray(fields);
    found.push({ name, table: readable ? layout(bytes, fields as Field[]).table : undefined });
  });
  return found;
}

/** The value of a literal expression; undefined for anything else. */
function evaluate(node: Node, constants: ReadonlyMap<string, Node>): unknown {
  switch (node.type) {
    case "Literal":
      return node.value;
    case "TemplateLiteral": {
      const values = (node.expressions as Node[]).map((one) => evaluate(one, constants));
      const texts = (node.quasis as { value: { cooked: string } }[]).map(
        ({ value }) => value.cooked,
      );
      return texts.map((text, index) => `${text}${String(values[index] ?? "")}`).join("");
    }
    case "ArrayExpression": {
      const values = (node.elements as Node[]).map((one) => evaluate(one, constants));
      return values.includes(undefined) ? undefined : values;
    }
    case "BinaryExpression": {
      const [left, right] = [node.left, node.right].map((one) => evaluate(one as Node, constants));
      if (typeof left === "number" && typeof right === "number")
        return arithmetic(node, left, right);
      return node.operator === "+" ? `${String(left)}${String(right)}` : undefined;
    }
    case "TSAsExpression":
      return evaluate(node.expression as Node, constants);
    case "Identifier": {
      const constant = constants.get(String(node.name));
      return constant === undefined ? undefined : evaluate(constant, constants);
    }
    default:
      return undefined;
  }
}

function arithmetic({ operator }: Node, left: number, right: number): number | undefined {
  if (operator === "+") return left + right;
  if (operator === "-") return left - right;
  return operator === "*" ? left * right : undefined;
}

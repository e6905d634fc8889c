/**
 * OPTIONS AS A TABLE: the members of an interface with their comments, so that docs/options.md says
 * what the code says. The comment of an option states consequence, unit, range and default.
 */
import { isNode, type Node, type Repository, type Rule, type Source, walk } from "./repository.ts";

/** Rows of a Markdown table; undefined if the file has no such interface. */
export function optionRows(
  { sources }: Repository,
  [path, name]: readonly string[],
): string | undefined {
  const source = sources.find((one) => one.path === path);
  const members = source && membersOf(source, name ?? "");
  if (source === undefined || members === undefined) return undefined;
  const rows = members.map(
    ({ key, comment }) => `| \`${key}\` | ${comment.replaceAll("|", "\\|")} |`,
  );
  return ["", "| option | meaning |", "| --- | --- |", ...rows, ""].join("\n");
}

interface Member {
  readonly key: string;
  readonly comment: string;
}

function membersOf(source: Source, name: string): Member[] | undefined {
  let members: Member[] | undefined;
  walk(source.program, (node) => {
    if (node.type !== "TSInterfaceDeclaration" || !isNode(node.id) || node.id.name !== name) return;
    const body = isNode(node.body) ? (node.body.body as readonly Node[]) : [];
    members = body.flatMap((member) => {
      const key = isNode(member.key) ? String(member.key.name) : undefined;
      return key === undefined ? [] : [{ key, comment: commentBefore(source, member) }];
    });
  });
  return members;
}

/** The text of the block comment that ends right before the node. */
function commentBefore({ text }: Source, { start }: Node): string {
  const before = text.slice(0, start).trimEnd();
  if (!before.endsWith("*/")) return "";
  const comment = before.slice(before.lastIndexOf("/**") + 3, -2);
  return comment.replace(/\s*\n\s*\*?\s*/g, " ").trim();
}

/** Every option that a page prints carries a comment. */
export const optionComments: Rule = (repository) => {
  const pages = repository.paths.filter((path) => /^docs\/.+\.md$/.test(path));
  const printed = pages.flatMap((path) => [
    ...(repository.text(path) ?? "").matchAll(/<!-- options (\S+) (\S+) -->/g),
  ]);
  return printed.flatMap(([, path = "", name = ""]) => {
    const source = repository.sources.find((one) => one.path === path);
    const members = source && membersOf(source, name);
    const bare = members?.filter(({ comment }) => comment === "") ?? [];
    return bare.map(({ key }) => `${path}: option ${name}.${key} has no comment`);
  });
};

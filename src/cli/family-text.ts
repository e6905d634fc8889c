/**
 * FAMILIES AS TEXT: a line for each database, forks below what they were forked from.
 *
 *     shop              4.2 MiB              2 snapshots
 *     ├─ shop-noon      4.1 MiB  from 81920
 *     └─ [shop-try]              from 90112
 *        └─ shop-try-2  4.2 MiB  from 94208
 *
 * (1) What was dropped is in brackets; of one that is gone altogether there is no name.
 * (2) Nothing is called again for each generation: chains may be long.
 */
import type { FamilyNode } from "../manager/index.ts";
import { sizeText } from "./output.ts";
import { displayWidth, visible } from "./visible.ts";

interface Line {
  readonly node: FamilyNode;
  /** What is drawn before the name, and before the names below it. */
  readonly lead: string;
  readonly indent: string;
}

export function treeText(families: readonly FamilyNode[]): string {
  return families.map((root) => familyText(linesOf(root))).join("\n");
}

function linesOf(root: FamilyNode): Line[] {
  const lines: Line[] = [];
  const waiting: Line[] = [{ node: root, lead: "", indent: "" }];
  for (let line = waiting.pop(); line !== undefined; line = waiting.pop()) {
    lines.push(line);
    const { forks } = line.node;
    for (let at = forks.length - 1; at >= 0; at -= 1) {
      const isLast = at === forks.length - 1;
      const lead = `${line.indent}${isLast ? "└─ " : "├─ "}`;
      const indent = `${line.indent}${isLast ? "   " : "│  "}`;
      waiting.push({ node: forks[at] as FamilyNode, lead, indent });
    }
  }
  return lines;
}

function familyText(lines: readonly Line[]): string {
  const cells = lines.map(({ node, lead }) => {
    const { state, sizeBytes, forkedAtLsn, snapshots } = node;
    const name = visible(node.name ?? "");
    return {
      name: `${lead}${state === "live" ? name : `[${name || "gone"}]`}`,
      size: state === "live" ? sizeText(sizeBytes) : "",
      from: forkedAtLsn === undefined ? "" : `from ${forkedAtLsn}`,
      kept: snapshots.length === 0 ? "" : counted(snapshots.length),
    };
  });
  const widest = (of: (cell: (typeof cells)[number]) => string) =>
    Math.max(...cells.map((cell) => displayWidth(of(cell))));
  const [names, sizes, origins] = [
    widest(({ name }) => name),
    widest(({ size }) => size),
    widest(({ from }) => from),
  ];
  const text = cells.map(({ name, size, from, kept }) => {
    const left = name + " ".repeat(names - displayWidth(name));
    return `${left}  ${size.padStart(sizes)}  ${from.padEnd(origins)}  ${kept}`.trimEnd();
  });
  return `${text.join("\n")}\n`;
}

function counted(snapshots: number): string {
  return snapshots === 1 ? "1 snapshot" : `${snapshots} snapshots`;
}
